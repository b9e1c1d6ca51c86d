# SPDX-License-Identifier: GPL-3.0-or-later
"""Emotions and poses, other faces and programs, and help: the rest of the avatar's sidebar."""

from __future__ import annotations

import bpy

from ..hmtalker_blender import directed_avatar, face_poses
from ..operators.apply_pose import ITEMS, HMT_OT_apply_pose
from ..operators.doctor import HMT_OT_doctor
from ..operators.drive_face import HMT_OT_drive_face, HMT_OT_release_face
from ..operators.export_curves import HMT_OT_export_curves
from ..operators.export_gaussians import HMT_OT_export_gaussians
from ..operators.import_curves import HMT_OT_import_curves
from ..operators.pose_assets import HMT_OT_make_pose_assets, HMT_OT_save_pose
from . import sections
from .sidebar_panel import AvatarPanel


class HMT_PT_emotion(AvatarPanel, bpy.types.Panel):
    """Faces that are keyed in the artist's layer"""

    bl_idname = "HMT_PT_emotion"
    bl_label = "Emotion"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layer = directed_avatar.directed(context).hmtalker.layer
        column = layout.column(align=True)
        column.prop(layer, "pose_strength", slider=True)
        column.prop(layer, "pose_blend")
        reason = HMT_OT_apply_pose.disabled_reason(context)
        column = layout.column(align=True)
        column.enabled = not reason
        for first in range(0, len(ITEMS), 2):
            row = column.row(align=True)
            for identifier, name, _description in ITEMS[first : first + 2]:
                _set(row.operator(HMT_OT_apply_pose.bl_idname, text=name), layer, emotion=identifier)
        for action in face_poses.poses():
            if action.name not in [name for _, name, _ in ITEMS]:
                _set(column.operator(HMT_OT_apply_pose.bl_idname, text=action.name), layer, action=action.name)
        if reason:
            sections.draw_sentence(layout, context, reason, "INFO")
        column = layout.column(align=True)
        told = {reason}
        sections.draw_button(column, context, HMT_OT_save_pose, "ASSET_MANAGER", told=told)
        sections.draw_button(column, context, HMT_OT_make_pose_assets, "ASSET_MANAGER", told=told)


def _set(button: bpy.types.OperatorProperties, layer: bpy.types.PropertyGroup, **values: str) -> None:
    for name, value in (values | {"strength": layer.pose_strength, "blend": layer.pose_blend}).items():
        setattr(button, name, value)


class HMT_PT_exchange(AvatarPanel, bpy.types.Panel):
    """The performance on other faces and in other programs"""

    bl_idname = "HMT_PT_exchange"
    bl_label = "Other Faces and Programs"

    def draw(self, context: bpy.types.Context) -> None:
        told: set[str] = set()
        column = self.layout.column(align=True)
        sections.draw_button(column, context, HMT_OT_drive_face, "SHAPEKEY_DATA", told=told)
        if not HMT_OT_release_face.disabled_reason(context):
            sections.draw_button(column, context, HMT_OT_release_face, "X", told=told)
        column = self.layout.column(align=True)
        sections.draw_button(column, context, HMT_OT_import_curves, "IMPORT", told=told)
        sections.draw_button(column, context, HMT_OT_export_curves, "EXPORT", told=told)
        sections.draw_button(column, context, HMT_OT_export_gaussians, "EXPORT", told=told)


class HMT_PT_help(AvatarPanel, bpy.types.Panel):
    """What to do when something does not work"""

    bl_idname = "HMT_PT_help"
    bl_label = "Help"

    def draw(self, context: bpy.types.Context) -> None:
        sections.draw_button(self.layout, context, HMT_OT_doctor, "INFO")


CLASSES = (HMT_PT_emotion, HMT_PT_exchange, HMT_PT_help)
