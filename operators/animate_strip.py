# SPDX-License-Identifier: GPL-3.0-or-later
"""Make an avatar speak a sound strip."""

from __future__ import annotations

import bpy

from ..engine.errors import AudioError, AvatarError
from ..hmtalker_blender import (
    animation,
    avatar_object,
    engine_paths,
    jobs,
    meta_strips,
    performing,
    sound_strips,
    speakers,
    versions,
)
from .job_operator import JobOperator
from .speaker_operator import SpeakerOperator


def chosen_speaker(
    context: bpy.types.Context, scene: bpy.types.Scene, name: str, strip: bpy.types.SoundStrip | None = None
) -> bpy.types.Object:
    """Return the avatar object of that name, or the strip's chosen speaker, or whoever speaks in the scene.

    Raises AvatarError with what to do.
    """
    if name:
        named = bpy.data.objects.get(name)
        if named is None or not named.hmtalker.is_avatar:
            raise AvatarError(f'"{name}" is not a talking avatar; add one with Add > Talking Avatar.')
        return named
    speaker = speakers.directed_to(context, scene, strip)
    if speaker is None:
        raise AvatarError(avatar_object.no_speaker_reason(context, scene) + ".")
    return speaker


def no_performance_reason(context: bpy.types.Context) -> str:
    """Say why the active strip cannot be spoken, or its performance removed, now; or return an empty string."""
    scene = versions.sequencer_scene(context)
    nobody = speakers.directed_to(context, scene, sound_strips.active(scene)) is None
    return (
        jobs.busy_reason()
        or (avatar_object.no_speaker_reason(context, scene) if nobody else "")
        or sound_strips.no_strip_reason(scene)
    )


class AnimateOperator(SpeakerOperator, JobOperator):
    """What every operator shares that makes an avatar speak. Not registered itself."""

    strip: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Strip", description="Sound strip to speak; empty for the active one", options={"SKIP_SAVE"}
    )
    avatar: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Avatar", description="Avatar object that speaks; empty for the scene's", options={"SKIP_SAVE"}
    )

    def owners(self, context: bpy.types.Context) -> tuple[bpy.types.ID | None, ...]:
        scene = versions.sequencer_scene(context)
        speaker = bpy.data.objects.get(self.avatar) or speakers.directed_to(context, scene, sound_strips.active(scene))
        return scene, speaker

    def prepare(self, context: bpy.types.Context) -> jobs.Job:
        scene = versions.sequencer_scene(context)
        strip = sound_strips.find(scene, self.strip)
        part = performing.part_of(scene, strip, chosen_speaker(context, scene, self.avatar, strip))
        self._part = part
        engine_paths.prepare_kernel_cache()

        def work(job: jobs.Job) -> performing.Performed:
            job.progress(0.0, "Listening to the speech (the first time takes a little longer)")
            return performing.perform(part, job.progress, job.cancelled)

        return jobs.Job(f"Animating {strip.name}", work)

    def finish(self, context: bpy.types.Context, result: performing.Performed) -> str:
        scene_name, strip_name, speaker_name = self._part.scene, self._part.strip, self._part.speaker
        scene, speaker = bpy.data.scenes.get(scene_name), bpy.data.objects.get(speaker_name)
        if scene is None or scene.sequence_editor is None or strip_name not in scene.sequence_editor.strips_all:
            raise AudioError(f'The strip "{strip_name}" was removed while it was being animated.')
        if speaker is None:
            raise AvatarError(f'The avatar "{speaker_name}" was removed while it was being animated.')
        strip = scene.sequence_editor.strips_all[strip_name]
        kept = animation.write_take(speaker, *result, strip, scene, self._part.audio.start, self._part.audio.frames)
        if kept:
            self.report({"WARNING"}, f'Keys of the earlier performance were edited by hand; it is kept as "{kept}".')
        for warning in result.take.warnings:
            self.report({"WARNING"}, warning)
        if scene.hmtalker.avatar is None:
            scene.hmtalker.avatar = speaker
        return f'{speaker.name} speaks "{strip_name}".'


class HMT_OT_animate_from_strip(AnimateOperator, bpy.types.Operator):
    """Make the avatar speak the active sound strip, in a layer under the keys made by hand"""

    bl_idname = "hmtalker.animate_from_strip"
    bl_label = "Animate from Strip"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        if reason := no_performance_reason(context):
            return reason
        scene = versions.sequencer_scene(context)
        muted = meta_strips.is_muted(scene, sound_strips.active(scene))
        return "The strip is muted, or its channel is; unmute it to animate from it" if muted else ""

    @classmethod
    def nothing_to_name(cls, context: bpy.types.Context) -> bool:
        return super().nothing_to_name(context) or not sound_strips.exist(versions.sequencer_scene(context))


CLASSES = (HMT_OT_animate_from_strip,)
