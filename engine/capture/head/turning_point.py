# SPDX-License-Identifier: GPL-3.0-or-later
"""The point that a head turns about: a place in the neck that nods and turns move least.

Seen from the face, a nod is a turn and a quick shift forward at once. Seen from this point it is a turn alone, so that
what still moves there is either slow or noise.
"""

from __future__ import annotations

import numpy as np

NECK = np.array([0.0, -0.06, -0.05])
"""Metres, canonical axes: in the upper neck, between the joint that nods and those that bend the neck ..."""
DEVIATION = np.array([0.01, 0.03, 0.03])
"""... from which a person's differs by so much; it lies in the middle."""
STEP = 2
"""Frames between the positions whose second differences are compared: quick motion shows, and noise less."""
INDEPENDENT = 12
"""Second differences that tell as much as one, since neighbours share positions and noise."""
FAR = 2.0
"""Deviations beyond which a second difference pulls no harder (Huber): nods are rare, and are what tells."""
ROUNDS = 10


def turning_point(
    rotations: np.ndarray, translations: np.ndarray, clips: np.ndarray, missing: np.ndarray
) -> np.ndarray:
    """float64 [3] metres in the head's canonical axes: where its second differences in time are least.

    rotations [T,3,3] head to camera and translations [T,3] metres of the head's origin; clips [T]; missing: bool [T],
    poses that are not to be used. Robust least squares, each of the camera's axes in its own noise (depth has most).
    """
    parts = [slice(first, len(clips) - 2 * STEP + first) for first in (0, STEP, 2 * STEP)]
    if len(clips) <= 2 * STEP:
        return NECK.copy()
    free = (clips[parts[2]] == clips[parts[0]]) & ~np.logical_or.reduce([missing[part] for part in parts])
    if not free.any():
        return NECK.copy()

    def second(values: np.ndarray) -> np.ndarray:
        return np.asarray((values[parts[2]] - 2 * values[parts[1]] + values[parts[0]])[free])

    turn, shift = second(rotations), second(translations + rotations @ NECK)
    change = np.zeros(3)
    for _ in range(ROUNDS):
        left = shift + turn @ change
        noise = 1.48 * np.median(np.abs(left), axis=0) + 1e-6
        weight = 1 / (INDEPENDENT * noise**2 * np.maximum(1, np.abs(left) / (FAR * noise)))
        precision = np.einsum("tij,ti,tik->jk", turn, weight, turn) + np.diag(DEVIATION**-2.0)
        change = -np.linalg.solve(precision, np.einsum("tij,ti,ti->j", turn, weight, shift))
    return np.asarray(NECK + change)
