# SPDX-License-Identifier: GPL-3.0-or-later
"""Head pose and camera: directions, and the way back."""

from __future__ import annotations

import numpy as np
import pytest

from hmtalker.camera import Camera
from hmtalker.head_pose import HeadPose, quaternion_from_matrix

FORWARD, UP, RIGHT = np.eye(3)[2], np.eye(3)[1], np.eye(3)[0]


def rotate(quaternion: np.ndarray, vector: np.ndarray) -> np.ndarray:
    w, axis = quaternion[0], quaternion[1:]
    return vector + 2 * np.cross(axis, np.cross(axis, vector) + w * vector)


def test_positive_pitch_nods_down():
    assert (HeadPose((0.3, 0, 0)).matrix() @ FORWARD)[1] < -0.2


def test_positive_yaw_turns_to_the_right_of_the_image():
    assert (HeadPose((0, 0.3, 0)).matrix() @ FORWARD)[0] > 0.2


def test_positive_roll_is_counter_clockwise_in_the_image():
    assert (HeadPose((0, 0, 0.3)).matrix() @ UP)[0] < -0.2


def test_order_is_yaw_pitch_roll():
    pitch, yaw, roll = 0.4, -0.7, 0.2
    expected = HeadPose((0, yaw, 0)).matrix() @ HeadPose((pitch, 0, 0)).matrix() @ HeadPose((0, 0, roll)).matrix()
    np.testing.assert_allclose(HeadPose((pitch, yaw, roll)).matrix(), expected, atol=1e-12)


@pytest.mark.parametrize("rotation", [(0, 0, 0), (1, 2, 3), (0, np.pi, 0), (np.pi, 0, 0), (0, 0, np.pi), (-2, 0.1, 3)])
def test_quaternion_turns_like_the_matrix(rotation):
    pose = HeadPose(rotation)
    quaternion = pose.quaternion()
    assert np.linalg.norm(quaternion) == pytest.approx(1)
    assert quaternion[0] >= 0
    for vector in np.eye(3):
        np.testing.assert_allclose(rotate(quaternion, vector), pose.matrix() @ vector, atol=1e-9)


def test_identity_quaternion():
    np.testing.assert_array_equal(quaternion_from_matrix(np.eye(3)), [1, 0, 0, 0])


def test_six_numbers_and_back():
    values = np.array([0.1, -0.2, 0.3, 0.01, -0.02, 0.03], np.float32)
    np.testing.assert_array_equal(HeadPose.from_array(values).to_array(), values)


def test_camera_in_head_undoes_the_head():
    pose, pivot, camera = (
        HeadPose((0.2, -0.5, 0.1), (0.01, 0.02, 0.03)),
        np.array([0, -0.1, 0.02]),
        np.array([0.1, 0, 0.7]),
    )
    seen = pose.camera_in_head(camera, pivot)
    np.testing.assert_allclose(pose.matrix() @ (seen - pivot) + pivot + pose.translation, camera, atol=1e-12)


def test_camera_in_front_sees_up_as_up():
    camera = Camera.in_front(200, 100, 0.7)
    np.testing.assert_allclose(camera.position, [0, 0, 0.7], atol=1e-12)

    def pixel(point):
        seen = camera.K @ (camera.world_to_camera @ [*point, 1])[:3]
        return seen[:2] / seen[2]

    np.testing.assert_allclose(pixel((0, 0, 0)), [100, 50])
    assert pixel((0.05, 0, 0))[0] > 100
    assert pixel((0, 0.05, 0))[1] < 50


def test_scaled_camera_sees_the_same():
    camera = Camera.in_front(64, 48)
    half = camera.scaled(32, 24)
    np.testing.assert_allclose(half.K[:2] * 2, camera.K[:2])
    assert (half.width, half.height) == (32, 24)
    assert camera.width == 64


def test_camera_round_trip_and_refusals():
    camera = Camera.in_front(64, 48)
    again = Camera.from_dict(camera.to_dict())
    np.testing.assert_array_equal(again.K, camera.K)
    np.testing.assert_array_equal(again.world_to_camera, camera.world_to_camera)
    for field, value in (
        ("width", 0),
        ("width", None),
        ("K", [[1, 2]]),
        ("K", "x"),
        ("world_to_camera", [[0] * 4] * 4),
    ):
        with pytest.raises(ValueError):
            Camera.from_dict(camera.to_dict() | {field: value})
    with pytest.raises(ValueError):
        Camera.from_dict({})
