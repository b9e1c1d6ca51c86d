# SPDX-License-Identifier: GPL-3.0-or-later
import bpy

avatar = (
    bpy.context.object
    if bpy.context.object and bpy.context.object.hmtalker.is_avatar
    else bpy.context.scene.hmtalker.avatar
)
performance = avatar.hmtalker.performance

performance.strength = 1.05
performance.smoothing = 0.5
performance.blink_rate = 15.0
performance.brows = 0.7
performance.gaze = 0.4
performance.head_motion = 0.6
performance.nods = 0.8
performance.breath = 0.5
performance.silence = True
