# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics on made-up pictures and landmarks whose scores are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from talking_landmarks import talking_landmarks

from hmtalker import action_units
from hmtalker.capture.face.blendshape_names import BLENDSHAPES
from hmtalker.evaluation.action_unit_error import ActionUnitError
from hmtalker.evaluation.image_metrics import (
    ALIGNED_EYES,
    ALIGNED_SIZE,
    Means,
    aligned_face,
    mouth_window,
    over,
    picture_scores,
    ssim,
    to_8bit,
)
from hmtalker.evaluation.jitter import Flicker, LandmarkJitter, second_difference
from hmtalker.evaluation.landmark_distance import MOUTH_68, LandmarkDistance, mouth_distances
from hmtalker.evaluation.peak_memory import peak_megabytes

OPENING = 0.01 * (1 + np.sin(np.arange(40) / 3))


def noise(size=64, seed=0):
    return np.random.default_rng(seed).uniform(0, 1, (size, size, 3)).astype(np.float32)


def test_a_frame_lies_over_its_background():
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[0, 0] = (255, 0, 0, 255)
    rgba[0, 1] = (255, 0, 0, 51)
    background = np.zeros((2, 2, 3), np.float32)
    background[..., 2] = 1.0
    shown = to_8bit(over(rgba, background))
    assert shown[0, 0].tolist() == [255, 0, 0]
    assert shown[0, 1].tolist() == [51, 0, 204]
    assert shown[1, 1].tolist() == [0, 0, 255]


def test_ssim_of_equal_pictures_is_one_and_falls_with_noise():
    picture = noise()
    assert ssim(picture, picture) == pytest.approx(1.0, abs=1e-6)
    little, much = (np.clip(picture + level * (noise(seed=1) - 0.5), 0, 1) for level in (0.1, 0.5))
    assert 1 > ssim(little, picture) > ssim(much, picture) > 0


def test_ssim_of_flat_pictures_is_its_luminance_term():
    # without structure: (2 a b + C1) / (a a + b b + C1), away from the zero padding of the edge
    dark, light = np.full((80, 80, 3), 0.2, np.float32), np.full((80, 80, 3), 0.4, np.float32)
    expected = (2 * 0.2 * 0.4 + 1e-4) / (0.2**2 + 0.4**2 + 1e-4)
    assert ssim(dark, light) == pytest.approx(expected, abs=0.03)


