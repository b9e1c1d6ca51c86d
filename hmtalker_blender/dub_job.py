# SPDX-License-Identifier: GPL-3.0-or-later
"""Dubbing as a job: which film, which voice, the worker that draws, and the strip that shows the dubbed film."""

from __future__ import annotations

import re
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..engine.errors import HMTalkerError
from ..engine.marking import credentials
from ..engine.worker import process
from ..engine.worker.messages import Message, Progress
from . import (
    avatar_object,
    baked_frames,
    capture_job,
    engine_environment,
    image_strips,
    jobs,
    preferences,
    sound_strips,
    speakers,
    versions,
)

TITLE = "Dubbing"
OWNER_KEY = "hmtalker_dub_of"
"""Strip property: the film and the voice that a dubbed film was made of."""
RATE_OFF = 0.01
"""Frames a second by which a film may differ from the scene."""


@dataclass(frozen=True)
class Dub:
    """A dubbing that was not begun yet, and where its film belongs."""

    job: jobs.Job
    """Its result is what the worker answers."""
    scene: str
    film: str
    owner: str
    content_start: int
    frames: range
    """Of the Sequencer: where both the film is seen and the voice is heard."""


def film_strip(scene: bpy.types.Scene) -> bpy.types.Strip | None:
    """Return the film to be dubbed: the active movie strip, or the only one that is selected, or that there is."""
    return _chosen(scene, [strip for strip in _strips(scene) if strip.type == "MOVIE" and OWNER_KEY not in strip])


def voice_strip(scene: bpy.types.Scene) -> bpy.types.SoundStrip | None:
    """Return the new voice: a sound strip found like the film, but not the film's own sound."""
    film = film_strip(scene)
    own = capture_job.absolute(film.filepath) if film is not None else None
    sounds = [strip for strip in _strips(scene) if strip.type == "SOUND" and strip.sound is not None]
    return _chosen(scene, [strip for strip in sounds if capture_job.absolute(strip.sound.filepath) != own])


def no_dub_reason(context: bpy.types.Context) -> str:
    """Say why nothing can be dubbed now, without a full stop, or return an empty string. Panels ask it when drawn."""
    scene = versions.sequencer_scene(context)
    film, voice = film_strip(scene), voice_strip(scene)
    if reason := jobs.apart_reason():
        return reason
    if film is None:
        return "Select the movie strip that shows the avatar's person"
    if voice is None:
        return "Select the sound strip with the new voice beside the movie strip"
    if speakers.directed_to(context, scene, voice) is None:
        return avatar_object.no_speaker_reason(context, scene)
    if not bpy.data.is_saved:
        return "Save the .blend; the dubbed film is put into its Frames Folder"
    rate = scene.render.fps / scene.render.fps_base
    if abs(film.fps - rate) > RATE_OFF:
        return f"The film has {film.fps:g} frames a second and the scene {rate:g}; set the scene's frame rate to it"
    if len(film.retiming_keys) or film.use_reverse_frames:
        return f'"{film.name}" plays at another speed than it was filmed; remove its retiming'
    return engine_environment.status(context).reason


