# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces in video frames: boxes, 478 landmarks, 52 blendshape scores and how sure the network is that a face is there.

The three networks of MediaPipe's Face Landmarker on onnxruntime, as ``convert_face_landmarker`` writes them. The steps
between them follow MediaPipe's graphs (face_detector_graph.cc, face_landmarks_detector_graph.cc): a detector finds the
face once; after that the crop of each frame comes from the landmarks of the frame before, until the face is lost.

Pixel coordinates here count from the middle of the first pixel: x right, y down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..errors import CaptureError
from .blendshape_names import INPUT_LANDMARKS
from .face_networks import FaceNetworks

LANDMARKS = 478
"""468 of the face mesh and 5 of each iris."""
DETECTOR_SIZE = 128
CROP_SIZE = 256
CROP_MARGIN = 1.5
"""The crop is this much larger than the face."""
MINIMUM_SCORE = 0.5
OVERLAP = 0.3
"""Boxes that share more of their union than this are one face."""
SMALLEST_CROP = 4.0
"""Pixels. A crop smaller than this cannot show a face."""

LEFT_OF_PICTURE, RIGHT_OF_PICTURE = 33, 263
"""Landmarks of the outer eye corners, whose line tells the roll of the head."""

_INPUT_LANDMARKS = np.array(INPUT_LANDMARKS)
_BAND = 32  # rows of a cut-out at a time: what is at work stays in the cache


class Region(NamedTuple):
    """A square of the picture: centre and side in pixels, roll in radians, positive clockwise as seen."""

    x: float
    y: float
    size: float
    roll: float

    def to_image(self) -> np.ndarray:
        """float64 [2, 3]: pixels of the crop -> pixels of the picture."""
        scale, half = self.size / CROP_SIZE, CROP_SIZE / 2
        cosine, sine = math.cos(self.roll) * scale, math.sin(self.roll) * scale
        offset = self.x - (cosine - sine) * half, self.y - (sine + cosine) * half
        return np.array([[cosine, -sine, offset[0]], [sine, cosine, offset[1]]])

    def usable(self) -> bool:
        return all(math.isfinite(value) for value in self) and self.size >= SMALLEST_CROP


@dataclass(frozen=True)
class FaceBox:
    """One detected face: `low` and `high` corners (x, y) in pixels, `score` 0.5..1, and the crop to look closer at."""

    low: tuple[float, float]
    high: tuple[float, float]
    score: float
    region: Region

    @property
    def area(self) -> float:
        return (self.high[0] - self.low[0]) * (self.high[1] - self.low[1])


@dataclass(frozen=True)
class Face:
    """One face of one frame.

    landmarks: float32 [478, 3], pixels and, in the same unit, depth relative to the head's middle (away is positive).
    presence: 0.5..1, how sure the network is that this is a face. blendshapes: float32 [52], 0..1, in the order of
    ``BLENDSHAPES``. tracked: found from the frame before, not by the detector.
    """

    landmarks: np.ndarray
    presence: float
    blendshapes: np.ndarray
    tracked: bool


