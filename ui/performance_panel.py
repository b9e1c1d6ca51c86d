# SPDX-License-Identifier: GPL-3.0-or-later
"""How the next performance is given, and presets of that."""

from __future__ import annotations

import bpy
from bl_ui.utils import PresetPanel

from ..hmtalker_blender import directed_avatar
from ..hmtalker_blender.engine_paths import ASSETS
from ..operators.performance_preset import SUBFOLDER, HMT_OT_performance_preset_add
from . import sections
from .sidebar_panel import AvatarPanel


class HMT_PT_performance_presets(PresetPanel, bpy.types.Panel):
    """Settings of performances that were kept"""

    bl_idname = "HMT_PT_performance_presets"
    bl_label = "Performance Presets"
    preset_subdir = SUBFOLDER
    preset_operator = "script.execute_preset"
    preset_add_operator = HMT_OT_performance_preset_add.bl_idname


class HMT_PT_performance(AvatarPanel, bpy.types.Panel):
    """How the next performance is given"""

    bl_idname = "HMT_PT_performance"
    bl_label = "Performance"
    bl_translation_context = sections.CATEGORY  # Blender's own translation means how fast something is

    def draw_header_preset(self, _context: bpy.types.Context) -> None:
        HMT_PT_performance_presets.draw_panel_header(self.layout)

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.use_property_split = True
        self.layout.use_property_decorate = False
        settings = directed_avatar.directed(context).hmtalker.performance
        column = self.layout.column(align=True)
        for name in ("strength", "smoothing", "silence"):
            column.prop(settings, name)
        column = self.layout.column(align=True)
        column.prop(settings, "filmed")
        for name in ("blink_rate", "brows", "head_motion", "nods"):
            row = column.row()
            row.enabled = not settings.filmed
            row.prop(settings, name)
        for name in ("gaze", "breath", "seed"):
            column.prop(settings, name)
        if settings.filmed:
            sections.draw_sentence(self.layout, context, "Blinks, brows and head are those of the film", "INFO")
        sections.draw_sentence(self.layout, context, "Counts when the strip is animated again", "INFO")


def register_presets() -> None:
    """Let Blender find the presets that come with the extension."""
    bpy.utils.register_preset_path(str(ASSETS))


def unregister_presets() -> None:
    """Take them out again."""
    bpy.utils.unregister_preset_path(str(ASSETS))


CLASSES = (HMT_PT_performance_presets, HMT_PT_performance)
