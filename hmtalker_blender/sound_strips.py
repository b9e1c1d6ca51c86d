# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sound strip plays, as mono 16 kHz samples: trims, offset, speed and volume included.

A plain strip is decoded by Audaspace on a worker thread, which gives sample for sample what Blender's own mixdown does.
A strip with speed keys, sound modifiers or animated volume goes through that mixdown, so that what is heard is what is
spoken in every case.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from ..engine.errors import AudioError
from ..engine.speech.audio_file import MAX_SECONDS
from . import meta_strips, versions
from .animation import frames_per_second
from .mixdown import mix_down

RATE = 16000
"""Samples per second that the speech encoder hears."""

RESAMPLE_MEDIUM = 2
"""Audaspace's medium quality, the one that Blender's own mixdown uses."""


@dataclass(frozen=True)
class StripAudio:
    """A strip's place on the timeline, and the way to its samples."""

    start: int
    """First frame."""
    frames: int
    """Number of frames."""
    fps: float
    read: Callable[[], np.ndarray]
    """Returns float32 [round(frames / fps * 16000)]; may be called once, on any thread. Raises AudioError."""


def active(scene: bpy.types.Scene) -> bpy.types.SoundStrip | None:
    """Return the Sequencer's active strip if it is a sound, else the scene's only sound strip, else None."""
    editor = scene.sequence_editor
    if editor is None:
        return None
    if editor.active_strip is not None and editor.active_strip.type == "SOUND":
        return editor.active_strip
    sounds = [strip for strip in editor.strips_all if strip.type == "SOUND"]
    return sounds[0] if len(sounds) == 1 else None


def exist(scene: bpy.types.Scene) -> bool:
    """Say whether the scene's Sequencer holds any sound strip."""
    editor = scene.sequence_editor
    return editor is not None and any(strip.type == "SOUND" for strip in editor.strips_all)


def several(scene: bpy.types.Scene) -> bool:
    """Say whether the scene's Sequencer holds more than one sound strip."""
    editor = scene.sequence_editor
    return editor is not None and sum(strip.type == "SOUND" for strip in editor.strips_all) > 1


def no_strip_reason(scene: bpy.types.Scene) -> str:
    """Say why no sound strip can be used, or return an empty string when one can."""
    if active(scene) is not None:
        return ""
    if not exist(scene):
        return "There is no sound strip in the Sequencer; add one or use the speech sample"
    return "Select the sound strip to be spoken in the Sequencer"


def find(scene: bpy.types.Scene, name: str) -> bpy.types.SoundStrip:
    """Return the sound strip of that name, or the active one when the name is empty. Raises AudioError."""
    if not name:
        reason = no_strip_reason(scene)
        if reason:
            raise AudioError(reason + ".")
        return active(scene)
    strip = scene.sequence_editor.strips_all.get(name) if scene.sequence_editor is not None else None
    if strip is None:
        raise AudioError(f'There is no strip "{name}" in the Sequencer of "{scene.name}"; select one and try again.')
    if strip.type != "SOUND":
        raise AudioError(f'The strip "{name}" is not a sound; select a sound strip.')
    return strip


def prepare(scene: bpy.types.Scene, strip: bpy.types.SoundStrip) -> StripAudio:
    """Look at the strip on the main thread; the samples are read later, by `StripAudio.read`.

    Raises AudioError when the strip's file is gone, it is too long, or nothing of it is heard.
    """
    (start, end), fps = meta_strips.heard_range(scene, strip), frames_per_second(scene)
    name, length = strip.name, round((end - start) / fps * RATE)
    if end <= start:
        raise AudioError(f'The strip "{name}" lies outside of what its meta strip plays; extend the meta strip.')
    if length > MAX_SECONDS * RATE:
        raise AudioError(f'The strip "{name}" is longer than {MAX_SECONDS / 3600:.0f} hours; animate it in parts.')
    if meta_strips.is_muted(scene, strip):
        raise AudioError(f'The strip "{name}" is muted, or its channel is; unmute it to animate from it.')
    path, temporary = _file_of(strip)
    volume, volume_animated = meta_strips.volume(scene, strip), _volume_is_animated(scene, strip)
    if volume == 0.0 and not volume_animated:
        _discard(path, temporary)
        raise AudioError(f'The strip "{name}" is silent because its volume is 0; raise it to animate from it.')
    if volume_animated or len(strip.retiming_keys) > 0 or len(strip.modifiers) > 0:
        _discard(path, temporary)
        first = max(start, 0)
        path, temporary = mix_down(scene, strip, first, end, RATE), True
        skip, volume = (start - first) / fps, 1.0
    else:
        skip = (start - versions.content_start(strip)) / fps - strip.sound_offset

    def read() -> np.ndarray:
        try:
            samples = _decode(path, name, skip, length)
        finally:
            _discard(path, temporary)
        _refuse_silence(samples, name)
        return samples if volume == 1.0 else samples * np.float32(volume)

    return StripAudio(start=start, frames=end - start, fps=fps, read=read)


