# SPDX-License-Identifier: GPL-3.0-or-later
"""Fill in again what was filled in for a training that was stopped."""

from __future__ import annotations

import bpy

from ..hmtalker_blender import train_job
from . import reporting


class HMT_OT_recall_training(bpy.types.Operator):
    """Fill in preset, name, licence and consent as they were for the training that was stopped"""

    bl_idname = "hmtalker.recall_training"
    bl_label = "Use Its Settings"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        if not context.scene.is_editable:
            return "This scene is linked from another file"
        known = train_job.is_known(context.scene.hmtalker.training)
        return "" if known else "There is no earlier training beside the avatar file"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        if not train_job.recall(context.scene.hmtalker.training):
            self.report({"ERROR"}, "What was filled in for the earlier training cannot be read; fill it in again.")
            return {"CANCELLED"}
        return {"FINISHED"}


CLASSES = (HMT_OT_recall_training,)
