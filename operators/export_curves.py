# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what the avatar performs as a table that other programs read."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..engine.errors import HMTalkerError
from ..hmtalker_blender import avatar_object, directed_avatar, evaluated_curves, jobs
from ..hmtalker_blender.animation import frames_per_second
from .export_operator import ExportOperator


class HMT_OT_export_curves(ExportOperator, bpy.types.Operator):
    """Write the avatar's face, head and gaze over the scene's frames as Live Link Face or OpenFace do"""

    bl_idname = "hmtalker.export_curves"
    bl_label = "Export Face Curves"
    bl_options = {"REGISTER"}
    suffix = ".csv"

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

    def prepare(self, context: bpy.types.Context) -> jobs.Job:
        path = self.chosen_path()
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
