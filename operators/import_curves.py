# SPDX-License-Identifier: GPL-3.0-or-later
"""Give the avatar a performance that another program tracked: Live Link Face, ARKit, OpenFace."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..hmtalker_blender import animation, avatar_object, directed_avatar, imported_curves, jobs
from . import reporting
from .job_operator import JobOperator


class HMT_OT_import_curves(JobOperator, bpy.types.Operator):
    """Read a table of Live Link Face, ARKit shapes or OpenFace into the generated layer, from the current frame on"""

    bl_idname = "hmtalker.import_curves"
    bl_label = "Import Face Curves"
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    filter_glob: bpy.props.StringProperty(default="*.csv;*.txt", options={"HIDDEN"})  # type: ignore[valid-type]
    head: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Head", description="Take over the motion of the head, where the table has it", default=True
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        return directed_avatar.no_avatar_reason(context)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if not self.filepath and context.window is not None and not bpy.app.background:
            context.window_manager.fileselect_add(self)
            return {"RUNNING_MODAL"}
        return super().invoke(context, event)

    def owners(self, context: bpy.types.Context) -> tuple[bpy.types.ID | None, ...]:
        return (directed_avatar.directed(context),)

    def prepare(self, context: bpy.types.Context) -> jobs.Job:
        path = Path(bpy.path.abspath(self.filepath))
        avatar = directed_avatar.directed(context)
        scene = avatar_object.home_scene(context, avatar)
        self._names = avatar.name, scene.name, scene.frame_current
        fps, with_head, avatar_path = animation.frames_per_second(scene), self.head, avatar_object.file_of(avatar)

        def work(job: jobs.Job) -> imported_curves.Imported:
            job.progress(0.1, path.name)
            return imported_curves.read(path, fps, with_head, avatar_path)

        return jobs.Job(f"Importing {path.name}", work)

    def finish(self, context: bpy.types.Context, result: imported_curves.Imported) -> str:
        avatar, scene = bpy.data.objects[self._names[0]], bpy.data.scenes[self._names[1]]
        for warning in result.take.warnings:
            self.report({"WARNING"}, warning)
        animation.write_imported(avatar, result.take, result.data, result.name, scene, self._names[2])
        return f"{avatar.name} performs {result.name}: {result.take.frames} frames."


CLASSES = (HMT_OT_import_curves,)
