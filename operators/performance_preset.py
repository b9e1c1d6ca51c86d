# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep the settings of a performance as a preset, in Blender's own way."""

from __future__ import annotations

import bpy
from bl_operators.presets import AddPresetBase

from ..hmtalker_blender import directed_avatar
from ..hmtalker_blender.performance_properties import HMT_PG_performance
from . import reporting

SUBFOLDER = "hmtalker/performance"
"""Of Blender's presets."""


class HMT_OT_performance_preset_add(AddPresetBase, bpy.types.Operator):
    """Keep these settings as a preset, or remove the one that is chosen"""

    bl_idname = "hmtalker.performance_preset_add"
    bl_label = "Add Performance Preset"
    preset_menu = "HMT_PT_performance_presets"
    preset_subdir = SUBFOLDER
    preset_defines = [
        "avatar = bpy.context.object if bpy.context.object and bpy.context.object.hmtalker.is_avatar "
        "else bpy.context.scene.hmtalker.avatar",
        "performance = avatar.hmtalker.performance",
    ]
    preset_values = [f"performance.{name}" for name in HMT_PG_performance.__annotations__ if name != "seed"]

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        return directed_avatar.no_avatar_reason(context)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)


CLASSES = (HMT_OT_performance_preset_add,)
