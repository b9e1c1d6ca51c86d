# SPDX-License-Identifier: GPL-3.0-or-later
"""Stop what is under way."""

from __future__ import annotations

import bpy

from ..hmtalker_blender import jobs
from . import reporting


class HMT_OT_cancel_job(bpy.types.Operator):
    """Stop what HM-Talker is doing; what is finished is kept"""

    bl_idname = "hmtalker.cancel_job"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    title: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Job", description="Title of the job to stop; empty for all", options={"SKIP_SAVE"}
    )

    @classmethod
    def disabled_reason(cls, _context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        return "" if jobs.running else "Nothing is under way"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)

    def execute(self, _context: bpy.types.Context) -> set[str]:
        for job in jobs.running:
            if self.title in ("", job.title):
                job.cancel()
        return {"FINISHED"}


CLASSES = (HMT_OT_cancel_job,)
