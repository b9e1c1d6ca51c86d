# SPDX-License-Identifier: GPL-3.0-or-later
"""The sound of a video as a mono 16 kHz .wav file whose first sample is heard with the first picture.

Written while it is decoded, so that memory does not grow with the length; gaps in the track become silence, and what
lies before the first picture is left out.
"""

from __future__ import annotations

import os
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..speech.audio_file import SAMPLE_RATE
from .errors import CaptureError
from .video_file import FPS, VideoInfo, decoded

SAMPLES_PER_FRAME = round(SAMPLE_RATE / FPS)
"""640 of 16 kHz a picture of 25 fps."""
LARGEST_SLIP = 0.04
"""Seconds by which time stamps may stray from the samples counted before a gap is taken for real."""


def write_sound(info: VideoInfo, path: Path, heard: Callable[[float], None] | None = None) -> float:
    """Decode the sound of `info` into the 16-bit file `path`, whole or not at all; returns its length in seconds.

    heard: told the seconds of each block; what it raises, to cancel, ends the work. Raises :class:`CaptureError` for
    a video without sound or with a damaged track; OSError where the disk is full.
    """
    if not info.sound_rate:
        raise CaptureError(
            f"'{info.path.name}' has no audio track: the avatar learns to speak from sound; film with sound, or leave "
            "this file out."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    count = 0
    try:
        # wave does not say where an error happened, so the file is opened here
        with part.open("wb") as raw:
            with wave.open(raw, "wb") as out:
                out.setnchannels(1)
                out.setsampwidth(2)
                out.setframerate(SAMPLE_RATE)
                for block in _samples(info):
                    out.writeframes((np.clip(block, -1, 1) * 32767).round().astype("<i2").tobytes())
                    count += len(block)
                    if heard is not None:
                        heard(len(block) / SAMPLE_RATE)
            raw.flush()
        if count:
            os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    if not count:
        raise CaptureError(f"The audio track of '{info.path.name}' holds no sound that can be decoded; film it again.")
    return count / SAMPLE_RATE


def read_sound(path: Path, first: int, frames: int) -> np.ndarray:
    """float32 [frames * 640]: the sound of the grid frames from `first` on, silence where the file has ended."""
    out = np.zeros(frames * SAMPLES_PER_FRAME, np.float32)
    with wave.open(str(path), "rb") as file:
        start = min(first * SAMPLES_PER_FRAME, file.getnframes())
        file.setpos(start)
        data = np.frombuffer(file.readframes(len(out)), "<i2")
    out[: len(data)] = data / np.float32(32768)
    return out


def _samples(info: VideoInfo) -> Iterator[np.ndarray]:
    """Blocks of mono 16 kHz float32, from the moment of the first picture on."""
    import av

    with av.open(str(info.path)) as container:
        stream = container.streams.audio[0]
        resampler: Any = None
        done = 0  # samples handed on, counted from the first picture
        for frame in decoded(container, stream):
            if not frame.samples:
                continue
            moment = float(frame.pts * (frame.time_base or stream.time_base)) - info.start
            gap = round(moment * SAMPLE_RATE) - done
            if done and abs(gap) <= LARGEST_SLIP * SAMPLE_RATE:
                gap = 0  # the beginning is placed exactly, later stamps are rounded
            if resampler is None:
                # In the file's own channels: a resampler that mixes them to one makes stereo 3 dB louder.
                resampler = av.AudioResampler(format="fltp", layout=frame.layout.name, rate=SAMPLE_RATE)
            for piece in resampler.resample(frame):
                block = _mono(piece)
                if gap > 0:
                    yield from _silence(gap)
                    done += gap
                block = block[max(0, -gap) :]
                gap = 0
                if len(block):
                    yield block
                    done += len(block)
        for piece in resampler.resample(None) if resampler is not None else ():
            yield _mono(piece)


def _mono(piece: Any) -> np.ndarray:
    """float32 [n]: the mean of the channels, without anything that is not a number."""
    return np.nan_to_num(piece.to_ndarray().mean(0, dtype=np.float32), posinf=0.0, neginf=0.0)


def _silence(count: int) -> Iterator[np.ndarray]:
    """In blocks: a broken time stamp may claim hours."""
    left = min(count, 12 * 3600 * SAMPLE_RATE)
    while left > 0:
        size = min(left, SAMPLE_RATE)
        yield np.zeros(size, np.float32)
        left -= size
