# SPDX-License-Identifier: GPL-3.0-or-later
import bpy

avatar = (
    bpy.context.object
    if bpy.context.object and bpy.context.object.hmtalker.is_avatar
    else bpy.context.scene.hmtalker.avatar
)
performance = avatar.hmtalker.performance

performance.strength = 1.15
performance.smoothing = 0.4
performance.blink_rate = 19.0
performance.brows = 1.5
performance.gaze = 1.2
performance.head_motion = 1.4
performance.nods = 1.5
performance.breath = 1.0
performance.silence = True
