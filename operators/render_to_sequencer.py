# SPDX-License-Identifier: GPL-3.0-or-later
"""Render an avatar's performance to frames with alpha, and show them as an image strip."""

from __future__ import annotations

import bpy

from ..engine.errors import RenderError
from ..hmtalker_blender import avatar_object, baked_frames, baking, frame_range, image_strips, jobs, versions
from .animate_strip import chosen_speaker
from .job_operator import JobOperator
from .speaker_operator import SpeakerOperator


class HMT_OT_render_to_sequencer(SpeakerOperator, JobOperator, bpy.types.Operator):
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

    def owners(self, context: bpy.types.Context) -> tuple[bpy.types.ID | None, ...]:
        scene = versions.sequencer_scene(context)
        return scene, bpy.data.objects.get(self.avatar) or avatar_object.speaker(context, scene)

    def prepare(self, context: bpy.types.Context) -> jobs.Job:
        scene = versions.sequencer_scene(context)
        speaker = chosen_speaker(context, scene, self.avatar)
        frames, label = self._frames(scene, speaker)
        bake = baking.prepare(context, scene, speaker, frames)
        self._percentage, self._temporary = bake.percentage, bake.temporary
        self._scene, self._start, self._label = scene.name, frames.start, label
        self._owner = image_strips.owner_of(speaker, label)
        return bake.job

    def _frames(self, scene: bpy.types.Scene, speaker: bpy.types.Object) -> tuple[range, str]:
        """Return the frames to render and the label of their strip."""
        if self.range == "STRIP":
            return frame_range.of_strip_or_scene(scene, speaker, self.strip)
        return frame_range.of_scene(scene, speaker)

    def finish(self, context: bpy.types.Context, result: baked_frames.BakedFrames) -> str:
        scene = bpy.data.scenes.get(self._scene)
        if scene is None:
            raise RenderError(f'The scene "{self._scene}" was removed meanwhile; the frames are in {result.folder}.')
        image_strips.show_frames(
            scene, result.folder, result.names, self._start, self._owner, self._label, self._percentage
        )
        told = f"{result.rendered} of {len(result.names)} frames rendered, the others were up to date"
        if self._temporary:
            self.report(
                {"WARNING"}, "The .blend is not saved, so these frames are temporary; save it and render again."
            )
        return f"{told}; they are in {result.folder}."


CLASSES = (HMT_OT_render_to_sequencer,)
