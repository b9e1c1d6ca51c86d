# SPDX-License-Identifier: GPL-3.0-or-later
"""The square that is cut out of every picture: head and shoulders, the same for all frames of a capture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..camera import Camera

HEADROOM = 2.6
"""Side of the square in heights of the face (chin to hairline), which takes in hair, neck and shoulders."""
FACE_AT = 0.47
"""Height of the middle of the face in the square, from above."""
MARGIN = 0.35
"""Face heights that stay around the face in its outermost positions."""
WINDOW_MARGIN = 0.3
"""Of a frame's face box, around it: what is looked at most closely in training."""


@dataclass(frozen=True)
class Framing:
    """A square of the picture, scaled to `size` pixels."""

    left: int
    top: int
    side: int
    size: int

    @property
    def scale(self) -> float:
        return self.size / self.side

    def cut(self, image: np.ndarray) -> np.ndarray:
        """uint8 [H,W,C] -> [size,size,C]."""
        part = image[self.top : self.top + self.side, self.left : self.left + self.side]
        if self.size == self.side:
            return np.ascontiguousarray(part)
        return cv2.resize(part, (self.size, self.size), interpolation=cv2.INTER_AREA)

    def points(self, landmarks: np.ndarray) -> np.ndarray:
        """Landmarks [...,2 or 3] of the picture in pixels of the square; both count from a pixel's middle."""
        out = np.array(landmarks, np.float32)
        out[..., :2] = (out[..., :2] + 0.5 - [self.left, self.top]) * self.scale - 0.5
        if out.shape[-1] == 3:
            out[..., 2] *= self.scale
        return out

    def camera(self, whole: Camera) -> Camera:
        """The camera of the square, given that of the whole picture (K counts from a pixel's corner)."""
        K = np.array(whole.K, np.float64)
        K[0, 2] -= self.left
        K[1, 2] -= self.top
        K[:2] *= self.scale
        return Camera(self.size, self.size, K, whole.world_to_camera)


def choose_framing(boxes: np.ndarray, width: int, height: int, largest: int) -> Framing:
    """boxes: [n,4] left, top, right, bottom of the face in pixels, one a frame. largest: side of the result at most."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    face = float(np.percentile(boxes[:, 3] - boxes[:, 1], 90))
    low, high = np.percentile(boxes[:, :2], 1, axis=0), np.percentile(boxes[:, 2:], 99, axis=0)
    reach = float((high - low).max() + 2 * MARGIN * face)
    side = int(min(width, height, max(HEADROOM * face, reach)))
    side = max(16, side // 2 * 2)
    x, y = np.median(middle, axis=0)
    left = _within(x - side / 2, low[0] - MARGIN * face, high[0] + MARGIN * face, side, width)
    top = _within(y - FACE_AT * side, low[1] - MARGIN * face, high[1] + MARGIN * face, side, height)
    size = min(side, largest // 2 * 2)
    return Framing(left, top, side, size)


def face_boxes(landmarks: np.ndarray) -> np.ndarray:
    """float32 [n,4] left, top, right, bottom around landmarks [n,478,2 or 3]; NaN without a face."""
    xy = landmarks[..., :2]
    return np.concatenate([xy.min(1), xy.max(1)], 1).astype(np.float32)


def face_window(box: np.ndarray, size: int) -> np.ndarray:
    """int [4] the box [4] with its margin, inside a frame of `size` pixels."""
    grown = WINDOW_MARGIN * (box[2:] - box[:2]).max()
    low = np.clip(np.floor(box[:2] - grown), 0, size - 1)
    high = np.clip(np.ceil(box[2:] + grown), 1, size)
    return np.concatenate([low, high]).astype(np.int64)


def _within(start: float, low: float, high: float, side: int, available: int) -> int:
    """`start`, moved so that low..high lie in start..start+side as far as that goes, and inside the picture."""
    start = (low + high - side) / 2 if high - low > side else min(max(start, high - side), low)
    return int(np.clip(round(start), 0, available - side))
