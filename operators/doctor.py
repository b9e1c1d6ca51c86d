# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy one report on everything, to be pasted into an issue."""

from __future__ import annotations

from typing import Any

import bpy

from ..hmtalker_blender import doctor, engine_paths, jobs
from . import reporting
from .job_operator import JobOperator

TEXT_NAME = "HM-Talker Report"


class HMT_OT_doctor(JobOperator, bpy.types.Operator):
    """Try the engine out and copy a report for an issue: versions, avatars, checks and problems, no private paths"""

    bl_idname = "hmtalker.doctor"
    bl_label = "Copy Report"
    bl_options = {"REGISTER"}

    @classmethod
    def disabled_reason(cls, _context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        return jobs.busy_reason()

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)

    def owners(self, _context: bpy.types.Context) -> tuple[Any, ...]:
        return ()

    def prepare(self, context: bpy.types.Context) -> jobs.Job:
        self._facts, paths = doctor.facts(context), doctor.avatar_paths()
        engine_paths.prepare_kernel_cache()
        return jobs.Job("Examining HM-Talker", lambda job: doctor.checks(paths, job.progress))

    def finish(self, context: bpy.types.Context, result: list[str]) -> str:
        text = doctor.report([*self._facts, *result])
        block = bpy.data.texts.get(TEXT_NAME) or bpy.data.texts.new(TEXT_NAME)
        block.from_string(text)
        context.window_manager.clipboard = text
        failed = [line for line in text.splitlines() if "FAILED" in line or "MISSING" in line]
        if failed:
            self.report({"WARNING"}, failed[0])
        return f'The report was copied, and is in the text "{TEXT_NAME}".'


CLASSES = (HMT_OT_doctor,)
