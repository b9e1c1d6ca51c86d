# SPDX-License-Identifier: GPL-3.0-or-later
"""What the voice's loudness does to brows and head, and how a head sways when it does nothing. Subtle on purpose.

People raise their brows and nod with stressed syllables (Graf et al. 2002, "Visual prosody"); how much is taste.
"""

from __future__ import annotations

import math

import numpy as np

LOUDNESS_RANGE_DB = 30.0
"""Loudness this far under the speech level counts as nothing."""
STRESS_SECONDS = 0.10
PHRASE_SECONDS = 1.0
"""Standard deviations of the two smoothings whose difference is stress."""
BROW = {"AU01": 1.0, "AU02": 1.2, "AU05": 0.3}
"""Intensities at full stress."""
NOD = 0.05
"""Radians down at full stress."""
SWAY = np.array([0.020, 0.030, 0.014, 0.0012, 0.0012, 0.0015])
"""Standard deviations of idle motion: pitch, yaw, roll in radians; x, y, z in metres."""
SWAY_HERTZ = (0.05, 0.45)
WAVES = 6


def smooth(values: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian filter over the first axis, edges held. sigma: frames; below 0.05 nothing is done. float32."""
    values = np.asarray(values, np.float32)
    if sigma < 0.05 or len(values) < 2:
        return values
    reach = max(1, math.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    padded = np.concatenate([np.repeat(values[:1], reach, 0), values, np.repeat(values[-1:], reach, 0)])
    result = np.zeros(values.shape, np.float64)
    for offset, weight in enumerate(kernel):
        result += weight * padded[offset : offset + len(values)]
    return result.astype(np.float32)


def stress(loudness: np.ndarray, fps: float) -> np.ndarray:
    """How much each moment stands out from its phrase: loudness [T] in dB under speech level -> float32 [T], 0..1."""
    level = np.clip(1.0 + np.asarray(loudness) / LOUDNESS_RANGE_DB, 0.0, 1.2)
    syllables = smooth(level, STRESS_SECONDS * fps)
    phrase = smooth(level, PHRASE_SECONDS * fps)
    return np.clip(3.0 * (syllables - phrase - 0.05), 0.0, 1.0)


def brow_curves(
    stressed: np.ndarray, moments: np.ndarray, fps: float, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Brow Action Units [T] for stress [T]; not every stress raises them. moments: [T] seconds."""
    willing = np.clip(0.5 + 0.7 * waves(moments, 1, (0.1, 0.4), rng)[:, 0], 0.0, 1.0)
    lift = smooth(stressed * willing, 0.08 * fps)
    return {code: (amount * lift).astype(np.float32) for code, amount in BROW.items()}


def head_motion(
    stressed: np.ndarray, moments: np.ndarray, fps: float, rng: np.random.Generator, nods: float = 1.0
) -> np.ndarray:
    """float32 [T,6] pitch, yaw, roll (radians), x, y, z (metres): idle sway and nods on stress [T], times `nods`."""
    head = SWAY * waves(moments, 6, SWAY_HERTZ, rng)
    head[:, 0] += nods * NOD * smooth(stressed, 0.12 * fps)
    return head.astype(np.float32)


def waves(moments: np.ndarray, count: int, hertz: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """Smooth noise of unit variance, [T,count]: a few sines of random frequency and phase, the slow ones stronger."""
    frequency = np.exp(rng.uniform(math.log(hertz[0]), math.log(hertz[1]), (count, WAVES)))
    phase = rng.uniform(0.0, 2 * math.pi, (count, WAVES))
    strength = frequency**-0.5
    strength *= math.sqrt(2.0) / np.linalg.norm(strength, axis=1, keepdims=True)
    angles = 2 * math.pi * np.asarray(moments)[:, None, None] * frequency + phase
    return np.asarray((strength * np.sin(angles)).sum(2))
