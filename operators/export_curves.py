# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what the avatar performs as a table that other programs read."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..engine.errors import HMTalkerError
from ..hmtalker_blender import avatar_object, directed_avatar, evaluated_curves, jobs
from ..hmtalker_blender.animation import frames_per_second
from . import reporting
from .job_operator import JobOperator


class HMT_OT_export_curves(JobOperator, bpy.types.Operator):
    """Write the avatar's face, head and gaze over the scene's frames as Live Link Face or OpenFace do"""

    bl_idname = "hmtalker.export_curves"
    bl_label = "Export Face Curves"
    bl_options = {"REGISTER"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    filter_glob: bpy.props.StringProperty(default="*.csv", options={"HIDDEN"})  # type: ignore[valid-type]
    format: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Format",
        description="Whose tables to write",
        items=(
            ("LIVELINK", "Live Link Face", "ARKit's 52 shapes, head and eyes: for iPhone-capture workflows"),
            ("OPENFACE", "OpenFace", "Action Units and head pose: for research"),
        ),
    )

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
            self.filepath = f"{directed_avatar.directed(context).name}.csv"
            context.window_manager.fileselect_add(self)
            return {"RUNNING_MODAL"}
        return super().invoke(context, event)

    def owners(self, context: bpy.types.Context) -> tuple[bpy.types.ID | None, ...]:
        return (directed_avatar.directed(context),)

    def prepare(self, context: bpy.types.Context) -> jobs.Job:
        if not self.filepath:
            raise HMTalkerError("There is no file to write to; choose one.")
        path = Path(bpy.path.ensure_ext(bpy.path.abspath(self.filepath), ".csv"))
        avatar = directed_avatar.directed(context)
        scene = avatar_object.home_scene(context, avatar)
        rows, fps, wanted = evaluated_curves.Rows(), frames_per_second(scene), self.format
        frames = range(scene.frame_start, scene.frame_end + 1)

        def work(_job: jobs.Job) -> tuple[Path, int]:
            from ..engine.capture.curves.write_livelink import write_livelink
            from ..engine.capture.curves.write_openface import write_openface

            units, head, gaze = rows.arrays()
            try:
                if wanted == "LIVELINK":
                    write_livelink(path, units, head, gaze, fps)
                else:
                    write_openface(path, units, head, fps)
            except OSError as error:
                told = error.strerror or error
                raise HMTalkerError(f"{path} cannot be written ({told}); choose another place.") from error
            return path, len(units)

        return jobs.Job("Exporting face curves", work, evaluated_curves.collect(scene, avatar, frames, rows))

    def finish(self, context: bpy.types.Context, result: tuple[Path, int]) -> str:
        return f"{result[1]} frames are in {result[0]}."


CLASSES = (HMT_OT_export_curves,)
