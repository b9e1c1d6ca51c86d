# SPDX-License-Identifier: GPL-3.0-or-later
"""Put all sliders of the generated layer back."""

from __future__ import annotations

import bpy

from ..hmtalker_blender import directed_avatar, generated_layer
from . import reporting


class HMT_OT_reset_layer(bpy.types.Operator):
    """Set strength, offset, smoothing, mute and solo of every generated Action Unit back to their defaults"""

    bl_idname = "hmtalker.reset_layer"
    bl_label = "Reset Layer"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        return directed_avatar.no_avatar_reason(context)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        avatar = directed_avatar.directed(context)
        avatar.hmtalker.layer.reset()
        generated_layer.refresh(avatar)
        return {"FINISHED"}


CLASSES = (HMT_OT_reset_layer,)
