# SPDX-License-Identifier: GPL-3.0-or-later
"""All poses of a video at once, with the shape and lens known: landmarks against a prior on the head's acceleration.

The second differences of rotation and position inside a clip are drawn from a normal distribution of given width;
nothing links two clips. Unknowns are ordered frame by frame, so the normal equations are a band of 13 diagonals and
cost time and memory linear in the number of frames. A frame without a face keeps its place in the band with no
landmarks, so that its neighbours interpolate it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .head_pose_model import Poses, rotation_vectors

ITERATIONS = 6
CONVERGED = 1e-6
"""Radians, metres: the largest step at which iterating ends."""
GAP_SPEED = 5.0
"""Across a missing frame the speed, too, is kept small: its width is so many times the acceleration's (else a long
gap at the end of a clip would run away in a straight line)."""

NormalEquations = Callable[[Poses], tuple[np.ndarray, np.ndarray]]
"""Poses -> the landmarks' [T,6,6] and gradient [T,6]; zero where a frame has none."""


@dataclass(frozen=True)
class Smoothness:
    """Widths (standard deviations) of the second difference from frame to frame."""

    degrees: float = 0.1
    millimetres: float = 0.15

    def precision(self) -> np.ndarray:
        """[6] one over the variance, in radians and metres."""
        return np.repeat([np.radians(self.degrees), self.millimetres / 1000], 3) ** -2.0


def smooth_poses(
    poses: Poses, landmarks: NormalEquations, focal: float, clips: np.ndarray, missing: np.ndarray, smooth: Smoothness
) -> Poses:
    """poses: [T], a start for all frames; clips: [T]; missing: bool [T]. Returns the most probable poses."""
    from scipy.linalg import solveh_banded

    count = len(clips)
    neighbours = clips[1:] == clips[:-1]
    gap = neighbours & (missing[1:] | missing[:-1])
    inside = neighbours[1:] & neighbours[:-1]
    acceleration = inside[:, None] * smooth.precision()
    speed = gap[:, None] * smooth.precision() / GAP_SPEED**2
    for _ in range(ITERATIONS):
        hessian, gradient = landmarks(poses)
        # By how much a step changes the rotation vector, x, y (as it is) and the distance (which is solved as a log).
        scale = np.ones((count, 6))
        scale[:, 5] = focal * np.exp(poses.offsets[:, 2])
        turn = rotation_vectors(poses.rotations[1:] @ poses.rotations[:-1].transpose(0, 2, 1))
        position = np.concatenate([poses.offsets[:, :2], scale[:, 5:]], axis=1)
        first = np.concatenate([turn, np.diff(position, axis=0)], axis=1)

        band = np.zeros((13, count, 6))
        slope = np.zeros((count, 6))
        _add_differences(band, slope, speed, first, (-1.0, 1.0))
        _add_differences(band, slope, acceleration, np.diff(first, axis=0), (1.0, -2.0, 1.0))
        for offset in (0, 6, 12):
            ahead = scale[offset // 6 :] if offset else scale
            band[offset, : len(ahead)] *= ahead * scale[: len(ahead)]
        for column in range(6):
            for row in range(column, 6):
                band[row - column, :, column] += hessian[:, row, column]
        # A clip without any face has nothing to hold it: it stays where it starts.
        band[0] += 1e-3 * smooth.precision() * scale * scale * 1e-3
        step = solveh_banded(band.reshape(13, -1), -(gradient + slope * scale).reshape(-1), lower=True).reshape(-1, 6)
        poses = poses.moved(step)
        if np.abs(step).max() < CONVERGED:
            break
    return poses


def _add_differences(
    band: np.ndarray, slope: np.ndarray, precision: np.ndarray, values: np.ndarray, stencil: tuple[float, ...]
) -> None:
    """Add the squares of finite differences `values` [M,6], weighted by `precision` [M,6], to a band and a gradient."""
    count = len(values)
    for later, factor in enumerate(stencil):
        slope[later : later + count] += factor * precision * values
        for earlier in range(later + 1):
            band[6 * (later - earlier), earlier : earlier + count] += factor * stencil[earlier] * precision