def test_an_aligned_face_is_upright_with_its_eyes_in_place():
    size = 256
    landmarks = talking_landmarks(np.zeros(1), (140.0, 120.0), roll=0.3)[0]
    picture = np.zeros((size, size, 3), np.float32)
    for corners in ((33, 133), (362, 263)):
        x, y = np.round(landmarks[list(corners), :2].mean(0)).astype(int)
        picture[y - 2 : y + 3, x - 2 : x + 3] = 1.0
    face = aligned_face(picture, landmarks)[..., 0]
    assert face.shape == (ALIGNED_SIZE, ALIGNED_SIZE)
    weights = np.maximum(face - 0.05, 0)
    halves = []
    for part, start in ((weights[:, : ALIGNED_SIZE // 2], 0), (weights[:, ALIGNED_SIZE // 2 :], ALIGNED_SIZE // 2)):
        rows, columns = np.mgrid[0 : part.shape[0], 0 : part.shape[1]]
        halves.append(((part * columns).sum() / part.sum() + start, (part * rows).sum() / part.sum()))
    (left_x, left_y), (right_x, right_y) = halves
    assert right_x - left_x == pytest.approx(ALIGNED_EYES, abs=1.0)
    assert right_y - left_y == pytest.approx(0.0, abs=1.0)


def test_the_mouth_window_holds_the_mouth_and_stays_inside():
    landmarks = talking_landmarks(np.zeros(1), (128.0, 128.0))[0]
    rows, columns = mouth_window(landmarks, (256, 256, 3))
    x, y = landmarks[13, :2]
    assert columns.start < x < columns.stop
    assert rows.start < y < rows.stop
    low = mouth_window(talking_landmarks(np.zeros(1), (128.0, 230.0))[0], (256, 256, 3))
    assert low[0].stop <= 256
    assert mouth_window(landmarks, (20, 20, 3)) is None


def test_scores_of_a_frame_name_only_what_can_be_said():
    picture = noise()
    region = np.zeros((64, 64), bool)
    scores = picture_scores(picture, picture, {"mouth": region, "face": ~region})
    assert set(scores) == {"psnr", "ssim", "psnr face"}
    landmarks = talking_landmarks(np.zeros(1), (32.0, 32.0), scale=0.25)[0]
    scores = picture_scores(picture, picture, {}, landmarks, lambda a, b: float(np.abs(a - b).mean()))
    assert scores["lpips"] == scores["lpips mouth"] == 0
    assert scores["ssim aligned"] == pytest.approx(1, abs=1e-5)
    blind = picture_scores(picture, picture, {}, np.full((478, 3), np.nan))
    assert "ssim aligned" not in blind


def test_means_are_over_the_frames_that_have_a_score():
    means = Means()
    means.add({"psnr": 20.0, "psnr mouth": 10.0})
    means.add({"psnr": 30.0, "lpips": math.nan})
    assert means.table() == {"psnr": 25.0, "psnr mouth": 10.0}


def test_landmark_distance_ignores_where_the_mouth_is_and_sees_how_it_opens():
    still = talking_landmarks(np.zeros(3))
    assert mouth_distances(still, talking_landmarks(np.zeros(3), (140.0, 90.0))) == pytest.approx(0, abs=1e-4)
    moved = still.copy()
    moved[:, list(MOUTH_68[:10]), 1] += 4.0  # half of the points 4 pixels down: 2 from the mean on either side
    assert mouth_distances(moved, still) == pytest.approx(2.0, abs=1e-4)
    distance = LandmarkDistance((256, 256))
    moved[1] = np.nan
    distance.add(moved, still)
    assert distance.frames == 2
    assert distance.table() == pytest.approx({"lmd": 2.0, "lmd 512": 4.0}, abs=1e-3)


def test_landmark_distance_of_nothing_is_unknown():
    assert math.isnan(LandmarkDistance((64, 64)).table()["lmd"])
    with pytest.raises(ValueError, match="cannot be compared"):
        mouth_distances(np.zeros((2, 478, 3)), np.zeros((3, 478, 3)))


def test_the_mouth_mapping_goes_round_both_lip_lines():
    points = talking_landmarks(np.array([0.01]))[0, list(MOUTH_68), :2]
    assert len(set(MOUTH_68)) == 20
    assert points[0, 0] < points[3, 0] < points[6, 0]  # corner, middle of the upper lip, corner
    assert points[3, 1] < points[9, 1]  # upper lip above lower lip
    assert points[14, 1] < points[18, 1]  # the inner line as well
    assert points[12, 0] < points[14, 0] < points[16, 0]


@pytest.fixture(scope="module")
def seen():
    landmarks = talking_landmarks(OPENING, (256.0, 256.0), scale=2.0)
    return landmarks, np.full((len(OPENING), len(BLENDSHAPES)), 0.01, np.float32)


def test_action_unit_error_of_a_video_with_itself_is_zero(seen):
    error = ActionUnitError()
    for _ in range(2):
        error.add(seen, {"ours": seen}, np.arange(len(OPENING)) < 12)
    table = error.tables()["ours"]
    assert table["aue lower"] < 0.02  # smoothing at the ends of both sees other neighbours
    assert table["aue upper"] < 0.02
    assert table["aue lower, motionless"] > 0.5


def test_action_unit_error_is_the_sum_of_mean_squares(seen):
    error = ActionUnitError()
    still = talking_landmarks(np.zeros(len(OPENING)), (256.0, 256.0), scale=2.0), seen[1]
    error.add(seen, {"still": still, "same": seen}, np.zeros(len(OPENING), bool))
    real, ours, known = error.measure()
    tables = error.tables()
    expected = ((real - ours["still"])[known["still"]] ** 2).mean(0)
    assert tables["still"]["aue lower"] == pytest.approx(expected[list(action_units.LOWER_INDEX)].sum(), rel=1e-5)
    assert tables["still"]["aue lower, motionless"] == tables["same"]["aue lower, motionless"]
    assert tables["still"]["AU25"] > 0.1
    assert tables["still"]["aue lower"] > 10 * tables["same"]["aue lower"]


def test_action_unit_error_leaves_out_frames_without_a_face(seen):
    blind = seen[0].copy()
    blind[5:9] = np.nan
    speaking = np.zeros(len(OPENING), bool)
    error = ActionUnitError()
    error.add(seen, {"ours": (blind, seen[1])}, speaking)
    assert error.measure()[2]["ours"].sum() == len(OPENING) - 4
    nobody = ActionUnitError()
    nobody.add((np.full_like(blind, np.nan), seen[1]), {"ours": seen}, speaking)
    assert nobody.tables() == {"ours": {}}
    assert ActionUnitError().tables() == {}
    with pytest.raises(ValueError, match="equally long"):
        error.add(seen, {"ours": (blind[:3], seen[1][:3])}, speaking)


def test_steady_motion_is_no_jitter_and_trembling_is():
    points = np.zeros((10, 1, 2))
    points[:, 0, 0] = np.arange(10) * 3.0
    assert second_difference(points) == pytest.approx(0)
    points[:, 0, 1] = np.arange(10) % 2  # up and down by one pixel: second difference 2
    assert second_difference(points) == pytest.approx(2.0)
    assert len(second_difference(points[:2])) == 0


def test_jitter_tells_silence_apart():
    landmarks = talking_landmarks(np.zeros(20))
    landmarks[::2, list(MOUTH_68), 0] += 1.0
    jitter = LandmarkJitter((256, 512))
    silent = np.arange(20) < 10
    landmarks[10:, list(MOUTH_68)] = landmarks[10, list(MOUTH_68)]
    jitter.add(landmarks, silent)
    table = jitter.table()
    assert table["jitter mouth in silence"] == pytest.approx(2.0)
    assert table["jitter mouth"] < 1.5
    assert table["jitter bone"] == pytest.approx(0, abs=1e-5)
    assert LandmarkJitter((64, 64)).table() == {}


def test_flicker_is_measured_where_the_real_video_is_still():
    real = np.full((8, 8, 3), 100, np.uint8)
    flicker = Flicker()
    for frame in range(6):
        moving = real.copy()
        moving[:4] = 100 + 40 * (frame % 2)  # the real video moves here: does not count
        ours = moving.copy()
        ours[4:] = 100 + 2 * (frame % 2)  # 2 levels up and down: second difference 4
        flicker.add(moving, ours, np.ones((8, 8), bool))
    ours, own = flicker.table()
    assert ours["flicker"] == pytest.approx(4.0)
    assert own["flicker"] == 0
    flicker.cut()
    flicker.add(real, real, np.ones((8, 8), bool))
    assert flicker.table()[0]["flicker"] == pytest.approx(4.0)
    assert Flicker().table() == ({}, {})


def test_peak_memory_is_that_of_a_python_process():
    assert math.isnan(peak_megabytes()) or 20 < peak_megabytes() < 100_000