class FaceTracker:
    """Follows one face through a video, the largest one where there are several.

    Call ``reset`` at every cut. Landmarks are not smoothed over time.
    """

    def __init__(self, networks: FaceNetworks) -> None:
        self._networks = networks
        self._anchors = detector_anchors()
        self._region: Region | None = None

    def reset(self) -> None:
        """Forget the frame before."""
        self._region = None

    def track(self, image: np.ndarray) -> Face | None:
        """The face in `image` (uint8 [H, W, 3] RGB), or None. Raises :class:`CaptureError` for other images."""
        check_image(image)
        face = None
        if self._region is not None:
            face = self._look(image, self._region, tracked=True)
        if face is None:
            boxes = sorted(self.detect(image), key=lambda box: -box.area)
            # what the detector takes for a face, the closer look may not
            face = next((f for box in boxes if (f := self._look(image, box.region, tracked=False))), None)
        self._region = None if face is None else region_around(face.landmarks)
        return face

    def detect(self, image: np.ndarray) -> list[FaceBox]:
        """All faces in `image` (uint8 [H, W, 3] RGB), surest first; for faces within about 2 m of the camera.

        Independent of the face that is tracked. Raises :class:`CaptureError`.
        """
        check_image(image)
        height, width = image.shape[:2]
        scale = max(height, width) / DETECTOR_SIZE
        # the picture in the middle of a black square
        left, top = (width - DETECTOR_SIZE * scale) / 2, (height - DETECTOR_SIZE * scale) / 2
        square = warp(image, np.array([[scale, 0, left], [0, scale, top]]), DETECTOR_SIZE, black_outside=True)
        boxes, logits = self._networks.detector((square / np.float32(127.5) - 1)[None])
        score = _sigmoid(np.asarray(logits, np.float64).reshape(-1))
        kept = np.flatnonzero(score > MINIMUM_SCORE)  # false for NaN
        score = score[kept]
        # centre, size and six key points, in units of the square; all but the size relative to the anchor
        values = np.asarray(boxes, np.float64).reshape(-1, 8, 2)[kept] / DETECTOR_SIZE
        values[:, [0, 2, 3, 4, 5, 6, 7]] += self._anchors[kept][:, None]
        found = []
        for members in same_face(values[:, 0] - values[:, 1] / 2, values[:, 0] + values[:, 1] / 2, score):
            weight = score[members] / score[members].sum()
            mean = np.tensordot(weight, values[members], 1) * DETECTOR_SIZE * scale + [left, top]
            size = (weight @ values[members, 1]) * DETECTOR_SIZE * scale
            centre, eyes = mean[0], mean[2:4]
            roll = math.atan2(*(eyes[1] - eyes[0])[::-1])
            region = Region(float(centre[0]), float(centre[1]), float(size.max()) * CROP_MARGIN, roll)
            if region.usable():
                low, high = (centre - size / 2).tolist(), (centre + size / 2).tolist()
                found.append(FaceBox((low[0], low[1]), (high[0], high[1]), float(score[members].max()), region))
        return found

    def _look(self, image: np.ndarray, region: Region, *, tracked: bool) -> Face | None:
        """The face in one region, or None if there is none."""
        if not region.usable():
            return None
        to_image = region.to_image()
        crop = warp(image, to_image, CROP_SIZE) / np.float32(255)
        points, logit = self._networks.landmarks(crop[None])
        presence = float(_sigmoid(np.asarray(logit, np.float64).reshape(-1))[0])
        points = np.asarray(points, np.float64).reshape(LANDMARKS, 3)
        if not presence > MINIMUM_SCORE or not np.isfinite(points).all():
            return None
        points[:, 2] *= region.size / CROP_SIZE
        points[:, :2] = points[:, :2] @ to_image[:, :2].T + to_image[:, 2]
        landmarks = points.astype(np.float32)
        scores = self._networks.blendshapes(landmarks[None, _INPUT_LANDMARKS, :2])
        return Face(landmarks, presence, np.array(scores, np.float32).reshape(-1), tracked)


def check_image(image: np.ndarray) -> None:
    """Raise :class:`CaptureError` unless `image` is uint8 [H, W, 3] with at least one pixel."""
    if image.ndim != 3 or image.shape[2] != 3:
        raise CaptureError(
            f"A video frame must have three colours, not the shape {image.shape}; convert it to 8-bit RGB first."
        )
    if image.dtype != np.uint8:
        raise CaptureError(
            f"A video frame must have 8 bits a colour, not {image.dtype}; convert it to 8-bit RGB first."
        )
    if image.size == 0:
        raise CaptureError("A video frame has no pixels; check whether the video file is damaged.")


