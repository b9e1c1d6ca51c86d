# SPDX-License-Identifier: GPL-3.0-or-later
"""Between a direction of the eyes and ARKit's eight eyeLook shapes. Both eyes look the same way."""

from __future__ import annotations

import numpy as np

from .arkit_action_units import ARKIT_NAMES

FULL_SIDE, FULL_UP = 0.52, 0.44
"""Radians at which eyeLookIn or Out, and Up or Down, are at 1: about 30 and 25 degrees."""

SHAPES: dict[str, tuple[int, float]] = {
    # Left and right are the person's own: who looks to the image's right looks to their left.
    "eyeLookOutLeft": (0, 1 / FULL_SIDE),
    "eyeLookInRight": (0, 1 / FULL_SIDE),
    "eyeLookInLeft": (0, -1 / FULL_SIDE),
    "eyeLookOutRight": (0, -1 / FULL_SIDE),
    "eyeLookDownLeft": (1, 1 / FULL_UP),
    "eyeLookDownRight": (1, 1 / FULL_UP),
    "eyeLookUpLeft": (1, -1 / FULL_UP),
    "eyeLookUpRight": (1, -1 / FULL_UP),
}
"""Shape -> (which angle of the gaze, weight for each radian of it); negative weights are 0."""


def add_gaze(weights: np.ndarray, gaze: np.ndarray) -> np.ndarray:
    """weights: [T,52] in the order of `ARKIT_NAMES`. gaze: [T,2] to the image's right and down, radians.

    Returns a copy of the weights with the eyes turned.
    """
    turned = np.array(weights, np.float32)
    for name, (axis, weight) in SHAPES.items():
        turned[:, ARKIT_NAMES.index(name)] = np.clip(weight * np.asarray(gaze)[:, axis], 0, 1)
    return turned


def gaze_of(weights: np.ndarray) -> np.ndarray:
    """float32 [T,2]: where eyes with these weights [T,52] look, the mean of both."""
    gaze = np.zeros((len(weights), 2), np.float32)
    for name, (axis, weight) in SHAPES.items():
        gaze[:, axis] += np.asarray(weights)[:, ARKIT_NAMES.index(name)] / weight / 2
    return gaze
