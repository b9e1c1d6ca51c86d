# SPDX-License-Identifier: GPL-3.0-or-later
"""Say what a render farm would not find."""

from __future__ import annotations

import bpy

from ..hmtalker_blender import farm
from . import reporting

MOST = 12
"""Lines of the popup; the Info log has all."""


class HMT_OT_check_for_farm(bpy.types.Operator):
    """Look for what other machines would not find: absolute paths, missing files, frames that were not baked"""

    bl_idname = "hmtalker.check_for_farm"
    bl_label = "Check for Render Farm"
    bl_options = {"REGISTER"}

    @classmethod
    def disabled_reason(cls, _context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        return ""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        found = farm.problems(context)
        for problem in found:
            self.report({"WARNING"}, problem)
        if not found:
            self.report({"INFO"}, "Nothing is missing: any machine that sees this folder can render it.")
        if found and not bpy.app.background and context.window is not None:

            def draw(popup: bpy.types.UIPopupMenu, _context: bpy.types.Context) -> None:
                for problem in found[:MOST]:
                    popup.layout.label(text=problem)
                if len(found) > MOST:
                    popup.layout.label(text=f"... and {len(found) - MOST} more, in the Info editor")

            context.window_manager.popup_menu(draw, title=self.bl_label, icon="ERROR")
        return {"FINISHED"}


CLASSES = (HMT_OT_check_for_farm,)
