# SPDX-License-Identifier: GPL-3.0-or-later
"""How one person's expressions move the skin: the generic modes, corrected point by point, and how they are used.

With poses and amounts known, what is left of each point's residual is linear in its place and in its share of every
mode, [1 + E] x 3 numbers that no other point shares; they are solved for under a prior about the present ones.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .bundle_equations import Observations, Prior, State, blocks, pose_equations
from .head_pose_model import differentiate

INDEPENDENT_FRAMES = 100
"""Expressions last, so that many frames tell no more of them than so many."""


def fit_modes(observed: Observations, state: State, prior: Prior, generic: np.ndarray, spread: np.ndarray) -> State:
    """The state with places and modes refitted. generic: [E,P,3] modes to be expected; spread: [P] metres by which a
    person's differ from them, in each mode."""
    many, count = len(state.head.modes), len(state.head.shape)
    size = 1 + many
    matrix = np.zeros((size * size, count * 9))
    right = np.zeros((size, count * 3))
    for block in blocks(len(observed)):
        poses = state.poses[block]
        d = differentiate(state.head, poses, observed.centre)
        pixels, seen = observed.read(block)
        residual = d.pixels - pixels
        weight, _ = observed.robust(residual, seen)
        factors = np.concatenate([np.ones((len(residual), 1)), poses.amounts], axis=1)
        own = np.einsum("tiap,tjap,tp->tpij", d.point, d.point, weight, optimize=True)
        pull = np.einsum("tiap,tap,tp->tpi", d.point, residual, weight, optimize=True)
        pairs = (factors[:, :, None] * factors[:, None]).reshape(len(residual), -1)
        matrix += pairs.T @ own.reshape(len(residual), -1)
        right += factors.T @ pull.reshape(len(residual), -1)
    # [P, size, 3, size, 3]
    whole = matrix.reshape(size, size, count, 3, 3).transpose(2, 0, 3, 1, 4).reshape(count, 3 * size, 3 * size).copy()
    slope = right.reshape(size, count, 3).transpose(1, 0, 2).copy()
    evidence = max(1.0, len(observed) / INDEPENDENT_FRAMES)
    every = np.arange(count)
    own = prior.shape_precision.reshape(3, count, 3, count)[:, every, :, every]
    whole[:, :3, :3] += own
    slope[:, 0] += (prior.shape_precision @ prior.away(state.head.shape)).reshape(3, count).T
    precision = np.broadcast_to((evidence / spread**2)[:, None, None], (count, many, 3))
    slope[:, 1:] += precision * (state.head.modes - generic).transpose(1, 0, 2)
    each = np.arange(3, 3 * size)
    whole[:, each, each] += precision.reshape(count, -1)
    step = -np.linalg.solve(whole, slope.reshape(count, -1, 1)).reshape(count, size, 3)
    head = replace(
        state.head, shape=state.head.shape + step[:, 0], modes=state.head.modes + step[:, 1:].transpose(1, 0, 2)
    )
    return State(head, state.poses)


def usual_amounts(observed: Observations, state: State, evidence: float, before: float) -> np.ndarray:
    """float64 [E,E] covariance of a person's amounts, by one step of expectation and maximisation: `evidence`
    independent frames against `before` frames of the unit covariance."""
    hessian, _, _ = pose_equations(observed, state)
    amounts, unmoved = state.poses.amounts, 1e-9 * np.eye(hessian.shape[1])  # points may all lie in one place
    found = amounts.T @ amounts / len(amounts) + np.linalg.inv(hessian + unmoved)[:, 6:, 6:].mean(0)
    return np.asarray((evidence * found + before * np.eye(len(found))) / (evidence + before))