def add(scene: bpy.types.Scene, path: Path, name: str, start: int) -> bpy.types.SoundStrip:
    """Add a sound strip in the lowest channel that is free over its whole length, and make it active."""
    strips = versions.top_level_strips(scene)
    highest = max((strip.channel for strip in strips), default=0)
    strip = strips.new_sound(name=name, filepath=str(path), channel=highest + 1, frame_start=start)
    end = versions.right_handle(strip)
    for channel in range(1, highest + 1):
        taken = [s for s in strips if s.channel == channel and s != strip]
        if all(versions.right_handle(s) <= start or versions.left_handle(s) >= end for s in taken):
            strip.channel = channel
            break
    for other in scene.sequence_editor.strips_all:
        other.select = other == strip
    scene.sequence_editor.active_strip = strip
    return strip


def _file_of(strip: bpy.types.SoundStrip) -> tuple[Path, bool]:
    """Return the sound's file, and whether it is a temporary copy of a packed sound."""
    sound = strip.sound
    if sound is None:
        raise AudioError(f'The strip "{strip.name}" has no sound; add the sound again.')
    if sound.packed_file is not None:
        # Audaspace takes decoded samples or a file, so a packed file goes through a temporary one
        handle, path = tempfile.mkstemp(suffix=Path(sound.filepath).suffix or ".wav", dir=bpy.app.tempdir or None)
        with os.fdopen(handle, "wb") as file:
            file.write(sound.packed_file.data)
        return Path(path), True
    path = Path(bpy.path.abspath(sound.filepath, library=sound.library))
    if not path.is_file():
        raise AudioError(f'The file of the strip "{strip.name}" is gone: {path}; put it back or choose another.')
    return path, False


def _decode(path: Path, name: str, skip: float, length: int) -> np.ndarray:
    """Return float32 [length], from `skip` seconds into the file; before its beginning and after its end is silence."""
    import aud

    begin = max(skip, 0.0)
    try:
        sound = aud.Sound(str(path))
        # Through a cache: in 4.5 an error inside `data` ends the process, while one inside `cache` is raised
        decoded = sound.rechannel(1).resample(RATE, RESAMPLE_MEDIUM).limit(begin, begin + length / RATE).cache().data()
        empty = len(decoded) == 0 and sound.length <= 0
    except aud.error:
        raise AudioError(
            f'The sound of the strip "{name}" cannot be read: {path.name} is no audio that Blender knows.'
        ) from None
    samples = np.asarray(decoded, np.float32).reshape(-1)
    if empty:
        raise AudioError(f'The sound of the strip "{name}" is empty: {path.name} holds no audio.')
    if begin == skip and len(samples) == length:
        return samples  # hours of sound need not lie in memory twice
    played = np.zeros(length, np.float32)
    late = min(round(max(-skip, 0.0) * RATE), length)
    heard = samples[: length - late]
    played[late : late + len(heard)] = heard
    return played


AUDIBLE = 1e-3
"""Highest sample, of full scale, below which a recording holds nothing to speak: -60 dB."""


def _refuse_silence(samples: np.ndarray, name: str) -> None:
    if samples.size == 0 or float(np.abs(samples).max()) < AUDIBLE:
        raise AudioError(f'The strip "{name}" is silent; there is nothing to speak in it.')


def _volume_is_animated(scene: bpy.types.Scene, strip: bpy.types.SoundStrip) -> bool:
    path = strip.path_from_id("volume")
    animation = scene.animation_data
    driven = animation is not None and any(curve.data_path == path for curve in animation.drivers)
    return driven or any(curve.data_path == path for curve in versions.action_fcurves(scene))


def _discard(path: Path, temporary: bool) -> None:
    if temporary:
        path.unlink(missing_ok=True)
