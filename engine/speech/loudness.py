# SPDX-License-Identifier: GPL-3.0-or-later
"""How loud the speech is: level per 20 ms, per video frame, and the gain that makes recordings comparable."""

from __future__ import annotations

import numpy as np

SAMPLE_RATE = 16_000
BLOCK = 320
"""20 ms at 16 kHz."""
TARGET_DB = -20.0
"""Level, in dB relative to full scale, that the loud parts of normalised speech have."""
SILENCE_DB = -80.0
"""A file whose loud parts are below this has no speech in it."""
ACTIVE_RANGE_DB = 40.0
FLOOR_DB = -120.0


def block_levels(samples: np.ndarray, hop: int = BLOCK, length: int = BLOCK) -> np.ndarray:
    """RMS level in dBFS of blocks of `length` samples every `hop`, float32 [ceil(n / hop)], never below -120."""
    n = len(samples)
    count = -(-n // hop)
    if count == 0:
        return np.zeros(0, np.float32)
    power = np.empty(count, np.float64)
    span = max(1, 1_000_000 // hop)  # bounds the temporary arrays for an hour of sound
    for begin in range(0, count, span):
        size = min(span, count - begin)
        # float64: the gain must be the same to the last bit on every machine
        part = np.asarray(samples[begin * hop : (begin + size - 1) * hop + length], np.float64)
        part = np.pad(part, (0, (size - 1) * hop + length - len(part)))
        if hop == length:
            blocks = part.reshape(size, length)
        else:
            blocks = np.lib.stride_tricks.sliding_window_view(part, length)[::hop]
        power[begin : begin + size] = np.einsum("ij,ij->i", blocks, blocks) / length
    return np.maximum(10.0 * np.log10(np.maximum(power, 1e-12)), FLOOR_DB).astype(np.float32)


def speech_level(levels: np.ndarray) -> float:
    """Level in dBFS of the loud parts: the 95th percentile of the block levels that are not long silence.

    Blocks 40 dB under the loudest 0.2 s are left out, so one word in a minute of silence is measured as a word; a
    click shorter than that does not count as loudest.
    """
    if len(levels) == 0:
        return FLOOR_DB
    rank = min(10, max(1, len(levels) // 10))
    top = np.partition(levels, len(levels) - rank)[len(levels) - rank]
    return float(np.percentile(levels[levels >= top - ACTIVE_RANGE_DB], 95.0))


def speech_gain(samples: np.ndarray) -> float:
    """Factor that brings the speech level of `samples` to -20 dBFS; 1 if there is nothing to hear."""
    level = speech_level(block_levels(samples))
    if level < SILENCE_DB:
        return 1.0
    return float(10.0 ** ((TARGET_DB - level) / 20.0))


def frame_loudness(samples: np.ndarray, fps: float, frames: int) -> np.ndarray:
    """Loudness of each video frame in dB relative to the file's speech level, float32 [frames] (about -100 .. +6).

    Each value is the RMS of the frame's own span, at least 20 ms of it; frames past the end of the sound are -120.
    """
    samples = np.asarray(samples, np.float32)
    level = speech_level(block_levels(samples))
    if level < SILENCE_DB or frames <= 0:
        return np.full(max(frames, 0), FLOOR_DB, np.float32)
    span = SAMPLE_RATE / fps
    length = max(BLOCK, round(span))
    centres = (np.arange(frames) + 0.5) * span
    low = np.clip(np.round(centres - length / 2), 0, len(samples)).astype(np.int64)
    high = np.clip(np.round(centres + length / 2), 0, len(samples)).astype(np.int64)
    power = np.empty(frames, np.float64)
    for begin in range(0, frames, 1000):  # bounds the temporary arrays for an hour of sound
        of = slice(begin, begin + 1000)
        first, last = low[of][0], high[of][-1]
        total = np.concatenate([[0.0], np.cumsum(np.square(samples[first:last], dtype=np.float64))])
        power[of] = (total[high[of] - first] - total[low[of] - first]) / length
    decibel = 10.0 * np.log10(np.maximum(power, 1e-12)) - level
    decibel[low >= len(samples)] = FLOOR_DB
    return np.maximum(decibel, FLOOR_DB).astype(np.float32)
