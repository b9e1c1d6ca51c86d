# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of features: the same face gives the same row, however large, turned or far away it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hmtalker.capture.units import face_features as ff
from hmtalker.capture.units.face_space import WEIGHTS, load_arrays, load_face_space
from hmtalker.errors import HMTalkerError
from hmtalker.head_pose import HeadPose

SPACE = load_face_space()
NAMES = ff.feature_names()
SCORES = np.full((1, 52), 0.1)


def seen(face: np.ndarray, *, size: float = 90.0, turn: np.ndarray | None = None, at: tuple = (200, 150)) -> np.ndarray:
    """Landmarks [478,3] in pixels of an upright face in units of the face space."""
    turned = face @ (np.eye(3) if turn is None else turn).T
    return (size * turned * [1, -1, -1] + [*at, 0]).astype(np.float32)


def row(landmarks: np.ndarray, rotations: np.ndarray | None = None) -> dict[str, float]:
    features = ff.face_features(landmarks[None], SCORES, rotations)
    assert features.dtype == np.float32
    return dict(zip(NAMES, features[0].tolist(), strict=True))


def test_neither_place_nor_size_nor_pose_change_the_measures() -> None:
    face = SPACE.mean.copy()
    face[ff.LOWER_LIP_INNER, 1] -= 0.1
    straight = row(seen(face))
    pose = HeadPose((0.2, -0.4, 0.1))
    turned = row(seen(face, size=250, turn=pose.matrix(), at=(900, 40)))
    for name in ff.DISTANCES:
        # float32 pixels of a face 250 px wide
        assert turned[name] == pytest.approx(straight[name], abs=2e-5), name
    assert [turned["pitch"], turned["yaw"], turned["roll"]] == pytest.approx([0.2, -0.4, 0.1], abs=1e-3)
    assert turned["log_size"] == pytest.approx(np.log(250), abs=1e-3)
    assert straight["lip_gap"] == pytest.approx(row(seen(SPACE.mean))["lip_gap"] + 0.1, abs=1e-5)


def test_known_rotations_are_taken_up_to_a_turn_that_all_frames_share() -> None:
    poses = [HeadPose((0.0, yaw, 0.05)).matrix() for yaw in (-0.3, 0.0, 0.3)]
    tilt = HeadPose((0.15, 0.1, 0.0)).matrix()  # another idea of straight ahead
    landmarks = np.stack([seen(SPACE.mean, turn=pose) for pose in poses])
    scores = np.repeat(SCORES, 3, 0)
    own = ff.face_features(landmarks, scores)
    given = ff.face_features(landmarks, scores, np.stack([pose @ tilt for pose in poses]))
    np.testing.assert_allclose(given, own, atol=2e-4)


def test_left_and_right_are_the_persons_own() -> None:
    face = SPACE.mean.copy()
    before = row(seen(face))
    left_corner = ff.MOUTH_CORNER[0]
    assert face[left_corner, 0] > 0  # the person's left is on the right of the picture
    face[left_corner, 1] += 0.05
    after = row(seen(face))
    assert after["corner_yL"] - before["corner_yL"] == pytest.approx(0.05, abs=1e-4)
    assert after["corner_yR"] == pytest.approx(before["corner_yR"], abs=1e-5)


def test_scores_become_logits_that_stay_finite() -> None:
    scores = np.repeat(SCORES, 2, 0)
    scores[0], scores[1] = 0.0, 1.0
    features = ff.face_features(np.stack([seen(SPACE.mean)] * 2), scores)
    logits = features[:, [NAMES.index(name) for name in ff.SCORES]]
    assert np.isfinite(logits).all()
    np.testing.assert_allclose(logits[0], -logits[1], rtol=1e-3)


def test_frames_without_a_usable_face_are_nan_rows() -> None:
    landmarks = np.stack([seen(SPACE.mean)] * 5)
    scores = np.repeat(SCORES, 5, 0)
    landmarks[1] = np.nan
    landmarks[2] = landmarks[2, :1]  # all points in one place
    scores[3] = np.nan
    landmarks[4, 7, 0] = np.inf
    features = ff.face_features(landmarks, scores)
    assert np.isfinite(features[0]).all()
    assert np.isnan(features[1:]).all()


def test_no_frames_give_no_rows() -> None:
    assert ff.face_features(np.zeros((0, 478, 3)), np.zeros((0, 52))).shape == (0, len(NAMES))


def test_arrays_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="landmarks are"):
        ff.face_features(np.zeros((2, 468, 3)), np.zeros((2, 52)))
    with pytest.raises(ValueError, match="blendshapes are"):
        ff.face_features(np.zeros((2, 478, 3)), np.zeros((3, 52)))
    with pytest.raises(ValueError, match="rotations are"):
        ff.face_features(np.zeros((2, 478, 3)), np.zeros((2, 52)), np.zeros((2, 3)))


def test_the_shipped_file_is_small_and_complete() -> None:
    assert WEIGHTS.stat().st_size < 300 * 1024
    assert SPACE.mean.shape == (478, 3)
    assert SPACE.rigidity.sum() == pytest.approx(1)
    outer_eyes = SPACE.mean[ff.OUTER_EYE[0]] - SPACE.mean[ff.OUTER_EYE[1]]
    assert np.linalg.norm(outer_eyes) == pytest.approx(1, abs=0.01)
    np.testing.assert_allclose(SPACE.basis @ SPACE.basis.T, np.eye(len(SPACE.basis)), atol=5e-3)  # kept in 16 bits


@pytest.mark.parametrize("content", [None, b"", b"no numbers"])
def test_a_missing_or_damaged_file_is_said_in_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "weights.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(HMTalkerError, match=r"cannot be read from .* install HM-Talker again\.$"):
        load_arrays(path)
