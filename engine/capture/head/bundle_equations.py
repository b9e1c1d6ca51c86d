# SPDX-License-Identifier: GPL-3.0-or-later
"""The normal equations of bundle adjustment, and single steps of Gauss-Newton on poses and on shape and lens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .head_pose_model import Poses, differentiate, project

BLOCK = 128
"""Frames whose derivatives are held at a time."""
NOISE_PERCENTILE = 20
"""Of landmarks' deviations: what the tracker's noise alone makes. Points with leverage fit themselves, so none is
trusted more than that."""
SYSTEMATIC = 10.0
"""How much more a variance beyond the noise counts: lips, jaw and lids err to one side and together."""


@dataclass
class Observations:
    """2-D landmarks of T frames with the weights they have."""

    pixels: np.ndarray
    """[T,2,L], 0 where there is no landmark."""
    weights: np.ndarray
    """[T,L], 0 where there is no landmark."""
    centre: np.ndarray
    deviation: np.ndarray
    """[L] pixels."""
    cauchy: float

    def subset(self, frames: np.ndarray) -> Observations:
        return Observations(self.pixels[frames], self.weights[frames], self.centre, self.deviation, self.cauchy)

    def robust(self, residual: np.ndarray, block: slice) -> tuple[np.ndarray, np.ndarray]:
        """residual [t,2,L] -> weight of each observation [t,L] in 1/px2, and each frame's Cauchy cost [t]."""
        information = self.weights[block] / self.deviation**2
        excess = (residual**2).sum(1) / (self.cauchy * self.deviation) ** 2
        cost = 0.5 * self.cauchy**2 * (self.weights[block] * np.log1p(excess)).sum(1)
        return information / (1 + excess), cost


@dataclass
class State:
    """All that is solved for."""

    shape: np.ndarray
    focal: float
    poses: Poses

    def at(self, frames: np.ndarray) -> State:
        return State(self.shape, self.focal, self.poses[frames])


def blocks(count: int) -> list[slice]:
    return [slice(first, min(first + BLOCK, count)) for first in range(0, count, BLOCK)]


def pose_equations(observed: Observations, state: State) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normal equations of each pose alone, [T,6,6] and gradient [T,6], and each frame's cost [T]."""
    count = len(observed.pixels)
    hessian, gradient, cost = np.empty((count, 6, 6)), np.empty((count, 6)), np.empty(count)
    for block in blocks(count):
        d = differentiate(state.shape, state.focal, state.poses[block], observed.centre, points=False)
        residual = d.pixels - observed.pixels[block]
        weight, cost[block] = observed.robust(residual, block)
        root = np.sqrt(weight)[:, None]
        rows = (d.pose * root[:, None]).reshape(len(residual), 6, -1)
        hessian[block] = rows @ rows.transpose(0, 2, 1)
        gradient[block] = (rows @ (residual * root).reshape(len(residual), -1, 1))[..., 0]
    return hessian, gradient, cost


def refine(observed: Observations, state: State, steps: int) -> Poses:
    """Each frame's pose by damped Gauss-Newton, shape and lens fixed; a step that raises a frame's cost is undone."""
    poses, damping = state.poses, np.full(len(observed.pixels), 1e-4)
    hessian, gradient, cost = pose_equations(observed, State(state.shape, state.focal, poses))
    for _ in range(steps):
        diagonal = np.einsum("tii->ti", hessian)
        damped = hessian + (damping[:, None] * diagonal + 1e-12)[:, :, None] * np.eye(6)
        moved = poses.moved(-np.linalg.solve(damped, gradient[..., None])[..., 0])
        new_hessian, new_gradient, new_cost = pose_equations(observed, State(state.shape, state.focal, moved))
        better = new_cost <= cost
        choose = better[:, None]
        poses = Poses(
            np.where(choose[..., None], moved.rotations, poses.rotations),
            np.where(choose, moved.offsets, poses.offsets),
        )
        hessian = np.where(choose[..., None], new_hessian, hessian)
        gradient, cost = np.where(choose, new_gradient, gradient), np.where(better, new_cost, cost)
        damping = np.where(better, damping / 3, damping * 10)
    return poses


@dataclass
class Prior:
    """Normal distributions of the shape about `shape` [L,3] and of the logarithm of the focal length."""

    shape: np.ndarray
    focal: float
    shape_precision: float
    """Per square metre."""
    focal_precision: float
    """Infinite for a known lens."""

    def cost(self, state: State) -> float:
        lens = 0.0 if np.isinf(self.focal_precision) else self.focal_precision * np.log(state.focal / self.focal) ** 2
        return 0.5 * float(self.shape_precision * ((state.shape - self.shape) ** 2).sum() + lens)


