# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn videos of a person into a training set, in a process of its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import bpy

from ..hmtalker_blender import capture_job, capture_report, jobs
from . import reporting
from .job_operator import JobOperator


class HMT_OT_capture(JobOperator, bpy.types.Operator):
    """Turn the videos into a training set with a report on it; Blender stays usable, and finished work is kept"""

    bl_idname = "hmtalker.capture"
    bl_label = "Capture"
    bl_options = set()  # nothing to undo, and nothing to adjust afterwards: that would capture again

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        return capture_job.no_capture_reason(context)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)

    def owners(self, context: bpy.types.Context) -> tuple[Any, ...]:
        # The problem belongs beside Capture, and not where the scene's others are shown.
        scene = context.scene
        return (SimpleNamespace(is_editable=scene.is_editable, hmtalker=scene.hmtalker.capture),)

    def prepare(self, context: bpy.types.Context) -> jobs.Job:
        return capture_job.make(context)

    def finish(self, context: bpy.types.Context, result: capture_job.Captured) -> str:
        for finding in result.findings:
            if capture_report.ICONS.get(finding.severity) != capture_report.NOTE_ICON:
                self.report({"WARNING"}, f"{finding.title} {finding.remedy}".strip())
        return f"The training set is in {result.dataset}; read its report before training."


CLASSES = (HMT_OT_capture,)
