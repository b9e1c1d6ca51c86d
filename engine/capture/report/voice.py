# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sound of a clip tells: level, noise, clipping, bandwidth, phones, and the mouth opening it asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from ...action_units import LOWER
from ...errors import HMTalkerError
from ...speech.log_mel import spectra
from ...speech.loudness import BLOCK, FLOOR_DB, SAMPLE_RATE, SILENCE_DB, block_levels, speech_level
from ...speech.silence import band_levels, noise_floor
from .phones import heard_phones

CLIPPED = 0.985
"""Of full scale: lossy codecs move the flat tops of clipped sound a little."""
FLAT_TOP = 3
"""Samples in a row beyond CLIPPED that make a clipped crest."""
BAND_HZ = 250
BAND_FLOOR_DB = -45.0
"""A band counts as filled down to this level below the loudest one: fricatives reach -20 to -35 dB at 5 kHz."""
SPECTRUM_LENGTH = 512


@dataclass(frozen=True)
class SoundFacts:
    """The sound of one clip."""

    speech_db: float
    """Level of the loud parts, dBFS; -120 for silence."""
    noise_db: float
    """Level of the background in the band of speech relative to the speech, dB; -120 where none was found."""
    clipped: float
    """Share of the 20 ms blocks of speech that hold a clipped crest, 0..1."""
    bandwidth: float
    """Hz up to which the speech reaches; 8000 at most. Telephones and some wireless headsets end at 3400."""


@dataclass(frozen=True)
class VoiceFacts:
    """One clip, by the frame."""

    level: np.ndarray
    """float32 [n] dBFS"""
    opening: np.ndarray
    """float32 [n] intensity of AU25 that the voice asks for, NaN where nobody can tell."""
    sound: SoundFacts
    phones: dict[str, int] = field(default_factory=dict)
    """ARPAbet phone -> how often it was heard, in English; empty where there is no recogniser."""


def voice_facts(samples: np.ndarray, encoded: np.ndarray | None, frames: int, fps: float = 25.0) -> VoiceFacts:
    """samples: [n] mono 16 kHz float32. encoded: [T50,1152] of the default speech encoder, if there is one.

    frames: of the clip's picture; the sound begins with the first of them.
    """
    samples = np.nan_to_num(np.asarray(samples, np.float32), posinf=0.0, neginf=0.0)
    hop = round(SAMPLE_RATE / fps)
    level = np.full(frames, FLOOR_DB, np.float32)
    known = block_levels(samples, hop, hop)[:frames]
    level[: len(known)] = known
    return VoiceFacts(level, mouth_opening(encoded, frames, fps), sound_facts(samples), heard_phones(samples))


def sound_facts(samples: np.ndarray) -> SoundFacts:
    """samples: [n] mono 16 kHz float32, any loudness."""
    levels = block_levels(samples)
    speech = speech_level(levels)
    if speech < SILENCE_DB:
        return SoundFacts(FLOOR_DB, FLOOR_DB, 0.0, 0.0)
    bands = band_levels(samples)
    noise = noise_floor(bands - speech_level(bands))
    loud = levels > speech - 20
    return SoundFacts(speech, noise, _clipped(samples, loud), _bandwidth(samples))


def mouth_opening(encoded: np.ndarray | None, frames: int, fps: float = 25.0) -> np.ndarray:
    """float32 [frames] AU25 that the bundled avatar would perform to this speech; NaN where it cannot be asked."""
    motion = _listener()
    if encoded is None or motion is None or frames < 1 or len(encoded) < 1:
        return np.full(max(frames, 0), np.nan, np.float32)
    encoded = np.nan_to_num(np.asarray(encoded, np.float32))
    try:
        units = motion.predicted_action_units(motion.implicit(encoded, fps, frames))
    except ValueError:  # features of another encoder than the one it learnt to hear with
        return np.full(frames, np.nan, np.float32)
    return np.asarray(units[:, LOWER.index("AU25")], np.float32)


@cache
def _listener():  # type: ignore[no-untyped-def]  # PortableMotion | None; imported late, it compiles kernels
    """The motion model of the bundled avatar without a face, or None where it is not installed."""
    from ...avatar import load_avatar
    from ...motion.portable import PortableMotion

    path = Path(__file__).resolve().parents[3] / "assets" / "bundled_avatar.hmt"
    try:
        avatar = load_avatar(path)
    except (HMTalkerError, OSError):
        return None
    nothing = np.zeros((0, 3), np.float32)
    return PortableMotion(avatar.motion, avatar.motion_config, nothing, nothing, threads=1)


def _clipped(samples: np.ndarray, loud: np.ndarray) -> float:
    """Share of the loud blocks with a crest that is cut off."""
    beyond = np.abs(samples) >= CLIPPED
    flat = beyond.copy()
    for shift in range(1, FLAT_TOP):
        flat[shift:] &= beyond[:-shift]
        flat[:shift] = False
    blocks = np.unique(np.flatnonzero(flat) // BLOCK)
    return float(len(blocks) / max(1, int(loud.sum())))


def _bandwidth(samples: np.ndarray) -> float:
    """Hz of the highest band that the speech fills, over all of it: its loudest moments in each band count."""
    count = max(1, len(samples) // BLOCK)
    step = max(1, count // 4000)
    highest = np.zeros(SPECTRUM_LENGTH // 2 + 1)
    for begin in range(0, count, step * 64):
        part = samples[begin * BLOCK : (begin + 64) * BLOCK]
        power = np.abs(spectra(part, 0, max(1, len(part) // BLOCK), SPECTRUM_LENGTH, BLOCK)) ** 2
        highest = np.maximum(highest, np.percentile(power, 95, axis=0))
    hertz = np.arange(len(highest)) * SAMPLE_RATE / SPECTRUM_LENGTH
    edges = np.arange(0, SAMPLE_RATE // 2 + 1, BAND_HZ)
    bands = np.array([highest[(hertz >= low) & (hertz < low + BAND_HZ)].mean() for low in edges[:-1]])
    filled = np.flatnonzero(bands > bands.max() * 10 ** (BAND_FLOOR_DB / 10))
    return float(edges[filled[-1] + 1]) if len(filled) else 0.0
