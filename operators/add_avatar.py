# SPDX-License-Identifier: GPL-3.0-or-later
"""Add a talking avatar to the scene."""

from __future__ import annotations

import bpy

from ..hmtalker_blender import avatar_object, kernel_preparation
from . import reporting


class HMT_OT_add_avatar(bpy.types.Operator):
    """Add a talking avatar at the 3D cursor: the one that comes with the extension, or one of your own"""

    bl_idname = "hmtalker.add_avatar"
    bl_label = "Talking Avatar"
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Avatar File",
        description="Avatar file (.hmt); leave empty for the avatar that comes with the extension",
        subtype="FILE_PATH",
        options={"SKIP_SAVE", "PATH_SUPPORTS_BLEND_RELATIVE"},
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        if context.mode != "OBJECT":
            return "Go to Object Mode to add an avatar"
        return ""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            added = avatar_object.add(context, self.filepath)
        except Exception as error:
            return reporting.fail(self, error, context.scene)
        reporting.keep("", context.scene)
        kernel_preparation.begin()
        self.report({"INFO"}, f"{added.name} is here; press Animate from Strip to make it speak.")
        return {"FINISHED"}


class HMT_OT_open_avatar(bpy.types.Operator):
    """Choose an avatar file (.hmt) and add it at the 3D cursor"""

    bl_idname = "hmtalker.open_avatar"
    bl_label = "Talking Avatar from File"
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE", "PATH_SUPPORTS_BLEND_RELATIVE"})  # type: ignore[valid-type]
    filter_glob: bpy.props.StringProperty(default="*.hmt", options={"HIDDEN"})  # type: ignore[valid-type]

    disabled_reason = HMT_OT_add_avatar.disabled_reason

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    execute = HMT_OT_add_avatar.execute


CLASSES = (HMT_OT_add_avatar, HMT_OT_open_avatar)
