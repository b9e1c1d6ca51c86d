# SPDX-License-Identifier: GPL-3.0-or-later
"""All poses of a video at once, with the shape and lens known: observations against a prior on the head's acceleration.

The second differences of rotation and position inside a clip are drawn from a normal distribution. Its width is given
for a head at rest, and grows for each of the six numbers where its start moves more than its noise, so that a quick nod
is not damped while a still head is held still. Acceleration itself changes no faster than heads can: its second
difference has a width, too, a share of acceleration's, which takes noise out of a nod. Nothing links two clips.
Unknowns are ordered frame by frame, so the normal equations are a band of 25 diagonals and cost time and memory linear
in the number of frames; clips are solved in turn. A frame without a face keeps its place in the band with no
landmarks, so that its neighbours interpolate it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from .head_pose_model import Poses, rotation_vectors

ITERATIONS = 8
NEARBY = 6
"""Frames before and after, from whose motion the width at a frame is taken."""
CALM = 30
"""Percentile of the start's local motion that is taken to be noise; what exceeds it by half is motion."""
LIVELIEST = 0.8
"""The width of acceleration's second difference as a share of acceleration's own. A swing of f hertz at 25 frames a
second has 4 sin(pi f / 25) squared: 0.8 is 3.7 Hz, and heads nod at up to 3 or 4."""
CONVERGED = 1e-6
"""Radians, metres: the largest step at which iterating ends."""
GAP_SPEED = 5.0
"""Across a missing frame the speed, too, is kept small: its width is so many times the acceleration's (else a long
gap at the end of a clip would run away in a straight line)."""
PIECE = 1024
"""Frames whose full equations are held at a time."""
TOGETHER = 4096
"""Frames at which a group of clips that is solved together ends."""


class NormalEquations(Protocol):
    """Poses of some frames, and which -> the observations' [n,6+E,6+E] and gradient [n,6+E]; those of the pose are
    zero where a frame has none."""

    def __call__(self, poses: Poses, frames: slice) -> tuple[np.ndarray, np.ndarray]: ...


@dataclass(frozen=True)
class Smoothness:
    """Widths (standard deviations) of the second difference from frame to frame, of a head at rest."""

    degrees: float = 0.1
    millimetres: float = 0.15

    def precision(self) -> np.ndarray:
        """[6] one over the variance, in radians and metres."""
        return np.repeat([np.radians(self.degrees), self.millimetres / 1000], 3) ** -2.0


def smooth_poses(
    poses: Poses,
    observations: NormalEquations,
    focal: float,
    clips: np.ndarray,
    missing: np.ndarray,
    smooth: Smoothness,
) -> Poses:
    """poses: [T], a start for all frames; clips: [T]; missing: bool [T]. Returns the most probable poses."""
    cuts = np.flatnonzero(clips[1:] != clips[:-1]) + 1
    result = Poses(poses.rotations.copy(), poses.offsets.copy(), poses.amounts.copy())
    first = 0
    for last in [*cuts.tolist(), len(clips)]:
        if last < len(clips) and last - first < TOGETHER:
            continue
        part = slice(first, last)
        solved = _smooth(poses[part], partial(_shifted, observations, first), focal, clips[part], missing[part], smooth)
        result.rotations[part], result.offsets[part], result.amounts[part] = (
            solved.rotations,
            solved.offsets,
            solved.amounts,
        )
        first = last
    return result


def _shifted(observations: NormalEquations, first: int, poses: Poses, piece: slice) -> tuple[np.ndarray, np.ndarray]:
    """Equations of frames that are counted from `first`."""
    return observations(poses, slice(piece.start + first, piece.stop + first))


