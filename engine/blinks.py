# SPDX-License-Identifier: GPL-3.0-or-later
"""Blinks: when, and how the lids move. A speaker's rate is about 17 a minute (Bentivoglio et al. 1997: 17 at rest)."""

from __future__ import annotations

import math

import numpy as np

from .action_units import BLINK_CLOSED

SPREAD = 0.6
"""Standard deviation of the logarithm of the time between two blinks."""
SHORTEST = 0.5
"""Seconds between the starts of two blinks, at least."""

PROFILE_SECONDS = np.arange(8) * 0.04
PROFILE = np.array([0.0, 0.5, 1.0, 1.0, 0.65, 0.3, 0.1, 0.0])
"""Lid closure at PROFILE_SECONDS: shut within 80 ms, open again more slowly; six frames at 25 fps."""


def blink_times(seconds: float, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Starts of the blinks in 0..seconds, float64, ascending.

    rate: blinks a minute; 0 or less: none. A longer performance begins with the blinks of a shorter one.
    """
    if rate <= 0:
        return np.zeros(0)
    mean = max(60.0 / rate, SHORTEST)
    centre = math.log(mean) - SPREAD**2 / 2
    times: list[float] = []
    # The first interval begins before the performance, else nobody would ever blink early.
    time = -mean * rng.random()
    while True:
        time += max(SHORTEST, float(rng.lognormal(centre, SPREAD)))
        if time >= seconds:
            return np.array(times)
        if time >= 0:
            times.append(time)


def blink_curve(moments: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """AU45 at `moments` [T] (seconds, ascending): float32 [T], 0 open .. 2 closed."""
    curve = np.zeros(len(moments))
    if len(moments):
        for start in blink_times(float(moments[-1]) + 1.0, rate, rng):
            first, last = np.searchsorted(moments, (start, start + PROFILE_SECONDS[-1]))
            part = np.interp(moments[first:last] - start, PROFILE_SECONDS, PROFILE)
            curve[first:last] = np.maximum(curve[first:last], part)
    return (BLINK_CLOSED * curve).astype(np.float32)
