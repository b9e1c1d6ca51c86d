# SPDX-License-Identifier: GPL-3.0-or-later
"""Noise is taken out of a nodding head's motion, and the nod is not: poses that are measured with known noise."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")

from hmtalker.capture.head.bundle_adjustment import BundleSettings, solve_head_motion
from hmtalker.capture.head.head_pose_model import (
    Head,
    Poses,
    jitter,
    project,
    rotation_matrices,
    rotation_vectors,
)
from hmtalker.capture.head.pose_smoothing import Smoothness, smooth_poses
from hmtalker.capture.head.turning_point import NECK, turning_point

FOCAL, DISTANCE, FRAMES = 1000.0, 0.8, 150
NOISE = np.array([*np.radians([0.12, 0.09, 0.03]), 0.0001, 0.0001, 0.0008 / DISTANCE])
"""Of pitch, yaw and roll, of x and y in metres, of the distance's logarithm: such as films of synthetic people show."""


def nodding(frames: int = FRAMES, degrees: float = 4.0) -> np.ndarray:
    """[T,3] rotation vectors: a quick nod of 3 Hz in each second half of 75 frames, on slow turns."""
    time = np.arange(frames)
    within = time % 75 - 45
    nod = degrees * np.sin(2 * np.pi * 3 * within / 25) * np.exp(-((within / 6) ** 2))
    slow = np.stack([3 * np.sin(time / 15), 8 * np.sin(time / 19), 2 * np.sin(time / 17)], axis=1)
    return np.radians(slow + np.stack([nod, 0 * nod, 0 * nod], axis=1))


