# SPDX-License-Identifier: GPL-3.0-or-later
"""An operator that writes what the avatar does to a file that the artist chooses."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..engine.errors import HMTalkerError
from ..hmtalker_blender import directed_avatar, jobs
from . import reporting
from .job_operator import JobOperator


class ExportOperator(JobOperator):
    """Mix-in. A subclass has the property `filepath`, and `suffix`, the ending of its files."""

    suffix: str

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        avatar = directed_avatar.directed(context)
        return jobs.busy_reason() or (directed_avatar.no_avatar_reason(context) if avatar is None else "")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if not self.filepath and context.window is not None and not bpy.app.background:
            self.filepath = f"{directed_avatar.directed(context).name}{self.suffix}"
            context.window_manager.fileselect_add(self)
            return {"RUNNING_MODAL"}
        return super().invoke(context, event)

    def owners(self, context: bpy.types.Context) -> tuple[bpy.types.ID | None, ...]:
        return (directed_avatar.directed(context),)

    def chosen_path(self) -> Path:
        """Return the absolute path with its ending. Raises HMTalkerError where none was chosen."""
        if not self.filepath:
            raise HMTalkerError("There is no file to write to; choose one.")
        return Path(bpy.path.ensure_ext(bpy.path.abspath(self.filepath), self.suffix))