def detector_anchors() -> np.ndarray:
    """float64 [896, 2]: centres x, y (0..1) of MediaPipe's short-range detector, 2 a cell of 8 px, then 6 of 16."""
    anchors = []
    for stride, repeats in ((8, 2), (16, 6)):
        centres = (np.arange(DETECTOR_SIZE // stride) + 0.5) * stride / DETECTOR_SIZE
        cells = np.stack(np.meshgrid(centres, centres), -1).reshape(-1, 2)
        anchors.append(cells.repeat(repeats, 0))
    return np.concatenate(anchors)


def same_face(low: np.ndarray, high: np.ndarray, score: np.ndarray) -> list[np.ndarray]:
    """Indices of boxes that show one face, for each face, the surest first. low, high: [n, 2]. score: [n]."""
    groups = []
    left = np.argsort(-score, kind="stable")
    while len(left):
        best = left[0]
        inner = np.clip(np.minimum(high[left], high[best]) - np.maximum(low[left], low[best]), 0, None).prod(1)
        union = (high[left] - low[left]).prod(1) + (high[best] - low[best]).prod() - inner
        same = inner > OVERLAP * union
        same[0] = True
        groups.append(left[same])
        left = left[~same]
    return groups


def region_around(landmarks: np.ndarray) -> Region:
    """The crop for the frame after the one with these landmarks [478, 2 or 3]: upright with the eyes."""
    x, y = (landmarks[RIGHT_OF_PICTURE, :2] - landmarks[LEFT_OF_PICTURE, :2]).tolist()
    roll = math.atan2(y, x)
    rotation = np.array([[math.cos(roll), math.sin(roll)], [-math.sin(roll), math.cos(roll)]])
    upright = landmarks[:, :2] @ rotation.T
    low, high = upright.min(0), upright.max(0)
    centre = (low + high) / 2 @ rotation
    return Region(float(centre[0]), float(centre[1]), float((high - low).max()) * CROP_MARGIN, roll)


def warp(image: np.ndarray, to_image: np.ndarray, size: int, *, black_outside: bool = False) -> np.ndarray:
    """A square cut-out, bilinear: float32 [size, size, C] in the values of `image` (uint8 [H, W, C]).

    `to_image`: [2, 3], pixels of the cut-out -> pixels of the image. Beyond its edge the image goes on with the pixels
    of the edge, or black.
    """
    height, width, colours = image.shape
    pixels = np.ascontiguousarray(image).reshape(height * width, colours)
    right, below = int(width > 1), width if height > 1 else 0  # how far on the neighbours are
    (xx, xy, x0), (yx, yy, y0) = to_image.tolist()
    steps = np.arange(size)
    out = np.empty((size, size, colours), np.float32)
    for start in range(0, size, _BAND):
        band = out[start : start + _BAND]
        rows = steps[start : start + _BAND, None]
        x_given = (steps * xx).astype(np.float32) + (rows * xy + x0).astype(np.float32)
        y_given = (steps * yx).astype(np.float32) + (rows * yy + y0).astype(np.float32)
        x = np.minimum(np.maximum(x_given, 0), width - 1)
        y = np.minimum(np.maximum(y_given, 0), height - 1)
        column = np.minimum(x.astype(np.int64), max(width - 2, 0))
        row = np.minimum(y.astype(np.int64), max(height - 2, 0))
        # one factor a number, since numpy is slow at sharing one among three
        across = (x - column).astype(np.float32).repeat(colours, 1).reshape(band.shape)
        down = (y - row).astype(np.float32).repeat(colours, 1).reshape(band.shape)
        first = row * width + column
        band[...] = _mixed(pixels, first, right, across)
        lower = _mixed(pixels[below:], first, right, across)
        lower -= band
        lower *= down
        band += lower
        if black_outside:
            inside = np.maximum(1 - abs(x_given - x), 0) * np.maximum(1 - abs(y_given - y), 0)
            band *= inside[..., None]
    return out


def _mixed(pixels: np.ndarray, index: np.ndarray, right: int, share: np.ndarray) -> np.ndarray:
    """`pixels` at `index`, mixed with `share` of those `right` of them."""
    value = pixels.take(index, 0).astype(np.float32)
    other = pixels[right:].take(index, 0).astype(np.float32)
    other -= value
    other *= share
    value += other
    return value


def _sigmoid(value: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-np.clip(value, -50, 50))))
