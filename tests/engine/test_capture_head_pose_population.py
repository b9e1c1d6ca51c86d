# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of people's heads beforehand: how they differ together, and which expressions one of them uses."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")

from hmtalker.capture.head.bundle_adjustment import BundleSettings, solve_head_motion
from hmtalker.capture.head.bundle_equations import Observations, Points, State, refine
from hmtalker.capture.head.canonical_face import EYE_CORNERS, SOLVED_LANDMARKS, flow_places
from hmtalker.capture.head.expression_fit import usual_amounts
from hmtalker.capture.head.head_population import population
from hmtalker.capture.head.head_pose_model import Head, Poses, nearest_rotations, project, rotation_vectors
from hmtalker.head_pose import HeadPose

MARKS = len(SOLVED_LANDMARKS)
EYES = tuple([SOLVED_LANDMARKS.index(number) for number in side] for side in EYE_CORNERS)
FOCAL, SIZE = 1100.0, (512, 512)
CENTRE = np.array(SIZE) / 2


def poses(frames: int, amounts: np.ndarray | None = None) -> Poses:
    time = np.arange(frames)
    angles = np.radians(np.stack([5 * np.sin(time / 9), 15 * np.sin(time / 14), 3 * np.sin(time / 11)], axis=1))
    offsets = np.tile([0.0, 0.0, np.log(0.9 / FOCAL)], (frames, 1))
    amounts = np.zeros((frames, 0)) if amounts is None else amounts
    return Poses(np.stack([HeadPose(tuple(row)).matrix() for row in angles]), offsets, amounts)


def test_places_of_the_population_are_those_of_head_tracking() -> None:
    people = population()
    assert people.mean.shape == (MARKS + len(flow_places()), 3)
    assert people.components.shape[1:] == people.modes.shape[1:] == people.normals.shape == people.mean.shape
    outer, inner = (people.mean[EYES[1]][index] for index in (1, 0))
    assert outer[0] > inner[0] > 0
    nose, temple = (people.mean[SOLVED_LANDMARKS.index(number), 2] for number in (4, 127))
    assert 0.04 < nose - temple < 0.12


def test_points_near_one_place_go_together_and_lie_on_the_skin() -> None:
    people = population()
    place = MARKS + 8
    whole = people.covariance(np.array([place, place])).reshape(3, 2, 3, 2)
    both = whole[:, 0, :, 1]
    assert np.allclose(both, people.components[:, place].T @ people.components[:, place], atol=1e-12)
    normal = people.normals[place]
    own = whole[:, 0, :, 0] - both
    assert normal @ own @ normal == pytest.approx(people.along[place] ** 2)
    assert np.trace(own) == pytest.approx(people.along[place] ** 2 + 2 * people.across[place] ** 2)
    assert np.linalg.eigvalsh(people.covariance(np.arange(len(people.mean)))).min() > 0


def test_a_head_as_people_are_is_solved_better_with_the_population() -> None:
    people = population()
    landmarks = type(people)(
        people.mean[:MARKS],
        people.components[:, :MARKS],
        people.normals[:MARKS],
        people.across[:MARKS],
        people.along[:MARKS],
        people.modes[:, :MARKS],
    )
    rng = np.random.default_rng(3)
    errors = []
    for sign in (1, -1):
        shape = landmarks.mean + sign * 1.5 * landmarks.components[0]
        made = poses(60)
        pixels = project(Head(shape, np.zeros((0, MARKS, 3)), FOCAL), made, CENTRE).transpose(0, 2, 1)
        pixels += rng.normal(0, 1.0, pixels.shape)
        for known in (landmarks, None):
            motion = solve_head_motion(
                pixels, landmarks.mean, EYES, SIZE, population=known, settings=BundleSettings(focal=FOCAL)
            )
            aligned = motion.rotations @ nearest_rotations(
                (motion.rotations.transpose(0, 2, 1) @ made.rotations).mean(0)
            )
            errors.append(
                np.median(np.linalg.norm(rotation_vectors(aligned.transpose(0, 2, 1) @ made.rotations), axis=1))
            )
    assert max(errors[0], errors[2]) < 0.7 * min(errors[1], errors[3])


def test_the_expressions_a_person_uses_are_learnt() -> None:
    people, rng = population(), np.random.default_rng(0)
    true = np.zeros((len(people.modes),) * 2)
    true[:2, :2] = [[2.0, 1.5], [1.5, 2.0]]
    amounts = rng.multivariate_normal(np.zeros(len(true)), true, 200)
    head, made = Head(people.mean, people.modes, FOCAL), poses(200, amounts)
    pixels = project(head, made, CENTRE).transpose(0, 2, 1) + rng.normal(0, 0.2, (200, len(people.mean), 2))
    ones = np.ones(len(people.mean))
    observed = Observations([Points(pixels)], np.arange(200), CENTRE, 0.2 * ones, ones, 1.5, np.eye(len(true)))
    found = poses(200, np.zeros_like(amounts))
    for _ in range(4):
        found = refine(observed, State(head, found), 3)
        covariance = usual_amounts(observed, State(head, found), 200, 5)
        observed.certainty = np.linalg.inv(covariance)
    assert np.allclose(covariance[:2, :2], true[:2, :2], atol=0.5)
    assert np.diag(covariance)[2:].max() < 0.3
