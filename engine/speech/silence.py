# SPDX-License-Identifier: GPL-3.0-or-later
"""When the mouth should rest: a gate that is 1 in speech and 0 in pauses.

A motion model alone keeps the mouth moving through many pauses of recordings that sound unlike its training video, so
the engine moves to the avatar's rest pose where this gate says so. It looks ahead (the sound is a file): a mouth closes
while the sound dies away and opens a little before it comes back, never the other way round.
"""

from __future__ import annotations

import numpy as np

from .log_mel import spectra
from .loudness import FLOOR_DB, SAMPLE_RATE, SILENCE_DB, frame_loudness, speech_level

HOP = 160
"""10 ms at 16 kHz: the gate's own clock."""
STEPS_PER_SECOND = SAMPLE_RATE // HOP
LENGTH = 320
LOW_HZ, HIGH_HZ = 300.0, 6000.0
"""The band in which speech is looked for."""

PAUSE_DB = -24.0
"""Below this, relative to the speech level, nobody speaks."""
LOUD_DB = -16.0
"""Above this somebody surely does."""
NOISE_MARGIN_DB = 3.0
SHORTEST_PAUSE = 0.15
"""Seconds; shorter gaps are plosive closures or lie between words, and the mouth stays as it is."""
SHORTEST_SOUND = 0.05
"""Seconds; shorter and not loud sounds inside a pause are clicks."""
LOOK_AHEAD = 0.3
"""Seconds by which a mouth may begin to open before the sound does: speakers part their lips that early."""
RELEASE = 0.12
"""Seconds after the end of a sound until the mouth is at rest."""
_SHARE = 0.4
"""Largest part of a pause that may go into opening, and again into closing."""
_STATIONARY_SECONDS = 0.3
_STATIONARY_DB = 2.5
_LOUDEST_NOISE_DB = -8.0
_QUIET_PERCENT = 5.0
_BELOW_NOISE_DB = 4.0
_QUIETEST_NOISE_DB = -60.0
_STEADY_DB = 3.0
_BLOCK = 8192


def speech_gate(samples: np.ndarray, fps: float, frames: int) -> np.ndarray:  # [n] 16 kHz -> [frames] float32, 0..1
    """1 where `samples` speak, 0 where the mouth rests, sampled at the centres of `frames` video frames.

    Works on a background of constant noise, whose level is estimated; a file that is silent, or nothing but
    constant noise, gives 0 everywhere, as do frames past the end of the sound.
    """
    if frames <= 0:
        return np.zeros(0, np.float32)
    samples = np.asarray(samples, np.float32)
    levels = band_levels(samples)
    reference = speech_level(levels)
    if reference < SILENCE_DB or _is_steady(levels):
        return np.zeros(frames, np.float32)
    relative = levels - reference
    pause_db = max(PAUSE_DB, noise_floor(relative) + NOISE_MARGIN_DB)
    loud_db = max(LOUD_DB, pause_db + 3.0)
    speaking = _clean(relative, pause_db, loud_db)
    gate = _ease(speaking)

    times = (np.arange(frames) + 0.5) / fps * STEPS_PER_SECOND
    sampled = np.interp(times, np.arange(len(gate)), gate, right=0.0)
    # a frame may be loud in its second half only: it is open all the same
    loud = frame_loudness(samples, fps, frames) > loud_db
    nearest = np.clip(np.round(times).astype(np.int64), 0, len(gate) - 1)
    half = max(1, round(0.5 * STEPS_PER_SECOND / fps))
    near_speech = _spread(speaking, half)[nearest]
    return np.where(loud & near_speech, 1.0, sampled).astype(np.float32)


