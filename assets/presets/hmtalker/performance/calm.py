# SPDX-License-Identifier: GPL-3.0-or-later
import bpy

avatar = (
    bpy.context.object
    if bpy.context.object and bpy.context.object.hmtalker.is_avatar
    else bpy.context.scene.hmtalker.avatar
)
performance = avatar.hmtalker.performance

performance.strength = 0.9
performance.smoothing = 0.8
performance.blink_rate = 14.0
performance.brows = 0.6
performance.gaze = 0.8
performance.head_motion = 0.5
performance.nods = 0.4
performance.breath = 1.0
performance.silence = True
