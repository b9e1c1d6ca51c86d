# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the posed head as Gaussians, for programs that draw Gaussians themselves."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..engine.errors import CancelledError, HMTalkerError
from ..hmtalker_blender import avatar_object, directed_avatar, engine_paths, jobs, motion_state, preferences
from .export_operator import ExportOperator


class HMT_OT_export_gaussians(ExportOperator, bpy.types.Operator):
    """Write the posed head as a PLY of Gaussians, as 3DGS viewers and Blender 5.3 read it: this frame, or all"""

    bl_idname = "hmtalker.export_gaussians"
    bl_label = "Export Gaussians"
    bl_options = {"REGISTER"}
    suffix = ".ply"

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    filter_glob: bpy.props.StringProperty(default="*.ply", options={"HIDDEN"})  # type: ignore[valid-type]
    range: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Frames",
        description="Which frames to write",
        items=(
            ("FRAME", "Current Frame", "One file"),
            ("SCENE", "Scene Range", "A file for every frame of the scene, with its number in the name"),
        ),
    )
    axes: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Axes",
        description="Which way is up in the file",
        items=(
            ("BLENDER", "Z Up", "Z is up and the face looks along -Y, as in Blender"),
            ("VIEWER", "Y Up", "Y is up and the face looks along Z, as in most viewers of Gaussians"),
        ),
    )

    def prepare(self, context: bpy.types.Context) -> jobs.Job:
        path = self.chosen_path()
        avatar = directed_avatar.directed(context)
        scene = avatar_object.home_scene(context, avatar)
        whole = self.range == "SCENE"
        frames = (
            range(scene.frame_start, scene.frame_end + 1)
            if whole
            else range(scene.frame_current, scene.frame_current + 1)
        )
        avatar_path, threads, upright = avatar_object.file_of(avatar), preferences.render_threads(context), self.axes
        engine_paths.prepare_kernel_cache()
        states: dict[int, object] = {}

        def steps():
            for number, (frame, state) in enumerate(motion_state.over_frames(scene, avatar, frames)):
                states[frame] = state
                yield 0.1 * (number + 1) / len(frames)

        def work(job: jobs.Job) -> list[Path]:
            return _write(job, states, avatar_path, path, whole, upright == "BLENDER", threads)

        return jobs.Job("Exporting Gaussians", work, steps())

    def finish(self, context: bpy.types.Context, result: list[Path]) -> str:
        more = f" and {len(result) - 1} more beside it" if len(result) > 1 else ""
        return f"The Gaussians are in {result[0]}{more}."


def _write(
    job: jobs.Job, states: dict, avatar_path: Path, path: Path, numbered: bool, upright: bool, threads: int
) -> list[Path]:
    from ..engine.gaussians.ply_file import write_ply
    from ..engine.posed_gaussians import UPRIGHT, posed_gaussians
    from ..engine.render import Renderer

    job.progress(0.1, "Preparing (the first time takes a little longer)")
    avatar = avatar_object.load(avatar_path).avatar
    comments = (f"synthetic media: talking head of {avatar.name}", f"licence {avatar.header.get('licence', '')}")
    renderer = Renderer(avatar, threads=threads)
    written: list[Path] = []
    try:
        for number, (frame, state) in enumerate(states.items()):
            if job.cancelled():
                raise CancelledError(f"Cancelled; {number} of {len(states)} files are written and kept.")
            target = path.with_name(f"{path.stem}_{frame:04d}.ply") if numbered else path
            splats, sh = posed_gaussians(renderer, state, UPRIGHT if upright else None)
            write_ply(target, splats, sh, comments)
            written.append(target)
            job.progress(0.1 + 0.9 * len(written) / len(states), f"File {len(written)} of {len(states)}")
    except OSError as error:
        raise HMTalkerError(f"{path} cannot be written ({error.strerror or error}); choose another place.") from error
    finally:
        renderer.close()
    return written


CLASSES = (HMT_OT_export_gaussians,)
