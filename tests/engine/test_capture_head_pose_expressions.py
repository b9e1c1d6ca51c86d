# SPDX-License-Identifier: GPL-3.0-or-later
"""Expressions of a person's own, on heads whose pose is known because the test drew them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

pytest.importorskip("scipy")

from hmtalker.capture.head.bundle_adjustment import BundleSettings, solve_head_motion
from hmtalker.capture.head.bundle_equations import Observations, Points, Prior, State
from hmtalker.capture.head.expression_fit import fit_modes
from hmtalker.capture.head.head_pose_model import Head, Poses, nearest_rotations, project, rotation_vectors
from hmtalker.head_pose import HeadPose

FOCAL = 900.0
CENTRE = np.array([320.0, 240.0])
EYES = ([0, 1], [2, 3])


@dataclass
class Film:
    head: Head
    poses: Poses
    pixels: np.ndarray
    """[T,P,2]"""


def film(frames: int, noise: float, generic: np.ndarray, own: np.ndarray, shape: np.ndarray) -> Film:
    """A head that turns while it moves its face as the generic modes and the person's `own` additions to them say."""
    rng = np.random.default_rng(0)
    time = np.arange(frames)
    angles = np.radians(np.stack([6 * np.sin(time / 9), 18 * np.sin(time / 14), 4 * np.sin(time / 11)], axis=1))
    offsets = np.stack(
        [0.01 * np.sin(time / 17), 0.01 * np.cos(time / 13), np.full(frames, np.log(0.9 / FOCAL))], axis=1
    )
    amounts = np.stack([1.5 * np.sin(time / (5 + 3 * mode) + mode) for mode in range(len(generic))], axis=1)
    poses = Poses(np.stack([HeadPose(tuple(row)).matrix() for row in angles]), offsets, amounts)
    head = Head(shape, generic + own, FOCAL)
    pixels = project(head, poses, CENTRE).transpose(0, 2, 1)
    return Film(head, poses, pixels + rng.normal(0, noise, pixels.shape))


def face(points: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places [P,3], two generic modes [2,P,3] that move the lower half, and what a person adds to them."""
    rng = np.random.default_rng(1)
    x, y = rng.uniform(-0.06, 0.06, points), rng.uniform(-0.06, 0.08, points)
    x[:4], y[:4] = (-0.045, -0.018, 0.018, 0.045), 0.03
    shape = np.stack([x, y, 0.05 - 9 * x**2 - 3 * y**2], axis=1)
    soft = np.clip(-y / 0.06, 0, 1)[:, None]
    generic = np.stack(
        [soft * [0.0, -0.003, 0.0], soft * np.stack([np.sign(x), np.ones(points), 0 * x], axis=1) * 0.002]
    )
    # This person raises the brow along with it, which looks like a nod.
    brow = np.clip(y / 0.06, 0, 1)[:, None]
    own = np.stack([brow * [0.0, 0.002, 0.0], (soft + brow) * rng.normal(0, 0.001, (points, 3))])
    return shape, generic, own


def observed(made: Film) -> Observations:
    count = len(made.head.shape)
    ones = np.ones(count)
    return Observations(
        [Points(made.pixels)],
        np.arange(len(made.pixels)),
        CENTRE,
        0.2 * ones,
        ones,
        1.5,
        np.eye(2),
    )


def test_a_persons_own_modes_are_found_where_poses_are_known() -> None:
    shape, generic, own = face()
    made = film(200, 0.1, generic, own, shape)
    prior = Prior(shape, FOCAL, np.eye(3 * len(shape)) * 0.004**-2.0, 1.0)
    start = State(Head(shape, generic, FOCAL), made.poses)
    fitted = fit_modes(observed(made), start, prior, generic, np.full(len(shape), 0.001)).head
    before, after = np.abs(own), np.abs(fitted.modes - generic - own)
    assert after[..., :2].max() < 0.1 * before.max()
    assert after[..., 2].mean() < 0.4 * before[..., 2].mean()
    assert np.abs(fitted.shape - shape).max() < 0.0005


def test_modes_stay_where_nothing_is_seen() -> None:
    shape, generic, own = face()
    made = film(60, 0.1, generic, own, shape)
    made.pixels[:, 7] = np.nan
    prior = Prior(shape, FOCAL, np.eye(3 * len(shape)) * 0.004**-2.0, 1.0)
    start = State(Head(shape, generic, FOCAL), made.poses)
    fitted = fit_modes(observed(made), start, prior, generic, np.full(len(shape), 0.001)).head
    assert np.array_equal(fitted.modes[:, 7], generic[:, 7])
    assert np.array_equal(fitted.shape[7], shape[7])


def rotation_error(made: Film, settings: BundleSettings, generic: np.ndarray, shape: np.ndarray) -> float:
    """Degrees, the median over frames, the head's own axes taken out."""
    motion = solve_head_motion(made.pixels, shape, EYES, (640, 480), modes=generic, settings=settings)
    true = made.poses.rotations
    aligned = motion.rotations @ nearest_rotations((motion.rotations.transpose(0, 2, 1) @ true).mean(0))
    return float(np.median(np.degrees(np.linalg.norm(rotation_vectors(aligned @ true.transpose(0, 2, 1)), axis=1))))


def test_poses_are_better_with_a_persons_own_modes() -> None:
    shape, generic, own = face()
    made = film(150, 0.15, generic, own, shape)
    distance = float(np.linalg.norm(shape[EYES[0]].mean(0) - shape[EYES[1]].mean(0)))
    learnt, fixed = (
        rotation_error(made, BundleSettings(focal=FOCAL, eye_distance=distance, mode_deviation=given), generic, shape)
        for given in ((0.5, 0.001), (0.0, 1e-9))
    )
    assert learnt < 0.85 * fixed
