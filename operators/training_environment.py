# SPDX-License-Identifier: GPL-3.0-or-later
"""Help with the training environment: copy the command that makes it, and look at it again."""

from __future__ import annotations

import bpy

from ..hmtalker_blender import capture_job, engine_environment
from . import reporting


class HMT_OT_copy_install_command(bpy.types.Operator):
    """Copy the command that makes or mends the training environment, to be pasted into a terminal"""

    bl_idname = "hmtalker.copy_install_command"
    bl_label = "Copy Command"
    bl_options = {"INTERNAL"}

    @classmethod
    def disabled_reason(cls, _context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        return ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.window_manager.clipboard = engine_environment.command(context)
        self.report(
            {"INFO"}, f"The command was copied; paste it into {engine_environment.shell()} and wait for its end."
        )
        return {"FINISHED"}


class HMT_OT_check_environment(bpy.types.Operator):
    """Look at the training environment again"""

    bl_idname = "hmtalker.check_environment"
    bl_label = "Check Again"
    bl_options = {"INTERNAL"}

    @classmethod
    def disabled_reason(cls, _context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        return f"{capture_job.TITLE} is under way" if capture_job.running() is not None else ""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        if not bpy.app.background:
            engine_environment.check_again(context)
            return {"FINISHED"}
        found = engine_environment.check(context)
        self.report({"WARNING" if found.reason else "INFO"}, f"{found.reason or found.details}.")
        return {"FINISHED"}


CLASSES = (HMT_OT_copy_install_command, HMT_OT_check_environment)