def joint_equations(observed: Observations, state: State, prior: Prior) -> tuple[np.ndarray, np.ndarray, float]:
    """Schur complement [3L+1, 3L+1] and gradient [3L+1], poses eliminated, of all x, y, z and log focal; cost."""
    count = len(state.shape)
    size = 3 * count + 1
    schur, gradient, total = np.zeros((size, size)), np.zeros(size), 0.0
    points = np.zeros((3, 3, count))
    for block in blocks(len(observed.pixels)):
        d = differentiate(state.shape, state.focal, state.poses[block], observed.centre, points=True)
        residual = d.pixels - observed.pixels[block]
        weight, cost = observed.robust(residual, block)
        total += float(cost.sum())
        root = np.sqrt(weight)[:, None]
        d.pose *= root[:, None]
        d.point *= root[:, None]
        d.focal *= root
        residual *= root
        frames = len(residual)
        pose = d.pose.reshape(frames, 6, -1)
        mixed = np.empty((frames, 6, size + 1))
        for axis in range(3):
            one = slice(axis * count, (axis + 1) * count)
            mixed[..., one] = d.pose[:, :, 0] * d.point[:, None, axis, 0] + d.pose[:, :, 1] * d.point[:, None, axis, 1]
        right = np.stack([d.focal, residual], axis=-1).reshape(frames, -1, 2)
        mixed[..., -2:] = pose @ right
        own = pose @ pose.transpose(0, 2, 1)
        own += (1e-9 * np.einsum("tii->ti", own) + 1e-12)[:, :, None] * np.eye(6)
        eliminated = (np.linalg.inv(np.linalg.cholesky(own)) @ mixed).reshape(6 * frames, -1)
        product = eliminated.T @ eliminated
        schur -= product[:-1, :-1]
        gradient -= product[:-1, -1]
        for axis in range(3):
            points[axis] += (d.point * d.point[:, axis, None]).sum((0, 2))
        by_lens = (d.point * d.focal[:, None]).sum((0, 2)).reshape(-1)
        schur[:-1, -1] += by_lens
        schur[-1, :-1] += by_lens
        schur[-1, -1] += (d.focal**2).sum()
        gradient[:-1] += (d.point * residual[:, None]).sum((0, 2)).reshape(-1)
        gradient[-1] += (d.focal * residual).sum()
    each = np.arange(count)
    for row in range(3):
        for column in range(3):
            schur[each + row * count, each + column * count] += points[row, column]
    diagonal = np.arange(size - 1)
    schur[diagonal, diagonal] += prior.shape_precision
    gradient[:-1] += prior.shape_precision * (state.shape - prior.shape).T.reshape(-1)
    if np.isinf(prior.focal_precision):
        schur[-1], schur[:, -1], schur[-1, -1], gradient[-1] = 0, 0, 1, 0
    else:
        schur[-1, -1] += prior.focal_precision
        gradient[-1] += prior.focal_precision * np.log(state.focal / prior.focal)
    return schur, gradient, total + prior.cost(state)


def adjust(
    observed: Observations, state: State, prior: Prior, anchor: Callable[[State], State], steps: int, gain: float = 1e-6
) -> State:
    """Up to `steps` Gauss-Newton steps of shape and lens, poses re-solved after each, while a step saves that share
    of the cost; `anchor` fixes the gauge."""
    state = State(state.shape, state.focal, refine(observed, state, 3))
    schur, gradient, cost = joint_equations(observed, state, prior)
    damping = 1e-5
    for step in range(steps):
        damped = schur + np.diag(damping * np.diagonal(schur))
        change = -np.linalg.solve(damped, gradient)
        # A lens may not jump by more than a third at once.
        focal = state.focal * float(np.exp(np.clip(change[-1], -0.3, 0.3)))
        moved = anchor(State(state.shape + change[:-1].reshape(3, -1).T, focal, state.poses))
        moved.poses = refine(observed, moved, 2)
        last = step == steps - 1
        if last:
            new_cost = float(pose_equations(observed, moved)[2].sum()) + prior.cost(moved)
        else:
            new_schur, new_gradient, new_cost = joint_equations(observed, moved, prior)
        if new_cost > cost:
            damping = max(10 * damping, 1e-3)
            continue
        saved, cost, state = cost - new_cost, new_cost, moved
        if last or saved < gain * cost:
            break
        schur, gradient, damping = new_schur, new_gradient, damping / 10
    return state


def deviations(observed: Observations, state: State) -> np.ndarray:
    """[L] pixels: how far each landmark strays from the rigid head, outliers clipped, non-rigid motion stressed."""
    squares = squared_residuals(observed, state)
    squares = np.where(observed.weights > 0, squares, np.nan)
    seen = np.isfinite(squares).any(0)
    squares[:, ~seen] = np.inf
    # The median of a squared 2-D normal deviate is 2 ln 2.
    core = np.nanmedian(squares, axis=0) / np.log(4)
    clipped = np.nanmean(np.minimum(squares, 16 * core), axis=0) / 2
    result = np.sqrt(clipped)
    result[~seen] = 10 * result[seen].max()
    noise = max(float(np.percentile(result, NOISE_PERCENTILE)), 1e-3)
    return np.asarray(np.sqrt(noise**2 + SYSTEMATIC * np.maximum(result**2 - noise**2, 0)))


def distances(observed: Observations, state: State) -> np.ndarray:
    """[T] the median landmark's residual in deviations."""
    ratio = np.sqrt(squared_residuals(observed, state)) / observed.deviation
    return np.asarray(np.nanmedian(np.where(observed.weights > 0, ratio, np.nan), axis=1))


def squared_residuals(observed: Observations, state: State) -> np.ndarray:
    """[T,L] square pixels."""
    result = np.empty(observed.weights.shape)
    for block in blocks(len(result)):
        pixels = project(state.shape, state.focal, state.poses[block], observed.centre)
        result[block] = ((pixels.transpose(0, 2, 1) - observed.pixels[block]) ** 2).sum(1)
    return result
