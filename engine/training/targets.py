# SPDX-License-Identifier: GPL-3.0-or-later
"""What each branch should show in one frame: cropped, masked, premultiplied targets.

The face branch must not show the inside of the mouth, and the mouth branch must fill what the face leaves open
(arXiv 2508.10566, section on the two branches; Eq 10). With exact soft masks both targets have exact soft alpha.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..camera import Camera
from ..rasterize.compiled import kernel
from .dataset import Pictures

MOUTH_VISIBLE = 40
"""Coverage, of 255, from which a pixel counts as showing the inside of the mouth."""
WHOLE = np.float32(255)


@dataclass(frozen=True)
class Crop:
    """A window of the frame in pixels: rows top..bottom, columns left..right (exclusive)."""

    left: int
    top: int
    right: int
    bottom: int

    def camera(self, camera: Camera) -> Camera:
        """The camera that sees just this window."""
        k = camera.K.copy()
        k[0, 2] -= self.left
        k[1, 2] -= self.top
        return Camera(self.right - self.left, self.bottom - self.top, k, camera.world_to_camera)

    def cut(self, image: np.ndarray) -> np.ndarray:
        """image: [H,W,...] -> the window's pixels."""
        return image[self.top : self.bottom, self.left : self.right]


def mouth_crop(pictures: Pictures, frame: int, margin: int, multiple: int = 16) -> Crop | None:
    """The window around what shows of the mouth's inside, with a margin in pixels; None where the lips are shut."""
    covered = pictures.masks[frame, ..., 0] > MOUTH_VISIBLE
    rows, columns = np.flatnonzero(covered.any(1)), np.flatnonzero(covered.any(0))
    if not len(rows):
        return None
    left, top, right, bottom = pictures.windows[frame]

    def span(low: int, high: int, first: int, end: int) -> tuple[int, int]:
        low, high = max(first, low - margin), min(end, high + 1 + margin)
        size = min(end - first, -(-(high - low) // multiple) * multiple)
        low = max(first, min(low, end - size))
        return low, low + size

    y0, y1 = span(int(rows[0]), int(rows[-1]), int(top), int(bottom))
    x0, x1 = span(int(columns[0]), int(columns[-1]), int(left), int(right))
    return Crop(x0, y0, x1, y1)


@dataclass
class Target:
    """One frame's pixels in one window, float32 tensors, sRGB-encoded, premultiplied."""

    person: Tensor  # [h,w,3]
    person_alpha: Tensor  # [h,w]
    mouth: Tensor  # [h,w] coverage of the mouth's inside, 0..1
    hair: Tensor  # [h,w] coverage of hair, 0..1

    @property
    def face(self) -> Tensor:
        """[h,w,3] the person without the inside of the mouth."""
        return self.person * (1 - self.mouth)[..., None]

    @property
    def face_alpha(self) -> Tensor:
        """[h,w]"""
        return self.person_alpha * (1 - self.mouth)


def target_of(pictures: Pictures, frame: int, crop: Crop) -> Target:
    """The target of frame number `frame` within `crop`."""
    rgba, masks = crop.cut(pictures.rgba[frame]), crop.cut(pictures.masks[frame])
    person = np.empty((*rgba.shape[:2], 3), np.float32)
    alpha, mouth, hair = (np.empty(rgba.shape[:2], np.float32) for _ in range(3))
    _fill(np.ascontiguousarray(rgba), np.ascontiguousarray(masks), person, alpha, mouth, hair)
    return Target(*(torch.from_numpy(array) for array in (person, alpha, mouth, hair)))


@kernel
def _fill(rgba, masks, person, alpha, mouth, hair):  # type: ignore[no-untyped-def]
    height, width = alpha.shape
    for y in range(height):
        for x in range(width):
            cover = rgba[y, x, 3] / WHOLE
            alpha[y, x] = cover
            mouth[y, x] = min(masks[y, x, 0] / WHOLE, cover)
            hair[y, x] = min(masks[y, x, 1] / WHOLE, cover)
            for channel in range(3):
                person[y, x, channel] = rgba[y, x, channel] / WHOLE * cover
