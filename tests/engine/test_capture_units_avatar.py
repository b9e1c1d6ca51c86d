# SPDX-License-Identifier: GPL-3.0-or-later
"""Units that the bundled avatar is told to show are the units that are measured on its pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hmtalker.action_unit_sets import OPENFACE_17
from hmtalker.action_units import CODES
from hmtalker.avatar import load_avatar
from hmtalker.capture.face.face_landmarks import FaceTracker
from hmtalker.capture.face.face_networks import find_networks, load_networks
from hmtalker.capture.units.face_features import face_features
from hmtalker.capture.units.measure import measure_units
from hmtalker.errors import HMTalkerError
from hmtalker.head_pose import HeadPose
from hmtalker.motion.state import MotionState
from hmtalker.render import Renderer

AVATAR = Path(__file__).resolve().parents[2] / "assets" / "bundled_avatar.hmt"
SIZE = 256
RESTING = 10
SHOWN: tuple[dict[str, float], ...] = (
    {"AU12": 4}, {"AU04": 4}, {"AU14": 4}, {"AU15": 4}, {"AU20": 4}, {"AU01": 4, "AU02": 4}, {"AU25": 3.5, "AU26": 3},
    {"AU45": 2},
)  # fmt: skip


@pytest.fixture(scope="module")
def measured() -> np.ndarray:
    """[len(SHOWN),17] what was measured on one picture of each; the head turns a little from picture to picture."""
    try:
        tracker = FaceTracker(load_networks(find_networks()))
    except HMTalkerError as error:
        pytest.skip(f"the face networks are not here: {error}")
    avatar = load_avatar(AVATAR)
    renderer = Renderer(avatar, threads=1)
    landmarks, scores = [], []
    for number, units in enumerate([{}] * RESTING + list(SHOWN)):
        values = np.zeros(len(CODES), np.float32)
        for code, value in units.items():
            values[CODES.index(code)] = value
        head = HeadPose(tuple(np.random.default_rng(number).normal(0, 0.03, 3)))
        rgba = renderer.render_srgb8(MotionState(values, head=head), avatar.camera.scaled(SIZE, SIZE)).astype(
            np.float32
        )
        alpha = rgba[..., 3:] / 255
        face = tracker.track((rgba[..., :3] * alpha + 110 * (1 - alpha) + 0.5).astype(np.uint8))
        assert face is not None
        landmarks.append(face.landmarks)
        scores.append(face.blendshapes)
    renderer.close()
    count = len(landmarks)
    silent = np.arange(count) < RESTING
    features = face_features(np.stack(landmarks), np.stack(scores))
    # every picture is a clip of its own, since they do not follow each other
    return measure_units([features], np.ones(count, bool), silent, np.arange(count), OPENFACE_17).values[RESTING:]


@pytest.mark.parametrize("number", range(len(SHOWN)), ids=["+".join(units) for units in SHOWN])
def test_the_strongest_units_are_those_that_are_shown(measured: np.ndarray, number: int) -> None:
    row = dict(zip(OPENFACE_17.codes, measured[number].tolist(), strict=True))
    strongest = sorted(row, key=lambda code: -row[code])
    assert set(strongest[: len(SHOWN[number])]) == set(SHOWN[number])
    for code, value in SHOWN[number].items():
        assert row[code] > 0.5 * value