def band_levels(samples: np.ndarray) -> np.ndarray:  # [n] 16 kHz -> [ceil(n / 160)] float32
    """Level in dBFS of the band of speech every 10 ms, each over 20 ms centred on its step; never below -120.

    Rumble, hum and handling noise lie below 300 Hz and can be louder than the voice in the whole spectrum.
    """
    samples = np.asarray(samples, np.float32)
    count = -(-len(samples) // HOP)
    frequency = np.fft.rfftfreq(LENGTH, 1.0 / SAMPLE_RATE)
    with np.errstate(divide="ignore"):
        weight = 1.0 / ((1.0 + (LOW_HZ / frequency) ** 6) * (1.0 + (frequency / HIGH_HZ) ** 6))
    # power of a windowed block -> mean square of the samples: both halves of the spectrum, and the Hann window's 3/8
    weight *= 2.0 / LENGTH**2 / 0.375
    out = np.empty(count, np.float32)
    for begin in range(0, count, _BLOCK):
        size = min(_BLOCK, count - begin)
        spectrum = spectra(samples, begin, size, LENGTH, HOP)
        power = (spectrum.real**2 + spectrum.imag**2) @ weight
        out[begin : begin + size] = np.maximum(10.0 * np.log10(np.maximum(power, 1e-12)), FLOOR_DB)
    return out


def noise_floor(relative: np.ndarray) -> float:  # [steps] dB
    """Level of a constant background in dB relative to the speech, or -120 if there is none to be found.

    Where the level hardly moves for 0.3 s, and almost nothing in the file is quieter, nobody speaks. Digital silence,
    the padding of an export, is not a background.
    """
    heard = relative[relative > _QUIETEST_NOISE_DB]
    size = int(_STATIONARY_SECONDS * STEPS_PER_SECOND)
    if len(heard) < size:
        return FLOOR_DB
    windows = np.lib.stride_tricks.sliding_window_view(relative, size)[:: size // 6]
    means = windows.mean(axis=1)
    quiet = np.percentile(heard, _QUIET_PERCENT) + _BELOW_NOISE_DB
    in_range = (means > _QUIETEST_NOISE_DB) & (means < min(quiet, _LOUDEST_NOISE_DB))
    steady = in_range & (windows.std(axis=1) < _STATIONARY_DB)
    return float(np.median(means[steady])) if steady.any() else FLOOR_DB


def _is_steady(levels: np.ndarray) -> bool:
    """Whether a file of a second or more is one constant noise: no speech has so even a level."""
    if len(levels) < STEPS_PER_SECOND:
        return False
    low, high = np.percentile(levels, [5.0, 95.0])
    return bool(high - low < _STEADY_DB)


def _clean(relative: np.ndarray, pause_db: float, loud_db: float) -> np.ndarray:
    """Steps that belong to speech, bool: threshold, then drop clicks, then close short gaps."""
    speaking = relative > pause_db
    for start, stop in _runs(speaking):
        if stop - start < SHORTEST_SOUND * STEPS_PER_SECOND and relative[start:stop].max() < loud_db:
            speaking[start:stop] = False
    for start, stop in _runs(~speaking):
        inside = start > 0 and stop < len(speaking)
        if inside and stop - start < SHORTEST_PAUSE * STEPS_PER_SECOND:
            speaking[start:stop] = True
    return speaking


def _ease(speaking: np.ndarray) -> np.ndarray:
    """Smooth transitions, wholly outside the sound: opening before it, closing after it."""
    gate = speaking.astype(np.float64)
    runs = _runs(speaking)
    stops_before = [0, *(stop for _, stop in runs)]
    starts_after = [*(start for start, _ in runs[1:]), len(speaking)]
    for (start, stop), stop_before, start_after in zip(runs, stops_before, starts_after, strict=False):
        before, after = start - stop_before, start_after - stop
        early = min(LOOK_AHEAD * STEPS_PER_SECOND, _SHARE * before)
        late = min(RELEASE * STEPS_PER_SECOND, _SHARE * after)
        open_from, close_to = start - early, stop + late
        low, high = max(0, int(np.floor(open_from))), min(len(gate), int(np.ceil(close_to)) + 1)
        t = np.arange(low, high)
        rise = _smoothstep((t - open_from) / max(early, 1.0)) if start > 0 else np.ones(len(t))
        fall = _smoothstep((close_to - t) / max(late, 1.0))
        gate[low:high] = np.maximum(np.where(speaking[low:high], 0.0, gate[low:high]), np.minimum(rise, fall))
    return gate


def _smoothstep(x: np.ndarray) -> np.ndarray:
    x = np.clip(x, 0.0, 1.0)
    return np.asarray(x * x * (3.0 - 2.0 * x))


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Start and stop of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _spread(mask: np.ndarray, steps: int) -> np.ndarray:
    """True within `steps` of a True."""
    return np.convolve(mask.astype(np.float32), np.ones(2 * steps + 1, np.float32), mode="same") > 0.5
