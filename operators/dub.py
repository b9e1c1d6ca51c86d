# SPDX-License-Identifier: GPL-3.0-or-later
"""Give a film in the Sequencer a new voice, in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from ..hmtalker_blender import content_credentials, dub_job, jobs, versions
from . import reporting
from .job_operator import JobOperator


class HMT_OT_dub(JobOperator, bpy.types.Operator):
    """Draw the avatar's mouth into the film, moved by the sound strip, and show the result above it"""

    bl_idname = "hmtalker.dub"
    bl_label = "Dub with Avatar"
    bl_options = {"UNDO"}  # not REGISTER: an adjusted setting would dub it all again

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        return dub_job.no_dub_reason(context)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)

    def owners(self, context: bpy.types.Context) -> tuple[bpy.types.ID | None, ...]:
        return (versions.sequencer_scene(context),)

    def prepare(self, context: bpy.types.Context) -> jobs.Job:
        self._dub = dub_job.make(context)
        return self._dub.job

    def finish(self, context: bpy.types.Context, result: dict[str, Any]) -> str:
        path = Path(result["output"])
        content_credentials.sign_if_wanted(path)
        dub_job.show(self._dub, path)
        for warning in result["warnings"]:
            self.report({"WARNING"}, warning)
        if result["untouched"]:
            self.report(
                {"WARNING"}, f"{result['untouched']} pictures stand as they were filmed: no face was measured in them."
            )
        return f"{result['pictures']} pictures are dubbed; the film is {path}."


CLASSES = (HMT_OT_dub,)
