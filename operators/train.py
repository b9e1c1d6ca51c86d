# SPDX-License-Identifier: GPL-3.0-or-later
"""Train an avatar from a training set, in a process of its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import bpy

from ..hmtalker_blender import jobs, train_job
from . import reporting
from .job_operator import JobOperator


class HMT_OT_train(JobOperator, bpy.types.Operator):
    """Train an avatar from the training set, in hours; Blender stays usable, and what was learnt is kept"""

    bl_idname = "hmtalker.train"
    bl_label = "Train"
    bl_options = set()  # nothing to undo, and nothing to adjust afterwards: that would train again

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        return train_job.no_training_reason(context)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)

    def owners(self, context: bpy.types.Context) -> tuple[Any, ...]:
        # The problem belongs beside Train, and not where the scene's others are shown.
        scene = context.scene
        return (SimpleNamespace(is_editable=scene.is_editable, hmtalker=scene.hmtalker.training),)

    def prepare(self, context: bpy.types.Context) -> jobs.Job:
        return train_job.make(context)

    def finish(self, context: bpy.types.Context, result: train_job.Trained) -> str:
        took = jobs.duration(result.seconds)
        return f"The avatar is in {result.output}, trained in {took}; press Add Avatar to see it."


CLASSES = (HMT_OT_train,)
