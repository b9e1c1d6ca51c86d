# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound of the sources and encoded speech of the clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..atomic_file import write_atomically
from ..speech.silence import speech_gate
from ..speech.whisper_onnx import WhisperEncoder, find_model
from .array_file import array_bytes
from .errors import CaptureError
from .journal import Journal, digest
from .pieces import Clip, Source
from .sound_track import read_sound, write_sound
from .video_file import FPS

SILENT_GATE = 0.05
"""Below this the gate of ``speech.silence`` says that the mouth rests."""
VERSION = 1


def sound_file(folder: Path, source: Source) -> Path:
    """Where a source's sound is, 16 kHz mono, from the first picture on."""
    return folder / "audio" / f"{source.name}.wav"


def speech_file(folder: Path, clip: Clip) -> Path:
    """Where a clip's encoded speech is, float16 [draws, T50, 1152]."""
    return folder / "speech" / f"{clip.name}.npy"


def extract_sound(journal: Journal, sources: Sequence[Source], advance: Callable[..., None]) -> None:
    """Write the sound of every source; advances by seconds."""
    for source in sources:
        path, inputs = sound_file(journal.folder, source), digest(VERSION, source.digest)
        if not journal.is_done(f"sound/{source.name}", inputs, path):
            write_sound(source.info, path, advance)
            journal.mark(f"sound/{source.name}", inputs)
        else:
            advance(source.info.seconds, source.name)


def encode_speech(
    journal: Journal, sources: Sequence[Source], clips: Sequence[Clip], threads: int, advance: Callable[..., None]
) -> str:
    """Write the encoded speech of every clip; advances by its frames. Returns the encoder's sha256."""
    from .speech_draws import encode_draws

    encoder = WhisperEncoder(find_model(), threads=threads)
    for clip in clips:
        source = sources[clip.source]
        path = speech_file(journal.folder, clip)
        inputs = digest(VERSION, source.digest, clip.begin, clip.end, encoder.sha256)
        if not journal.is_done(f"speech/{clip.name}", inputs, path):
            samples = read_sound(sound_file(journal.folder, source), clip.begin, clip.frames)
            # the same draws whether this clip is encoded first or after a cancelled run
            rng = np.random.default_rng(int(inputs[:16], 16))
            write_atomically(path, array_bytes(encode_draws(samples, encoder, rng)))
            journal.mark(f"speech/{clip.name}", inputs)
        advance(clip.frames, clip.name)
    return encoder.sha256


def silent_frames(folder: Path, sources: Sequence[Source], clips: Sequence[Clip]) -> np.ndarray:
    """bool [T]: nobody speaks in these frames of the clips, one clip after the other."""
    gates = []
    for clip in clips:
        samples = read_sound(sound_file(folder, sources[clip.source]), clip.begin, clip.frames)
        gates.append(speech_gate(samples, FPS, clip.frames) < SILENT_GATE)
    if not gates:
        raise CaptureError("No clip is long enough to learn from; film one take of some minutes without a cut.")
    return np.concatenate(gates)