def _smooth(
    poses: Poses,
    observations: Callable[[Poses, slice], tuple[np.ndarray, np.ndarray]],
    focal: float,
    clips: np.ndarray,
    missing: np.ndarray,
    smooth: Smoothness,
) -> Poses:
    from scipy.linalg import solveh_banded

    count = len(clips)
    neighbours = clips[1:] == clips[:-1]
    gap = neighbours & (missing[1:] | missing[:-1])
    inside = neighbours[1:] & neighbours[:-1]
    bridged = gap[1:] | gap[:-1]
    speed = gap[:, None] * smooth.precision() / GAP_SPEED**2
    for iteration in range(ITERATIONS):
        hessian, gradient, bends = _without_expressions(observations, poses)
        # By how much a step changes the rotation vector, x, y (as it is) and the distance (which is solved as a log).
        scale = np.ones((count, 6))
        scale[:, 5] = focal * np.exp(poses.offsets[:, 2])
        turn = rotation_vectors(poses.rotations[1:] @ poses.rotations[:-1].transpose(0, 2, 1))
        position = np.concatenate([poses.offsets[:, :2], scale[:, 5:]], axis=1)
        first = np.concatenate([turn, np.diff(position, axis=0)], axis=1)
        second = np.diff(first, axis=0)
        if iteration == 0:
            free = inside & ~bridged
            variance = _widths(second, clips, free, smooth)
            acceleration = inside[:, None] / variance
            five = free[2:] & free[1:-1] & free[:-2]
            change = five[:, None] / (LIVELIEST**2 * variance[1:-1])

        band = np.zeros((25, count, 6))
        slope = np.zeros((count, 6))
        _add_differences(band, slope, speed, first, (-1.0, 1.0))
        _add_differences(band, slope, acceleration, second, (1.0, -2.0, 1.0))
        _add_differences(band, slope, change, np.diff(second, n=2, axis=0), (1.0, -4.0, 6.0, -4.0, 1.0))
        for offset in range(0, 25, 6):
            ahead = scale[offset // 6 :] if offset else scale
            band[offset, : len(ahead)] *= ahead * scale[: len(ahead)]
        for column in range(6):
            for row in range(column, 6):
                band[row - column, :, column] += hessian[:, row, column]
        # A clip without any face has nothing to hold it: it stays where it starts.
        band[0] += 1e-3 * smooth.precision() * scale * scale * 1e-3
        step = solveh_banded(band.reshape(25, -1), -(gradient + slope * scale).reshape(-1), lower=True).reshape(-1, 6)
        bend = -(bends[..., :6] @ step[..., None] + bends[..., 6:])[..., 0]
        poses = poses.moved(np.concatenate([step, bend], axis=1))
        if np.abs(step).max() < CONVERGED:
            break
    return poses


def _without_expressions(
    observations: Callable[[Poses, slice], tuple[np.ndarray, np.ndarray]], poses: Poses
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """[n,6,6] and gradient [n,6] with the expressions eliminated, since nothing links them from frame to frame; and
    [n,E,7], which gives the amounts' step as minus its product with the pose's step and 1."""
    count, many = len(poses.offsets), poses.amounts.shape[1]
    hessian, gradient, bends = np.empty((count, 6, 6)), np.empty((count, 6)), np.empty((count, many, 7))
    for first in range(0, count, PIECE):
        piece = slice(first, min(first + PIECE, count))
        whole, slope = observations(poses[piece], piece)
        across = whole[:, 6:, :6]
        solved = np.linalg.solve(whole[:, 6:, 6:], np.concatenate([across, slope[:, 6:, None]], axis=2))
        hessian[piece] = whole[:, :6, :6] - across.transpose(0, 2, 1) @ solved[..., :6]
        gradient[piece] = slope[:, :6] - (across.transpose(0, 2, 1) @ solved[..., 6:])[..., 0]
        bends[piece] = solved
    return hessian, gradient, bends


def _widths(second: np.ndarray, clips: np.ndarray, free: np.ndarray, smooth: Smoothness) -> np.ndarray:
    """[T-2,6] variance of the prior for each second difference [T-2,6] of the start; `free`: those without a gap."""
    variance = np.repeat(1 / smooth.precision()[None], len(second), axis=0)
    if not free.any():
        return variance
    squares = np.where(free[:, None], second**2, 0)
    # Sums over a window that ends at the clip's edges.
    total = np.concatenate([np.zeros((1, 7)), np.cumsum(np.column_stack([squares, free]), axis=0)])
    owner, places = clips[1:-1], np.arange(len(second))
    starts = np.flatnonzero(np.diff(owner, prepend=owner[0] - 1))
    ends = np.append(starts[1:], len(owner))
    lengths = ends - starts
    first = np.maximum(places - NEARBY, np.repeat(starts, lengths))
    last = np.minimum(places + NEARBY + 1, np.repeat(ends, lengths))
    window = total[last] - total[first]
    local = window[:, :6] / np.maximum(window[:, 6:], 1)
    noise = np.percentile(local[free], CALM, axis=0)
    motion = np.where(free[:, None], np.maximum(local - 1.5**2 * noise, 0), 0)
    return np.asarray(variance + motion)


def _add_differences(
    band: np.ndarray, slope: np.ndarray, precision: np.ndarray, values: np.ndarray, stencil: tuple[float, ...]
) -> None:
    """Add the squares of finite differences `values` [M,6], weighted by `precision` [M,6], to a band and a gradient."""
    count = len(values)
    for later, factor in enumerate(stencil):
        slope[later : later + count] += factor * precision * values
        for earlier in range(later + 1):
            band[6 * (later - earlier), earlier : earlier + count] += factor * stencil[earlier] * precision
