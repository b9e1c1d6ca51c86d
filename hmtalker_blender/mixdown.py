# SPDX-License-Identifier: GPL-3.0-or-later
"""What one sound strip plays, by Blender's own mixdown: speed keys, animated volume and modifiers included."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import bpy

from ..engine.errors import AudioError
from . import meta_strips, versions

BYTES_PER_SAMPLE = 4
PATIENCE = 20.0
"""Seconds to wait for a mixdown, plus half of what it plays; it takes a few thousandths of that."""


def mix_down(scene: bpy.types.Scene, strip: bpy.types.SoundStrip, start: int, end: int, rate: int) -> Path:
    """Write what the strip alone plays from frame `start` to `end` (not included) to a temporary WAV file, mono.

    Frames before 0 are not in Blender's reach: start is at least 0. Main thread. Raises AudioError.
    """
    handle, name = tempfile.mkstemp(suffix=".wav", dir=bpy.app.tempdir or None)
    os.close(handle)
    path = Path(name)
    samples = (end - start) * scene.render.fps_base / scene.render.fps * rate
    before = scene.frame_start, scene.frame_end, scene.use_preview_range, scene.audio_volume
    parents = meta_strips.around(scene, strip)
    mutes = [(other, other.mute) for other in scene.sequence_editor.strips_all]
    try:
        for other, _mute in mutes:
            other.mute = other != strip and other not in parents and other.type in {"SOUND", "SCENE", "META"}
        scene.frame_start, scene.frame_end = start, end - 1
        scene.use_preview_range, scene.audio_volume = False, 1.0
        with bpy.context.temp_override(**versions.scene_override(scene)):
            bpy.ops.sound.mixdown(
                filepath=name, container="WAV", codec="PCM", format="F32", mixrate=rate, channels="MONO"
            )
        _wait_for(path, samples)
    except (RuntimeError, TimeoutError):
        path.unlink(missing_ok=True)
        raise AudioError(
            f'Blender cannot mix down the strip "{strip.name}"; remove its speed keys, modifiers or volume keys.'
        ) from None
    finally:
        for other, mute in mutes:
            other.mute = mute
        # A start beyond the end would push it, and the other way round
        scene.frame_start = min(before[0], scene.frame_end)
        scene.frame_end, scene.frame_start = before[1], before[0]
        scene.use_preview_range, scene.audio_volume = before[2], before[3]
    return path


def _wait_for(path: Path, samples: float) -> None:
    """Wait until the file is whole: the 5.x application mixes down on a thread of its own after the operator returned.

    Raises TimeoutError.
    """
    import aud

    last, size = -1, 0
    end = time.monotonic() + PATIENCE + samples / 32000
    while time.monotonic() < end:
        last, size = size, path.stat().st_size if path.exists() else 0
        if size == last and size >= int(samples) * BYTES_PER_SAMPLE:
            try:
                if len(aud.Sound(str(path)).cache().data()) >= int(samples):
                    return
            except aud.error:
                pass  # its header is written last
        time.sleep(0.02)
    raise TimeoutError
