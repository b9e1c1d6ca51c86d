# SPDX-License-Identifier: GPL-3.0-or-later
"""The generated layer: its sliders, its keys, and the performances that it is made of."""

from __future__ import annotations

import bpy

from ..hmtalker_blender import avatar_units, directed_avatar, generated_layer, strip_following
from ..operators.clean_up import HMT_OT_clean_up, HMT_OT_restore_keys
from ..operators.remove_performance import HMT_OT_remove_performance
from ..operators.reset_layer import HMT_OT_reset_layer
from . import sections
from .sidebar_panel import AvatarPanel


class HMT_PT_layer(AvatarPanel, bpy.types.Panel):
    """What becomes of the generated layer; keys made by hand are a layer of their own on top"""

    bl_idname = "HMT_PT_layer"
    bl_label = "Generated Layer"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layer = directed_avatar.directed(context).hmtalker.layer
        layout.prop(layer, "strength", slider=True)
        layout.prop(layer, "unit")
        unit = layer.adjustment(layer.unit)
        column = layout.column(align=True)
        for name in ("strength", "offset", "smoothing"):
            column.prop(unit, name, slider=True)
        row = layout.row(align=True)
        row.prop(unit, "solo", toggle=True)
        row.prop(unit, "mute", toggle=True)
        sections.draw_button(layout, context, HMT_OT_reset_layer, "LOOP_BACK")
        column = layout.column(align=True)
        column.prop(layer, "key_error")
        told: set[str] = set()
        sections.draw_button(column, context, HMT_OT_clean_up, "IPO_LINEAR", told=told)
        if not HMT_OT_restore_keys.disabled_reason(context):
            sections.draw_button(column, context, HMT_OT_restore_keys, "KEYFRAME", told=told)


class HMT_PT_layer_units(AvatarPanel, bpy.types.Panel):
    """Strength, solo and mute of every Action Unit"""

    bl_idname = "HMT_PT_layer_units"
    bl_label = "Action Units"
    bl_parent_id = HMT_PT_layer.bl_idname

    def draw(self, context: bpy.types.Context) -> None:
        avatar = directed_avatar.directed(context)
        layer, units = avatar.hmtalker.layer, avatar_units.units_of(avatar)
        column = self.layout.column(align=True)
        for code, name in zip(units.codes, units.names, strict=True):
            unit = layer.adjustment(code)
            row = column.row(align=True)
            row.prop(unit, "strength", text=f"{code} {name}", slider=True)
            row.prop(unit, "solo", text="", icon="SOLO_ON" if unit.solo else "SOLO_OFF")
            row.prop(unit, "mute", text="", icon="HIDE_ON" if unit.mute else "HIDE_OFF")


class HMT_PT_takes(AvatarPanel, bpy.types.Panel):
    """What the avatar performs, and what it lacks"""

    bl_idname = "HMT_PT_takes"
    bl_label = "Performances"
    bl_parent_id = HMT_PT_layer.bl_idname

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        avatar = directed_avatar.directed(context)
        return avatar is not None and len(avatar.hmtalker.takes) > 0

    def draw(self, context: bpy.types.Context) -> None:
        avatar = directed_avatar.directed(context)
        reason = HMT_OT_remove_performance.disabled_reason(context)
        for index, entry in enumerate(avatar.hmtalker.takes):
            row = self.layout.row()
            row.label(text=entry.name, icon="SOUND" if entry.sound is not None else "FILE")
            button = row.row()
            button.enabled = not reason
            button.operator(HMT_OT_remove_performance.bl_idname, text="", icon="X").index = index
            for told in lacks(entry):
                sections.draw_sentence(self.layout, context, told, "INFO")
        if reason:
            sections.draw_sentence(self.layout, context, reason, "INFO")


def lacks(entry: bpy.types.PropertyGroup) -> list[str]:
    """Return sentences on what a performance lacks, or why sliders leave some of it alone."""
    scene = bpy.data.scenes.get(entry.scene)
    editor = scene.sequence_editor if scene is not None else None
    strip = editor.strips_all.get(entry.name) if editor is not None else None
    found = []
    if strip is not None and strip.type == "SOUND":
        found.append(strip_following.unspoken_reason(entry, scene, strip))
    if entry.action is not None and generated_layer.EDITED_KEY in entry.action:
        edited = entry.action[generated_layer.EDITED_KEY]
        found.append(f"Edited by hand, so sliders leave it alone: {edited}")
    return [told for told in found if told]


CLASSES = (HMT_PT_layer, HMT_PT_layer_units, HMT_PT_takes)