def about(point: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """[T,3] where the head's origin is when it turns about a point that stays."""
    return np.array([0.0, 0.0, -DISTANCE]) + point - rotations @ point


def smoothed(true: Poses, seed: int = 0) -> Poses:
    """What is found from measurements of poses that have NOISE."""
    rng = np.random.default_rng(seed)
    count = len(true.offsets)
    measured = true.moved(rng.normal(0, NOISE, (count, 6)))

    def equations(poses: Poses, frames: slice) -> tuple[np.ndarray, np.ndarray]:
        turn = rotation_vectors(poses.rotations @ measured.rotations[frames].transpose(0, 2, 1))
        away = np.concatenate([turn, poses.offsets - measured.offsets[frames]], axis=1)
        return np.broadcast_to(np.diag(NOISE**-2.0), (len(away), 6, 6)), away / NOISE**2

    start = Poses(measured.rotations, measured.offsets, measured.amounts)
    return smooth_poses(start, equations, FOCAL, np.arange(count) // 75, np.zeros(count, bool), Smoothness())


@pytest.fixture(scope="module")
def nod() -> tuple[np.ndarray, np.ndarray]:
    """Degrees [T,3]: the true rotation and what is left of its error."""
    vectors = nodding()
    rotations = rotation_matrices(vectors)
    offsets = np.tile([0.0, 0.0, np.log(DISTANCE / FOCAL)], (FRAMES, 1))
    found = smoothed(Poses(rotations, offsets, np.zeros((FRAMES, 0))))
    return np.degrees(vectors), np.degrees(rotation_vectors(found.rotations @ rotations.transpose(0, 2, 1)))


NODS = np.abs(np.arange(FRAMES) % 75 - 45) <= 8


def shake(error: np.ndarray) -> float:
    """Root mean square of second differences in the middle of nods."""
    return float(np.sqrt((np.diff(error, n=2)[NODS[1:-1]] ** 2).mean()))


def test_noise_goes_out_of_the_nod_itself(nod: tuple[np.ndarray, np.ndarray]) -> None:
    _, error = nod
    alone = np.sqrt(6) * np.degrees(NOISE[0])
    assert shake(error[:, 0]) < 0.5 * alone


def test_a_nod_leaves_the_other_axes_still(nod: tuple[np.ndarray, np.ndarray]) -> None:
    _, error = nod
    assert max(shake(error[:, 1]), shake(error[:, 2])) < 0.06


def test_the_nods_peaks_are_kept(nod: tuple[np.ndarray, np.ndarray]) -> None:
    true, error = nod
    bend = np.diff(true[:, 0], n=2)[NODS[1:-1]]
    found = np.diff(true[:, 0] + error[:, 0], n=2)[NODS[1:-1]]
    assert np.polyfit(bend, found, 1)[0] == pytest.approx(1, abs=0.03)


def test_quick_turns_to_the_side_keep_their_peaks() -> None:
    time = np.arange(FRAMES)
    yaw = np.radians(20) * np.tanh(2.5 * np.sin(2 * np.pi * time / 75))  # from side to side within half a second
    rotations = rotation_matrices(np.stack([0 * yaw, yaw, 0 * yaw], axis=1))
    offsets = np.tile([0.0, 0.0, np.log(DISTANCE / FOCAL)], (FRAMES, 1))
    found = smoothed(Poses(rotations, offsets, np.zeros((FRAMES, 0))))
    seen = np.degrees(rotation_vectors(found.rotations)[:, 1])
    assert np.abs(seen - np.degrees(yaw)).max() < 0.3
    assert seen.max() == pytest.approx(np.degrees(yaw.max()), abs=0.15)


def test_the_point_a_head_turns_about_is_found() -> None:
    point = np.array([0.005, -0.085, -0.065])
    vectors = nodding(600)
    rng = np.random.default_rng(1)
    rotations = rotation_matrices(vectors + rng.normal(0, NOISE[:3], vectors.shape))
    slow = np.stack([0.01 * np.sin(np.arange(600) / 30 + phase) for phase in range(3)], axis=1)
    places = (
        about(point, rotation_matrices(vectors)) + slow + rng.normal(0, [*NOISE[3:5], DISTANCE * NOISE[5]], (600, 3))
    )
    missing = np.zeros(600, bool)
    missing[100:110] = True
    places[missing] += 0.5
    found = turning_point(rotations, places, np.arange(600) // 75, missing)
    assert np.linalg.norm(found - point) < 0.5 * np.linalg.norm(NECK - point)


def test_a_head_that_does_not_turn_is_taken_to_turn_about_the_neck() -> None:
    still = np.tile(np.eye(3), (50, 1, 1))
    places = np.random.default_rng(2).normal(0, 0.0005, (50, 3))
    assert turning_point(still, places, np.zeros(50, int), np.zeros(50, bool)) == pytest.approx(NECK, abs=0.002)
    assert turning_point(still[:3], places[:3], np.zeros(3, int), np.zeros(3, bool)) == pytest.approx(NECK)


def test_depth_is_steady_while_a_head_nods_about_its_neck() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.uniform(-0.065, 0.065, 60), rng.uniform(-0.07, 0.09, 60)
    x[:4], y[:4] = (-0.045, -0.018, 0.018, 0.045), 0.03
    shape = np.stack([x, y, 0.05 - 9 * x**2 - 3 * y**2], axis=1)
    rotations, clips = rotation_matrices(nodding(300)), np.arange(300) // 75
    places = about(np.array([0.0, -0.09, -0.06]), rotations)
    offsets = np.concatenate([places[:, :2], np.log(-places[:, 2:] / FOCAL)], axis=1)
    true = Poses(rotations, offsets, np.zeros((300, 0)))
    head = Head(shape, np.zeros((0, 60, 3)), FOCAL)
    pixels = project(head, true, np.array([320.0, 240.0])).transpose(0, 2, 1)
    pixels = pixels + rng.normal(0, 0.5, pixels.shape)
    settings = BundleSettings(focal=FOCAL, shape_deviation=0.001)
    motion = solve_head_motion(pixels, shape, ([0, 1], [2, 3]), (640, 480), clips, settings=settings)
    left = jitter(motion.rotations @ rotations.transpose(0, 2, 1), motion.translations - places, clips)
    assert left.millimetres < 0.15
