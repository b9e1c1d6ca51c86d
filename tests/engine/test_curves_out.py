# SPDX-License-Identifier: GPL-3.0-or-later
"""Performances as tables of other programs, and rigs whose shapes are spelled in their own way."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from hmtalker.action_units import CONDITION_MAXIMUM
from hmtalker.capture.curves.arkit_action_units import ARKIT_NAMES, arkit_to_action_units
from hmtalker.capture.curves.arkit_gaze import gaze_of
from hmtalker.capture.curves.livelink_csv import read_livelink
from hmtalker.capture.curves.openface_csv import head_rotation, read_openface
from hmtalker.capture.curves.shape_key_names import matched_shapes, side_of
from hmtalker.capture.curves.write_livelink import ORDER, write_livelink
from hmtalker.capture.curves.write_openface import openface_rotation, write_openface


def performance(frames: int = 90) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    steps = np.linspace(0, 6, frames)[:, None]
    units = (0.5 + 0.5 * np.sin(steps + rng.uniform(0, 6, 17))) * CONDITION_MAXIMUM
    head = 0.2 * np.sin(steps + rng.uniform(0, 6, 6)) * [1, 1, 1, 0.1, 0.1, 0.1]
    gaze = 0.3 * np.sin(2 * steps + rng.uniform(0, 6, 2))
    return units.astype(np.float32), head.astype(np.float32), gaze.astype(np.float32)


@pytest.mark.parametrize(("fps", "frames"), [(25.0, 90), (25.0, 40), (24000 / 1001, 90), (60.0, 90)])
def test_live_link_tables_are_read_back(tmp_path, fps, frames):
    units, head, gaze = performance(frames)
    path = tmp_path / "take.csv"
    write_livelink(path, units, head, gaze, fps)
    read = read_livelink(path, fps)
    assert read.frames == frames
    assert read.missing == ()
    again = arkit_to_action_units(read.values).action_units
    assert np.abs(again - units).max() < 2e-3
    assert np.abs(read.head[:, :3] - head[:, :3]).max() < 1e-3
    assert np.abs(gaze_of(read.values) - gaze).max() < 2e-3


def test_live_link_has_the_apps_columns(tmp_path):
    units, head, gaze = performance(3)
    write_livelink(tmp_path / "take.csv", units, head, gaze, 25.0)
    header, first, *_ = (tmp_path / "take.csv").read_text().splitlines()
    assert sorted(ORDER) == sorted(ARKIT_NAMES)
    assert header.startswith("Timecode,BlendshapeCount,EyeBlinkLeft,EyeLookDownLeft,")
    assert header.endswith("RightEyeYaw,RightEyePitch,RightEyeRoll")
    assert len(header.split(",")) == len(first.split(",")) == 63
    assert first.split(",")[:2] == ["00:00:00:00.000", "61"]


def test_openface_tables_are_read_back(tmp_path):
    units, head, _ = performance()
    head[:, 3:] -= head[:, 3:].mean(0)
    path = tmp_path / "take.csv"
    write_openface(path, units, head, 25.0)
    read = read_openface(path)
    assert (read.frames, read.fps, read.warnings) == (90, 25.0, ())
    assert np.abs(read.values - units).max() < 1e-4
    assert np.abs(read.head - head).max() < 1e-4


def test_openface_rotations_are_the_inverse():
    angles = np.random.default_rng(0).uniform(-0.7, 0.7, (200, 3))
    np.testing.assert_allclose(head_rotation(openface_rotation(angles)), angles, atol=1e-9)


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [
        ("jawOpen", "jawOpen"),
        ("JAW_OPEN", "jawOpen"),
        ("eyeBlinkLeft", "eyeBlinkLeft"),
        ("EyeBlink_L", "eyeBlinkLeft"),
        ("eye blink.R", "eyeBlinkRight"),
        ("L_eyeBlink", "eyeBlinkLeft"),
        ("rightMouthSmile", "mouthSmileRight"),
        ("Mouth_Smile_R", "mouthSmileRight"),
        ("blendShape1.mouthPucker", "mouthPucker"),
        ("Head_M-cheekPuff", "cheekPuff"),
        ("eyeBlink", "eyeBlinkLeft"),
        ("browInnerUp_R", "browInnerUp"),
        ("mouthLeft", "mouthLeft"),
        ("jaw_right", "jawRight"),
        ("eyeBlinkL", "eyeBlinkLeft"),
    ],
)
def test_shapes_are_known_however_they_are_spelled(spelled, meant):
    assert {ARKIT_NAMES[index] for index in matched_shapes([spelled]).values()} == {meant}


@pytest.mark.parametrize("other", ["Basis", "Key 1", "smile", "viseme_aa", "open", "left", "", "eyeLook"])
def test_other_shapes_are_passed_over(other):
    assert matched_shapes([other]) == {}


def test_every_name_of_arkit_means_itself_and_sides_are_told():
    assert [ARKIT_NAMES[index] for index in matched_shapes(ARKIT_NAMES).values()] == list(ARKIT_NAMES)
    sides = {name: side_of(index) for index, name in enumerate(ARKIT_NAMES)}
    assert (sides["eyeBlinkLeft"], sides["mouthSmileRight"], sides["jawLeft"], sides["mouthRight"]) == (
        "Left", "Right", "", "",
    )  # fmt: skip


def test_tables_need_numpy_alone():
    code = (
        "import sys; import hmtalker.capture.curves.write_livelink, hmtalker.capture.curves.write_openface;"
        "import hmtalker.capture.curves.livelink_csv, hmtalker.capture.curves.openface_csv;"
        "import hmtalker.capture.curves.shape_key_names;"
        "print(sorted({'cv2', 'av', 'torch', 'scipy', 'numba', 'onnxruntime'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "[]"
