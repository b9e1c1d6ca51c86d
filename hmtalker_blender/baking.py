# SPDX-License-Identifier: GPL-3.0-or-later
"""The job of baking an avatar's frames, as the scene's choices ask for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import bpy

from ..engine.errors import AvatarError, RenderError
from . import avatar_object, baked_frames, camera_view, engine_paths, jobs, motion_state, preferences


@dataclass(frozen=True)
class Bake:
    """A job that was not begun yet, and what is known of it now."""

    job: jobs.Job
    """Its result is a ``BakedFrames``."""
    temporary: bool
    """The frames go into a folder that Blender removes, because the .blend was never saved."""
    percentage: int


def prepare(
    context: bpy.types.Context, scene: bpy.types.Scene, speaker: bpy.types.Object, frames: Sequence[int]
) -> Bake:
    """frames: numbers, rising. Raises AvatarError, RenderError for what can be known at once."""
    if not speaker.users_scene:
        raise AvatarError(f'"{speaker.name}" is in no scene; add it to one to render it.')
    folder, temporary = baked_frames.folder_for(scene, speaker.name)
    path, options = avatar_object.file_of(speaker), scene.hmtalker.frames
    percentage = scene.hmtalker.resolution_percentage
    background = tuple(options.background) if options.use_background else None
    look = baked_frames.Look(options.file_format, background, percentage, speaker.hmtalker.display.mark())
    home, from_scene = avatar_object.home_scene(context, speaker), options.camera == "SCENE"
    if from_scene and home.camera is None:
        raise RenderError(f'The scene "{home.name}" has no camera; add one, or set Camera to Avatar\'s Own.')
    threads = preferences.render_threads(context)
    avatar_object.load(path)  # a damaged file is told at once, not after the frames were gone through
    engine_paths.prepare_kernel_cache()
    moments: dict[int, baked_frames.Moment] = {}

    def collect() -> Iterator[float]:
        walk = motion_state.over_frames(home, speaker, frames)
        try:
            for frame, state in walk:
                placed = camera_view.of_scene(home, speaker, percentage) if from_scene else (None, None)
                moments[frame] = baked_frames.Moment(state, *placed)
                yield 0.0
        finally:
            walk.close()

    def work(job: jobs.Job) -> baked_frames.BakedFrames:
        return baked_frames.render(job, avatar_object.load(path), moments, folder, look, threads)

    return Bake(jobs.Job(f"Rendering {speaker.name}", work, steps=collect()), temporary, percentage)
