# SPDX-License-Identifier: GPL-3.0-or-later
"""Render an avatar's performance to frames with alpha, and show them as an image strip."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from ..engine.errors import AvatarError, RenderError
from ..hmtalker_blender import (
    avatar_object,
    baked_frames,
    engine_paths,
    image_strips,
    jobs,
    motion_state,
    preferences,
    sound_strips,
    versions,
)
from . import reporting
from .animate_strip import chosen_speaker
from .job_operator import JobOperator


class HMT_OT_render_to_sequencer(JobOperator, bpy.types.Operator):
    """Render the avatar with alpha and show it as an image strip; frames that did not change are not rendered again"""

    bl_idname = "hmtalker.render_to_sequencer"
    bl_label = "Render to Sequencer"
    bl_options = {"REGISTER", "UNDO"}

    strip: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Strip", description="Sound strip whose length to render; empty for the active one", options={"SKIP_SAVE"}
    )
    avatar: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Avatar", description="Avatar object to render; empty for the scene's", options={"SKIP_SAVE"}
    )
    range: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Range",
        items=(
            ("STRIP", "Strip", "The length of the sound strip, or the scene where there is none"),
            ("SCENE", "Scene", "The frame range of the Sequencer's scene"),
        ),
        default="STRIP",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        return jobs.busy_reason() or avatar_object.no_speaker_reason(context, versions.sequencer_scene(context))

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if jobs.running or not avatar_object.exist():
            return reporting.allow(cls, context)
        return True  # a script may name the avatar; panels grey the button out with `disabled_reason`

    def owners(self, context: bpy.types.Context) -> tuple[bpy.types.ID | None, ...]:
        scene = versions.sequencer_scene(context)
        return scene, bpy.data.objects.get(self.avatar) or avatar_object.speaker(context, scene)

    def prepare(self, context: bpy.types.Context) -> jobs.Job:
        scene = versions.sequencer_scene(context)
        speaker = chosen_speaker(context, scene, self.avatar)
        if not speaker.users_scene:
            raise AvatarError(f'"{speaker.name}" is in no scene; add it to one to render it.')
        frames, label = self._frames(scene, speaker)
        folder, self._temporary = baked_frames.folder_for(scene, speaker.name)
        path, percentage = avatar_object.file_of(speaker), scene.hmtalker.resolution_percentage
        threads = preferences.render_threads(context)
        avatar_object.load(path)  # a damaged file is told at once, not after the frames were gone through
        engine_paths.prepare_kernel_cache()
        self._scene, self._start, self._label = scene.name, frames.start, label
        self._owner = f"{speaker.name}|{label}"
        states: dict[int, motion_state.MotionState] = {}

        def collect() -> Iterator[float]:
            walk = motion_state.over_frames(avatar_object.home_scene(context, speaker), speaker, frames)
            try:
                for frame, state in walk:
                    states[frame] = state
                    yield 0.0
            finally:
                walk.close()

        def work(job: jobs.Job) -> baked_frames.BakedFrames:
            return baked_frames.render(job, avatar_object.load(path), states, folder, percentage, threads)

        return jobs.Job(f"Rendering {speaker.name}", work, steps=collect())

    def _frames(self, scene: bpy.types.Scene, speaker: bpy.types.Object) -> tuple[range, str]:
        """Return the frames to render and the label of their strip."""
        if self.range == "STRIP" and (self.strip or sound_strips.active(scene) is not None):
            strip = sound_strips.find(scene, self.strip)
            frames = range(versions.left_handle(strip), versions.right_handle(strip))
            label = f"{speaker.name}: {strip.name}"
        else:
            frames, label = range(scene.frame_start, scene.frame_end + 1), speaker.name
        if len(frames) == 0:
            raise RenderError("There are no frames in this range; set the scene's start and end.")
        return frames, label

    def finish(self, context: bpy.types.Context, result: baked_frames.BakedFrames) -> str:
        scene = bpy.data.scenes.get(self._scene)
        if scene is None:
            raise RenderError(f'The scene "{self._scene}" was removed meanwhile; the frames are in {result.folder}.')
        image_strips.show_frames(scene, result.folder, result.names, self._start, self._owner, self._label)
        told = f"{result.rendered} of {len(result.names)} frames rendered, the others were up to date"
        if self._temporary:
            self.report(
                {"WARNING"}, "The .blend is not saved, so these frames are temporary; save it and render again."
            )
        return f"{told}; they are in {result.folder}."


CLASSES = (HMT_OT_render_to_sequencer,)
