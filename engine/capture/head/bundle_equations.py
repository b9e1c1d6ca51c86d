# SPDX-License-Identifier: GPL-3.0-or-later
"""The normal equations of bundle adjustment, and single steps of Gauss-Newton on poses and on shape and lens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .head_pose_model import Head, Poses, differentiate, project

BLOCK = 128
"""Frames whose derivatives are held at a time."""
NOISE_PERCENTILE = 20
"""Of landmarks' deviations: what the tracker's noise alone makes. Points with leverage fit themselves, so none is
trusted more than that."""
SYSTEMATIC = 10.0
"""How much more a variance beyond the noise counts: lips, jaw and lids err to one side and together."""


@dataclass
class Points:
    """Points of the head seen in all frames, or in some."""

    pixels: np.ndarray
    """float [T,P,2], NaN where a point is not seen."""
    where: np.ndarray | None = None
    """bool [T]: the frames whose row shows these points (another's row shows other points); None: all."""


@dataclass
class Observations:
    """2-D points of some frames, fetched in blocks, so that nothing is copied for the whole length."""

    groups: Sequence[Points]
    frames: np.ndarray
    """[n] indices into the groups' T frames."""
    centre: np.ndarray
    deviation: np.ndarray
    """[P] pixels, of all groups' points in turn."""
    trust: np.ndarray
    """[P] 0..1, what one observation counts: less than 1 for points that err together."""
    cauchy: float
    certainty: np.ndarray
    """float [E,E], the inverse of the covariance of the expression modes' amounts."""

    def __len__(self) -> int:
        return len(self.frames)

    def at(self, frames: np.ndarray) -> Observations:
        """The same of some of these frames."""
        return replace(self, frames=self.frames[frames])

    def read(self, block: slice) -> tuple[np.ndarray, np.ndarray]:
        """float64 pixels [t,2,P], 0 where not seen, and bool [t,P]."""
        frames, parts = self.frames[block], []
        for group in self.groups:
            rows = group.pixels[frames].astype(np.float64)
            if group.where is not None:
                rows[~group.where[frames]] = np.nan
            parts.append(rows)
        pixels = np.concatenate(parts, axis=1)
        seen = np.isfinite(pixels).all(-1)
        pixels[~seen] = 0
        return pixels.transpose(0, 2, 1), seen

    def robust(self, residual: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """residual [t,2,P] -> weight of each observation [t,P] in 1/px2, and each frame's Cauchy cost [t]."""
        trust = seen * self.trust
        excess = (residual**2).sum(1) / (self.cauchy * self.deviation) ** 2
        cost = 0.5 * self.cauchy**2 * (trust * np.log1p(excess)).sum(1)
        return trust / self.deviation**2 / (1 + excess), cost


@dataclass
class State:
    """All that is solved for."""

    head: Head
    poses: Poses

    def at(self, frames: np.ndarray) -> State:
        return State(self.head, self.poses[frames])


def blocks(count: int) -> list[slice]:
    return [slice(first, min(first + BLOCK, count)) for first in range(0, count, BLOCK)]


def pose_equations(observed: Observations, state: State) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normal equations of each pose alone, [T,6+E,6+E] and gradient [T,6+E], and each frame's cost [T]."""
    count, unknowns = len(observed), 6 + len(state.head.modes)
    hessian, gradient, cost = np.empty((count, unknowns, unknowns)), np.empty((count, unknowns)), np.empty(count)
    for block in blocks(count):
        poses = state.poses[block]
        d = differentiate(state.head, poses, observed.centre)
        pixels, seen = observed.read(block)
        residual = d.pixels - pixels
        weight, cost[block] = observed.robust(residual, seen)
        root = np.sqrt(weight)[:, None]
        rows = (d.pose * root[:, None]).reshape(len(residual), unknowns, -1)
        hessian[block] = rows @ rows.transpose(0, 2, 1)
        gradient[block] = (rows @ (residual * root).reshape(len(residual), -1, 1))[..., 0]
        # Amounts are drawn from a normal distribution about 0.
        pull = poses.amounts @ observed.certainty
        gradient[block, 6:] += pull
        cost[block] += 0.5 * (poses.amounts * pull).sum(1)
    hessian[:, 6:, 6:] += observed.certainty
    return hessian, gradient, cost


def refine(observed: Observations, state: State, steps: int) -> Poses:
    """Each frame's pose by damped Gauss-Newton, shape and lens fixed; a step that raises a frame's cost is undone."""
    poses = state.poses
    result = Poses(poses.rotations.copy(), poses.offsets.copy(), poses.amounts.copy())
    for first in range(0, len(observed), 8 * BLOCK):
        part = np.arange(first, min(first + 8 * BLOCK, len(observed)))
        solved = _refine(observed.at(part), state.at(part), steps)
        result.rotations[part], result.offsets[part], result.amounts[part] = (
            solved.rotations,
            solved.offsets,
            solved.amounts,
        )
    return result


def _refine(observed: Observations, state: State, steps: int) -> Poses:
    poses, damping = state.poses, np.full(len(observed), 1e-4)
    hessian, gradient, cost = pose_equations(observed, state)
    for _ in range(steps):
        diagonal = np.einsum("tii->ti", hessian)
        damped = hessian + (damping[:, None] * diagonal + 1e-12)[:, :, None] * np.eye(hessian.shape[1])
        moved = poses.moved(-np.linalg.solve(damped, gradient[..., None])[..., 0])
        new_hessian, new_gradient, new_cost = pose_equations(observed, State(state.head, moved))
        better = new_cost <= cost
        choose = better[:, None]
        poses = Poses(
            np.where(choose[..., None], moved.rotations, poses.rotations),
            np.where(choose, moved.offsets, poses.offsets),
            np.where(choose, moved.amounts, poses.amounts),
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
    shape_precision: np.ndarray
    """[3P,3P] per square metre, of all x, then all y, then all z."""
    focal_precision: float
    """Infinite for a known lens."""

    def cost(self, state: State) -> float:
        known = np.isinf(self.focal_precision)
        lens = 0.0 if known else self.focal_precision * np.log(state.head.focal / self.focal) ** 2
        away = self.away(state.head.shape)
        return 0.5 * float(away @ self.shape_precision @ away + lens)

    def away(self, shape: np.ndarray) -> np.ndarray:
        """[3P] metres from what is expected."""
        return np.asarray((shape - self.shape).T.reshape(-1))


def joint_equations(observed: Observations, state: State, prior: Prior) -> tuple[np.ndarray, np.ndarray, float]:
    """Schur complement [3P+1, 3P+1] and gradient [3P+1], poses eliminated, of all x, y, z and log focal; cost."""
    count, unknowns = len(state.head.shape), 6 + len(state.head.modes)
    size = 3 * count + 1
    schur, gradient, total = np.zeros((size, size)), np.zeros(size), 0.0
    points = np.zeros((3, 3, count))
    for block in blocks(len(observed)):
        poses = state.poses[block]
        d = differentiate(state.head, poses, observed.centre)
        pixels, seen = observed.read(block)
        residual = d.pixels - pixels
        weight, cost = observed.robust(residual, seen)
        pull = poses.amounts @ observed.certainty
        total += float(cost.sum() + 0.5 * (poses.amounts * pull).sum())
        root = np.sqrt(weight)[:, None]
        d.pose *= root[:, None]
        d.point *= root[:, None]
        d.focal *= root
        residual *= root
        frames = len(residual)
        pose = d.pose.reshape(frames, unknowns, -1)
        mixed = np.empty((frames, unknowns, size + 1))
        for axis in range(3):
            one = slice(axis * count, (axis + 1) * count)
            mixed[..., one] = d.pose[:, :, 0] * d.point[:, None, axis, 0] + d.pose[:, :, 1] * d.point[:, None, axis, 1]
        right = np.stack([d.focal, residual], axis=-1).reshape(frames, -1, 2)
        mixed[..., -2:] = pose @ right
        mixed[:, 6:, -1] += pull
        own = pose @ pose.transpose(0, 2, 1)
        own += (1e-9 * np.einsum("tii->ti", own) + 1e-12)[:, :, None] * np.eye(unknowns)
        own[:, 6:, 6:] += observed.certainty
        eliminated = (np.linalg.inv(np.linalg.cholesky(own)) @ mixed).reshape(unknowns * frames, -1)
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
    schur[:-1, :-1] += prior.shape_precision
    gradient[:-1] += prior.shape_precision @ prior.away(state.head.shape)
    if np.isinf(prior.focal_precision):
        schur[-1], schur[:, -1], schur[-1, -1], gradient[-1] = 0, 0, 1, 0
    else:
        schur[-1, -1] += prior.focal_precision
        gradient[-1] += prior.focal_precision * np.log(state.head.focal / prior.focal)
    return schur, gradient, total + prior.cost(state)


def adjust(
    observed: Observations, state: State, prior: Prior, anchor: Callable[[State], State], steps: int, gain: float = 1e-6
) -> State:
    """Up to `steps` Gauss-Newton steps of shape and lens, poses re-solved after each, while a step saves that share
    of the cost; `anchor` fixes the gauge."""
    state = State(state.head, refine(observed, state, 3))
    schur, gradient, cost = joint_equations(observed, state, prior)
    damping = 1e-5
    for step in range(steps):
        damped = schur + np.diag(damping * np.diagonal(schur))
        change = -np.linalg.solve(damped, gradient)
        # A lens may not jump by more than a third at once.
        focal = state.head.focal * float(np.exp(np.clip(change[-1], -0.3, 0.3)))
        head = replace(state.head, shape=state.head.shape + change[:-1].reshape(3, -1).T, focal=focal)
        moved = anchor(State(head, state.poses))
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


def deviations(observed: Observations, state: State, floors: np.ndarray) -> np.ndarray:
    """[P] pixels: how far each point strays from the rigid head, at least `floors` [P]; outliers clipped, non-rigid
    motion of landmarks stressed."""
    squares = squared_residuals(observed, state)
    seen = np.isfinite(squares).sum(0) >= 3
    squares[:, ~seen] = 0
    # The median of a squared 2-D normal deviate is 2 ln 2.
    core = np.nanmedian(squares, axis=0) / np.log(4)
    result = np.maximum(np.sqrt(np.nanmean(np.minimum(squares, 16 * core), axis=0) / 2), floors)
    marks = slice(0, observed.groups[0].pixels.shape[1])
    noise = np.maximum(np.percentile(result[marks], NOISE_PERCENTILE), floors[marks])
    result[marks] = np.sqrt(noise**2 + SYSTEMATIC * np.maximum(result[marks] ** 2 - noise**2, 0))
    result[~seen] = 1e3
    return result


def distances(observed: Observations, state: State, points: slice) -> np.ndarray:
    """[n] the median residual of `points` in deviations."""
    result = np.empty(len(observed))
    for block in blocks(len(result)):
        part = observed.at(np.arange(block.start, block.stop))
        ratio = np.sqrt(squared_residuals(part, state.at(np.arange(block.start, block.stop)))) / observed.deviation
        result[block] = np.nanmedian(ratio[:, points], axis=1)
    return result


def squared_residuals(observed: Observations, state: State) -> np.ndarray:
    """[n,P] square pixels, NaN where a point is not seen."""
    result = np.empty((len(observed), len(state.head.shape)))
    for block in blocks(len(result)):
        pixels, seen = observed.read(block)
        projected = project(state.head, state.poses[block], observed.centre)
        result[block] = np.where(seen, ((projected - pixels) ** 2).sum(1), np.nan)
    return result
