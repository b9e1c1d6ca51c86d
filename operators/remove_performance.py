# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove one performance out of the avatar's list, whether its strip is still there or not."""

from __future__ import annotations

import bpy

from ..hmtalker_blender import animation, directed_avatar
from . import reporting


class HMT_OT_remove_performance(bpy.types.Operator):
    """Remove this performance; keys made by hand stay"""

    bl_idname = "hmtalker.remove_performance"
    bl_label = "Remove Performance"
    bl_options = {"REGISTER", "UNDO"}

    index: bpy.props.IntProperty(name="Performance", description="Place in the avatar's list, from 0", min=0)  # type: ignore[valid-type]

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        if reason := directed_avatar.no_avatar_reason(context):
            return reason
        avatar = directed_avatar.directed(context)
        return "" if len(avatar.hmtalker.takes) else f"{avatar.name} has no performance"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        avatar = directed_avatar.directed(context)
        if self.index >= len(avatar.hmtalker.takes):
            self.report({"ERROR"}, f"{avatar.name} has no performance number {self.index + 1}.")
            return {"CANCELLED"}
        kept = animation.remove_entry(avatar, avatar.hmtalker.takes[self.index])
        if kept:
            self.report({"INFO"}, f'Its keys were edited by hand; they are kept as "{kept}".')
        return {"FINISHED"}


CLASSES = (HMT_OT_remove_performance,)
