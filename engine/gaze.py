# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the eyes look: at the viewer most of the time, away in glances, above all while nobody speaks.

Eyes jump from one point to the next and rest there, whatever the head does meanwhile (Kendon 1967 on who looks when;
a jump of the eyes lasts 30 to 80 ms).
"""

from __future__ import annotations

import math

import numpy as np

from .prosody import smooth

MEAN_SECONDS = 1.3
"""Of one look at one point."""
SPREAD = 0.6
SHORTEST = 0.25
AWAY_SPEAKING, AWAY_SILENT = 0.2, 0.45
"""Share of looks that are not at the viewer."""
AWAY = (0.20, 0.09)
"""Standard deviations of a glance away: to the side, up and down; radians."""
LOWERED = 0.05
"""Radians that glances away are lower than the viewer, on average."""
UNSTEADY = 0.012
"""Standard deviation of a look at the viewer: eyes wander over a face."""
LARGEST = 0.45
"""Radians; beyond this people turn the head."""
JUMP_SECONDS = 0.02
"""Standard deviation of the filter that makes a jump last about as long as it does."""


def gaze_curve(speaking: np.ndarray, head: np.ndarray, fps: float, rng: np.random.Generator) -> np.ndarray:
    """float32 [T,2]: where the eyes look as seen from the head: to the image's right, and down; radians.

    speaking: [T] 0..1. head: [T,6] pitch, yaw, roll, x, y, z: the eyes turn against it to stay on their point.
    """
    frames = len(speaking)
    points = np.zeros((frames, 2))
    centre = math.log(MEAN_SECONDS) - SPREAD**2 / 2
    time = 0.0
    while time * fps < frames:
        first = int(time * fps)
        share = AWAY_SPEAKING if speaking[first] > 0.5 else AWAY_SILENT
        # Drawn in the same number and order whatever is said, so that a change of the voice changes little.
        chance, length = rng.random(), max(SHORTEST, float(rng.lognormal(centre, SPREAD)))
        aside = rng.normal(size=2)
        points[first:] = aside * AWAY + (0.0, LOWERED) if chance < share else aside * UNSTEADY
        time += length
    eyes = smooth(points, JUMP_SECONDS * fps) - np.asarray(head)[:, [1, 0]]
    return np.clip(eyes, -LARGEST, LARGEST).astype(np.float32)
