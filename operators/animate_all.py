# SPDX-License-Identifier: GPL-3.0-or-later
"""Every sound strip of the Sequencer spoken by its speaker, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import bpy

from ..engine.errors import CancelledError, HMTalkerError
from ..hmtalker_blender import (
    animation,
    avatar_object,
    engine_paths,
    jobs,
    meta_strips,
    performing,
    sound_strips,
    speakers,
    strip_following,
    versions,
)
from . import reporting
from .job_operator import JobOperator


class _Queue(NamedTuple):
    """What came of the queue: finished performances, and sentences about strips that could not be spoken."""

    done: list[tuple[performing.Part, performing.Performed]]
    failed: list[str]
    total: int


class HMT_OT_animate_all(JobOperator, bpy.types.Operator):
    """Make every sound strip spoken by its speaker: the chosen one, or whose name the strip, file or channel has"""

    bl_idname = "hmtalker.animate_all"
    bl_label = "Animate All Strips"
    bl_options = {"REGISTER", "UNDO"}

    selected: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Selected Only", description="Only strips that are selected, alone or inside a selected meta strip"
    )
    missing: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Missing Only", description="Leave strips alone that are wholly performed already"
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        if reason := jobs.busy_reason():
            return reason
        if not avatar_object.exist():
            return avatar_object.no_speaker_reason(context, versions.sequencer_scene(context))
        scene = versions.sequencer_scene(context)
        return "" if sound_strips.exist(scene) else sound_strips.no_strip_reason(scene)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)

    def owners(self, context: bpy.types.Context) -> tuple[bpy.types.ID | None, ...]:
        return (versions.sequencer_scene(context),)

    def prepare(self, context: bpy.types.Context) -> jobs.Job:
        scene = versions.sequencer_scene(context)
        pairs = list(self._pairs(context, scene))
        if not pairs:
            what = "selected " if self.selected else ""
            raise HMTalkerError(f"There is no {what}sound strip to be spoken; music and muted strips are left out.")
        engine_paths.prepare_kernel_cache()
        parts: list[performing.Part] = []
        failed: list[str] = []
        return jobs.Job(
            "Animating all strips",
            lambda job: _work(job, parts, failed, len(pairs)),
            _look(context, scene, pairs, parts, failed),
        )

    def _pairs(
        self, context: bpy.types.Context, scene: bpy.types.Scene
    ) -> Iterator[tuple[str, bpy.types.Object | None]]:
        strips = [strip for strip in scene.sequence_editor.strips_all if strip.type == "SOUND"]
        for strip in sorted(strips, key=versions.left_handle):
            chosen = strip.select or any(outer.select for outer in meta_strips.around(scene, strip))
            if not strip.hmtalker.is_speech or meta_strips.is_muted(scene, strip) or (self.selected and not chosen):
                continue
            speaker = speakers.speaker_of(context, scene, strip)
            entry = animation.entry_of(speaker, strip, scene) if speaker is not None else None
            whole = entry is not None and not strip_following.unspoken_reason(entry, scene, strip)
            if not (self.missing and whole):
                yield strip.name, speaker

    def finish(self, context: bpy.types.Context, result: _Queue) -> str:
        for part, performed in result.done:
            scene, speaker = bpy.data.scenes.get(part.scene), bpy.data.objects.get(part.speaker)
            strips = scene.sequence_editor.strips_all if scene is not None and scene.sequence_editor else {}
            if speaker is None or part.strip not in strips:
                result.failed.append(f'"{part.strip}" or its speaker was removed meanwhile.')
                continue
            strip = strips[part.strip]
            animation.write_take(speaker, *performed, strip, scene, part.audio.start, part.audio.frames)
        for sentence in result.failed:
            self.report({"WARNING"}, sentence)
        if not result.done and result.failed:
            raise HMTalkerError(" ".join(result.failed))
        said = f"{len(result.done)} of {result.total} strips are animated"
        if self._job.cancelled():
            return f"Cancelled; {said}, and stay so."
        return f"{said}; {len(result.failed)} could not be." if result.failed else f"{said}."


def _look(
    context: bpy.types.Context,
    scene: bpy.types.Scene,
    pairs: list[tuple[str, bpy.types.Object | None]],
    parts: list[performing.Part],
    failed: list[str],
) -> Iterator[float]:
    """Prepare every strip on the main thread, for a mixdown has to be done there."""
    for number, (name, speaker) in enumerate(pairs):
        try:
            if speaker is None:
                raise HMTalkerError(f'Nobody can tell who speaks "{name}"; choose its speaker in the Sequencer.')
            parts.append(performing.part_of(scene, sound_strips.find(scene, name), speaker))
        except HMTalkerError as error:
            failed.append(str(error))
        yield 0.05 * (number + 1) / len(pairs)


def _work(job: jobs.Job, parts: list[performing.Part], failed: list[str], total: int) -> _Queue:
    done: list[tuple[performing.Part, performing.Performed]] = []
    for number, part in enumerate(parts):
        text = f'"{part.strip}" by {part.speaker} ({number + 1} of {len(parts)})'

        def progress(fraction: float, number: int = number, text: str = text) -> None:
            job.progress(0.05 + 0.95 * (number + fraction) / len(parts), text)

        progress(0.0)
        try:
            done.append((part, performing.perform(part, progress, job.cancelled)))
        except CancelledError:
            break
        except HMTalkerError as error:
            failed.append(str(error))
    if job.cancelled() and not done:
        raise CancelledError("Cancelled; nothing was changed.")
    return _Queue(done, failed, total)


CLASSES = (HMT_OT_animate_all,)
