# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding and following a face: the steps around the networks, with networks that look for coloured squares."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from hmtalker.capture.errors import CaptureError
from hmtalker.capture.face import face_landmarks as fl
from hmtalker.capture.face.blendshape_names import BLENDSHAPES, INPUT_LANDMARKS
from hmtalker.capture.face.face_networks import FILE_NAMES, FaceNetworks, load_networks
from hmtalker.errors import HMTalkerError

RED, BLUE = (255, 0, 0), (0, 0, 255)


class SquareNetworks:
    """Takes a bright square for a face; on a closer look, only a red one."""

    def __init__(self) -> None:
        self.detections = self.looks = 0
        self.broken = False

    def networks(self) -> FaceNetworks:
        return FaceNetworks(self.detect, self.look, self.score)

    def detect(self, square: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert square.shape == (1, 128, 128, 3)
        assert square.dtype == np.float32
        assert square.min() >= -1
        assert square.max() <= 1
        self.detections += 1
        bright = square[0].max(-1) > 0
        boxes, logits = np.zeros((1, 896, 16), np.float32), np.full((1, 896, 1), -9, np.float32)
        anchors = fl.detector_anchors() * 128
        columns = np.flatnonzero(bright.any(0))
        for part in np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1):
            if not len(part):
                continue
            rows = np.flatnonzero(bright[:, part].any(1))
            low, high = np.array([part[0], rows[0]]) - 0.5, np.array([part[-1], rows[-1]]) + 0.5
            centre, size = (low + high) / 2, high - low
            # several anchors see a face, each a little differently
            for rank, anchor in enumerate(np.argsort(((anchors - centre) ** 2).sum(1))[:3]):
                wobble = (rank - 1) * 0.2
                offset = centre - anchors[anchor]
                eyes = [-size[0] / 4, -size[1] / 4, size[0] / 4, -size[1] / 4]
                boxes[0, anchor] = [*(offset + wobble), *size, *(np.array(eyes) + np.tile(offset, 2)), *([0] * 8)]
                logits[0, anchor] = 3 if rank == 1 else 2
        return boxes, logits

    def look(self, crop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert crop.shape == (1, 256, 256, 3)
        assert crop.dtype == np.float32
        self.looks += 1
        red = (crop[0, ..., 0] > 0.5) & (crop[0, ..., 2] < 0.5)
        if not red.any():
            return np.zeros((1, 1, 1, 1434), np.float32), np.full((1, 1, 1, 1), -5, np.float32)
        rows, columns = np.flatnonzero(red.any(1)), np.flatnonzero(red.any(0))
        points = np.zeros((478, 3))
        points[:, 0], points[:, 1], points[:, 2] = columns.mean(), rows.mean(), 8
        points[0, :2], points[1, :2] = (columns[0], rows[0]), (columns[-1], rows[-1])
        points[33, :2], points[263, :2] = (columns[0], rows.mean()), (columns[-1], rows.mean())
        if self.broken:
            points[5] = np.nan
        return points.astype(np.float32).reshape(1, 1, 1, -1), np.full((1, 1, 1, 1), 5, np.float32)

    def score(self, points: np.ndarray) -> np.ndarray:
        assert points.shape == (1, 146, 2)
        assert points.dtype == np.float32
        return np.arange(52, dtype=np.float32) / 52


def picture(*squares: tuple[int, int, int, tuple[int, int, int]], width: int = 320, height: int = 240) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    for x, y, size, colour in squares:
        image[y : y + size, x : x + size] = colour
    return image


def bounds(face: fl.Face) -> tuple[float, ...]:
    return (*face.landmarks[:, :2].min(0).tolist(), *face.landmarks[:, :2].max(0).tolist())


def test_anchors_cover_the_square_row_by_row() -> None:
    anchors = fl.detector_anchors() * 128
    assert anchors.shape == (896, 2)
    np.testing.assert_array_equal(
        anchors[[0, 1, 2, 31, 32, 511]], [[4, 4], [4, 4], [12, 4], [124, 4], [4, 12], [124, 124]]
    )
    np.testing.assert_array_equal(anchors[[512, 517, 518, 895]], [[8, 8], [8, 8], [24, 8], [120, 120]])


def test_the_blendshape_network_gets_146_different_landmarks_and_gives_52_names() -> None:
    assert len(set(BLENDSHAPES)) == 52
    assert len(set(INPUT_LANDMARKS)) == 146
    assert max(INPUT_LANDMARKS) < fl.LANDMARKS


@pytest.mark.parametrize(("width", "height"), [(320, 240), (240, 320), (900, 500), (128, 128)])
def test_landmarks_land_on_the_face_in_pictures_of_any_shape(width: int, height: int) -> None:
    fake = SquareNetworks()
    image = picture((60, 40, 50, RED), width=width, height=height)
    tracker = fl.FaceTracker(fake.networks())
    (box,) = tracker.detect(image)
    pixel = max(width, height) / 128  # the detector sees no finer
    np.testing.assert_allclose((*box.low, *box.high), (60, 40, 110, 90), atol=1.5 * pixel)
    face = tracker.track(image)
    assert face is not None
    np.testing.assert_allclose(bounds(face), (60, 40, 109, 89), atol=1)
    assert face.landmarks.shape == (478, 3)
    assert face.landmarks.dtype == np.float32
    assert face.blendshapes.shape == (52,)
    assert face.presence == pytest.approx(1 / (1 + math.exp(-5)))
    assert 0 < face.landmarks[0, 2] < 8  # depth shrinks with the crop


def test_the_detector_rests_while_the_face_is_followed() -> None:
    fake = SquareNetworks()
    tracker = fl.FaceTracker(fake.networks())
    for step in range(8):
        face = tracker.track(picture((40 + 4 * step, 60 + step, 60, RED)))
        assert face is not None
        assert face.tracked == (step > 0)
        np.testing.assert_allclose(bounds(face)[:2], (40 + 4 * step, 60 + step), atol=1)
    assert fake.detections == 1


def test_a_face_that_jumps_is_found_again_in_the_same_frame() -> None:
    fake = SquareNetworks()
    tracker = fl.FaceTracker(fake.networks())
    tracker.track(picture((20, 20, 40, RED)))
    face = tracker.track(picture((240, 160, 40, RED)))
    assert face is not None
    assert not face.tracked
    np.testing.assert_allclose(bounds(face)[:2], (240, 160), atol=1)
    assert fake.detections == 2


def test_a_lost_face_is_none_until_it_returns() -> None:
    fake = SquareNetworks()
    tracker = fl.FaceTracker(fake.networks())
    with_face, without = picture((100, 80, 50, RED)), picture()
    seen = [tracker.track(image) for image in (with_face, without, without, with_face)]
    assert [face is not None for face in seen] == [True, False, False, True]
    assert fake.detections == 4  # at first, when lost, and in every frame from then on
    assert fake.looks == 3  # a lost region is not looked at a second time


def test_reset_forgets_the_frame_before() -> None:
    fake = SquareNetworks()
    tracker = fl.FaceTracker(fake.networks())
    image = picture((100, 80, 50, RED))
    tracker.track(image)
    tracker.reset()
    face = tracker.track(image)
    assert face is not None
    assert not face.tracked


def test_two_faces_are_counted_and_the_larger_is_followed() -> None:
    tracker = fl.FaceTracker(SquareNetworks().networks())
    image = picture((20, 30, 40, RED), (180, 60, 90, RED))
    boxes = sorted(tracker.detect(image), key=lambda box: box.low)
    assert len(boxes) == 2
    np.testing.assert_allclose([box.low for box in boxes], [(20, 30), (180, 60)], atol=4)
    assert boxes[1].area > 3 * boxes[0].area
    face = tracker.track(image)
    assert face is not None
    np.testing.assert_allclose(bounds(face), (180, 60, 269, 149), atol=1)


def test_what_only_looks_like_a_face_is_passed_over() -> None:
    fake = SquareNetworks()
    tracker = fl.FaceTracker(fake.networks())
    face = tracker.track(picture((20, 30, 40, RED), (180, 60, 90, BLUE)))
    assert face is not None
    np.testing.assert_allclose(bounds(face)[:2], (20, 30), atol=1)
    tracker.reset()
    assert tracker.track(picture((180, 60, 90, BLUE))) is None


def test_landmarks_that_are_not_numbers_are_no_face() -> None:
    fake = SquareNetworks()
    fake.broken = True
    assert fl.FaceTracker(fake.networks()).track(picture((100, 80, 50, RED))) is None


@pytest.mark.parametrize("shape", [(240, 320), (1, 1), (1, 500), (500, 1)])
def test_black_pictures_of_any_size_show_nobody(shape: tuple[int, int]) -> None:
    tracker = fl.FaceTracker(SquareNetworks().networks())
    assert tracker.detect(np.zeros((*shape, 3), np.uint8)) == []
    assert tracker.track(np.zeros((*shape, 3), np.uint8)) is None


@pytest.mark.parametrize(
    ("image", "wrong"),
    [
        (np.zeros((20, 30), np.uint8), "three colours"),
        (np.zeros((20, 30, 1), np.uint8), "three colours"),
        (np.zeros((20, 30, 4), np.uint8), "three colours"),
        (np.zeros((20, 30, 3), np.uint16), "8 bits"),
        (np.zeros((20, 30, 3), np.float32), "8 bits"),
        (np.zeros((0, 30, 3), np.uint8), "no pixels"),
    ],
)
def test_other_pictures_are_refused_with_a_sentence(image: np.ndarray, wrong: str) -> None:
    tracker = fl.FaceTracker(SquareNetworks().networks())
    for method in (tracker.track, tracker.detect):
        with pytest.raises(CaptureError, match=wrong):
            method(image)


def test_boxes_of_one_face_are_joined_and_of_two_kept_apart() -> None:
    low = np.array([[0.0, 0.0], [50.0, 0.0], [1.0, 1.0], [7.0, 0.0]])
    groups = fl.same_face(low, low + 10, np.array([0.7, 0.8, 0.9, 0.6]))
    assert [group.tolist() for group in groups] == [[2, 0], [1], [3]]


@pytest.mark.parametrize("degrees", [-40, 0, 25, 90])
def test_the_next_crop_turns_with_the_eyes(degrees: float) -> None:
    rng = np.random.default_rng(1)
    flat = rng.uniform(-1, 1, (478, 2)) * [30, 50]
    flat[:2] = (-30, -50), (30, 50)
    flat[[33, 263]] = (-20, -10), (20, -10)
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    region = fl.region_around(flat @ turn.T + (200, 150))
    np.testing.assert_allclose(region, (200, 150, 150, angle), atol=1e-9)
    middle = region.to_image() @ (128, 128, 1)
    np.testing.assert_allclose(middle, (200, 150), atol=1e-9)
    corner = region.to_image() @ (0, 0, 1)
    np.testing.assert_allclose(corner, turn @ (-75, -75) + (200, 150), atol=1e-9)


def bilinear(image: np.ndarray, x: float, y: float, black: bool) -> np.ndarray:
    def pixel(column: int, row: int) -> np.ndarray:
        height, width = image.shape[:2]
        if black and not (0 <= column < width and 0 <= row < height):
            return np.zeros(image.shape[2])
        return image[min(max(row, 0), height - 1), min(max(column, 0), width - 1)].astype(float)

    c, r = math.floor(x), math.floor(y)
    u, v = x - c, y - r
    upper = pixel(c, r) * (1 - u) + pixel(c + 1, r) * u
    return upper * (1 - v) + (pixel(c, r + 1) * (1 - u) + pixel(c + 1, r + 1) * u) * v


@pytest.mark.parametrize("black", [False, True])
@pytest.mark.parametrize("shape", [(24, 31), (1, 9), (9, 1), (1, 1), (2, 2)])
def test_warp_is_bilinear_and_goes_on_beyond_the_edge(shape: tuple[int, int], black: bool) -> None:
    image = np.random.default_rng(2).integers(0, 256, (*shape, 3), np.uint8)
    matrix = np.array([[0.83, -0.41, shape[1] / 2 - 8.3], [0.41, 0.83, shape[0] / 2 - 24.7]])
    got = fl.warp(image, matrix, 40, black_outside=black)
    want = [[bilinear(image, *(matrix @ (j, i, 1)), black) for j in range(40)] for i in range(40)]
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, want, atol=0.02)


def test_warp_reads_views_of_pictures() -> None:
    image = np.random.default_rng(3).integers(0, 256, (20, 20, 3), np.uint8)
    mirrored = image[:, ::-1]
    np.testing.assert_array_equal(fl.warp(mirrored, np.eye(2, 3), 20), mirrored)


def test_missing_and_damaged_networks_are_refused_with_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    with pytest.raises(HMTalkerError, match=r"cannot be read.*convert_face_landmarker"):
        load_networks(tmp_path)
    for name in FILE_NAMES:
        (tmp_path / name).write_bytes(b"no network")
    with pytest.raises(HMTalkerError, match="damaged"):
        load_networks(tmp_path)
