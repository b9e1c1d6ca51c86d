# SPDX-License-Identifier: GPL-3.0-or-later
"""From a strip's sound to a take and its bytes: what every way of animating does on its worker thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import bpy

from ..engine.errors import AvatarError, CancelledError
from . import avatar_object, sound_strips

if TYPE_CHECKING:
    from ..engine.take import Take


class Performed(NamedTuple):
    """A performance to be written into the .blend."""

    take: Take
    data: bytes


class Part(NamedTuple):
    """Who speaks which strip, and all that is needed to do so away from Blender's data."""

    scene: str
    strip: str
    speaker: str
    audio: sound_strips.StripAudio
    avatar_path: Path
    settings: dict[str, Any]


def part_of(scene: bpy.types.Scene, strip: bpy.types.SoundStrip, speaker: bpy.types.Object) -> Part:
    """Look at everything on the main thread. Raises AudioError or AvatarError with what is in the way."""
    if not speaker.is_editable:
        raise AvatarError(f'"{speaker.name}" is linked from another file; make a library override of it first.')
    path = avatar_object.file_of(speaker)
    audio = sound_strips.prepare(scene, strip)
    return Part(scene.name, strip.name, speaker.name, audio, path, speaker.hmtalker.performance.as_settings())


def perform(part: Part, progress: Callable[[float], Any], cancelled: Callable[[], bool]) -> Performed:
    """Animate one part. Any thread. Raises HMTalkerError."""
    from ..engine.take import AnimateSettings, animate

    samples = part.audio.read()
    avatar = avatar_object.load(part.avatar_path).avatar
    settings = AnimateSettings(**part.settings)
    take = animate(avatar, samples, settings=settings, progress=progress, cancelled=cancelled)
    data = take.to_bytes()
    if cancelled():
        raise CancelledError("Cancelled; nothing was changed.")
    return Performed(take, data)