def make(context: bpy.types.Context) -> Dub:
    """Return the dubbing that the Sequencer asks for. Raises HMTalkerError."""
    if reason := no_dub_reason(context):
        raise HMTalkerError(f"{reason}.")
    scene = versions.sequencer_scene(context)
    film, voice = film_strip(scene), voice_strip(scene)
    speaker = speakers.directed_to(context, scene, voice)
    footage = capture_job.absolute(film.filepath)
    if not footage.is_file():
        raise HMTalkerError(f"There is no film {footage}; choose its file again.")
    audio = sound_strips.prepare(scene, voice)
    start = round(versions.content_start(film))
    frames = range(
        max(versions.left_handle(film), audio.start), min(versions.right_handle(film), audio.start + audio.frames)
    )
    if not frames:
        raise HMTalkerError(f'"{voice.name}" is not heard while "{film.name}" is seen; move one over the other.')
    folder, _temporary = baked_frames.folder_for(scene, "dubbed")
    name = re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", f"{footage.stem} - {voice.name}")
    chosen = scene.hmtalker.dub
    dataset = capture_job.absolute(chosen.dataset) if chosen.dataset.strip() else None
    options = {
        "avatar": str(avatar_object.file_of(speaker)),
        "footage": str(footage),
        "voice": str(folder / f"{name}.wav"),
        "output": str(folder / f"{name}.mp4"),
        "region": chosen.region.lower(),
        "dataset": None if dataset is None else str(dataset),
        "settings": speaker.hmtalker.performance.as_settings(),
        "threads": preferences.render_threads(context),
    }
    python = engine_environment.interpreter(context)
    # The film is signed here, where the certificate and the package for it are, and not by the worker
    variables = engine_environment.variables() | {credentials.CERTIFICATE: "", credentials.KEY: ""}

    def work(job: jobs.Job) -> dict[str, Any]:
        def heard(message: Message) -> None:
            if isinstance(message, Progress):
                share = (message.stage_index + message.share) / message.stages
                job.progress(share, capture_job.as_text(message))

        path = Path(options["voice"])
        _write_voice(path, audio, start, frames.stop)
        try:
            return process.run(python, "dub", options, heard=heard, cancelled=job.cancelled, variables=variables)
        finally:
            path.unlink(missing_ok=True)

    owner = f"{film.name}|{voice.name}"
    return Dub(jobs.Job(TITLE, work, apart=True), scene.name, film.name, owner, start, frames)


def show(dub: Dub, path: Path) -> bpy.types.Strip:
    """Show the dubbed film above everything, where the voice is heard; an earlier one of the same two goes.

    Raises HMTalkerError.
    """
    scene = bpy.data.scenes.get(dub.scene)
    if scene is None:
        raise HMTalkerError(f'The scene "{dub.scene}" was removed meanwhile; the film is {path}.')
    strips = versions.top_level_strips(scene)
    for old in [strip for strip in strips if strip.get(OWNER_KEY) == dub.owner]:
        strips.remove(old)
    channel = image_strips.channel_above(strips, None, dub.frames.start, dub.frames.stop)
    strip = strips.new_movie(
        name=path.stem,
        filepath=str(path),
        channel=image_strips.HIGHEST_CHANNEL,
        frame_start=dub.content_start,
        fit_method="ORIGINAL",
    )
    strip.filepath = image_strips.saved_form(path)
    versions.set_right_handle(strip, dub.frames.stop)
    versions.set_left_handle(strip, dub.frames.start)
    strip.channel = channel
    strip[OWNER_KEY] = dub.owner
    film = scene.sequence_editor.strips_all.get(dub.film)
    if film is not None:
        image_strips.place_like(film, strip)
    strip.mute = False
    return strip


def _write_voice(path: Path, audio: sound_strips.StripAudio, start: int, stop: int) -> None:
    """Write the voice as it lies over the film, from the film's first frame to frame `stop`: 16 kHz, mono, 16 bits."""
    place = round((audio.start - start) / audio.fps * sound_strips.RATE)
    samples, mixed = audio.read(), np.zeros(round((stop - start) / audio.fps * sound_strips.RATE), np.float32)
    heard = samples[max(0, -place) :][: len(mixed) - max(0, place)]
    mixed[max(0, place) :][: len(heard)] = heard
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sound_strips.RATE)
        file.writeframes((np.clip(mixed, -1.0, 1.0) * 32767.0).astype("<i2").tobytes())


def _strips(scene: bpy.types.Scene) -> list[bpy.types.Strip]:
    return list(scene.sequence_editor.strips_all) if scene.sequence_editor is not None else []


def _chosen(scene: bpy.types.Scene, candidates: list[bpy.types.Strip]) -> bpy.types.Strip | None:
    """Return the active one of some strips, or the only one that is selected, or that there is; else None."""
    if not candidates:
        return None
    active = scene.sequence_editor.active_strip
    if active in candidates:
        return active
    selected = [strip for strip in candidates if strip.select] or candidates
    return selected[0] if len(selected) == 1 else None
