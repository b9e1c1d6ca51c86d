# SPDX-License-Identifier: GPL-3.0-or-later
"""Open the report on a training set in the web browser."""

from __future__ import annotations

import bpy

from ..hmtalker_blender import capture_report
from . import reporting


class HMT_OT_open_report(bpy.types.Operator):
    """Open the report on the training set in the web browser"""

    bl_idname = "hmtalker.open_report"
    bl_label = "Open Report"
    bl_options = {"INTERNAL"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        page = capture_report.page(context.scene.hmtalker.capture)
        return "" if page is not None and page.is_file() else "There is no report in the dataset folder yet"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        page = capture_report.page(context.scene.hmtalker.capture)
        assert page is not None
        bpy.ops.wm.url_open(url=page.as_uri())
        return {"FINISHED"}


CLASSES = (HMT_OT_open_report,)
