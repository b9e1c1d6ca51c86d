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
from .dataset import Pictures


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


def bounding_crop(masks: np.ndarray, margin: int, multiple: int = 16) -> Crop:
    """The smallest window around everything that `masks` [F,H,W] uint8 covers in any frame, with a margin in pixels."""
    covered = (masks > 127).any(0)
    height, width = covered.shape
    rows, columns = np.flatnonzero(covered.any(1)), np.flatnonzero(covered.any(0))
    if not len(rows):
        return Crop(0, 0, width, height)

    def span(low: int, high: int, limit: int) -> tuple[int, int]:
        low, high = max(0, low - margin), min(limit, high + 1 + margin)
        size = min(limit, -(-(high - low) // multiple) * multiple)
        low = max(0, min(low, limit - size))
        return low, low + size

    top, bottom = span(rows[0], rows[-1], height)
    left, right = span(columns[0], columns[-1], width)
    return Crop(left, top, right, bottom)


@dataclass
class Target:
    """One frame's pixels in one window, float32 tensors, sRGB-encoded, premultiplied."""

    person: Tensor  # [h,w,3]
    person_alpha: Tensor  # [h,w]
    mouth: Tensor  # [h,w] coverage of the mouth's inside, 0..1

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
    rgba = torch.from_numpy(np.ascontiguousarray(crop.cut(pictures.rgba[frame]))).float() / 255
    mouth = torch.from_numpy(np.ascontiguousarray(crop.cut(pictures.masks[frame])[..., 0])).float() / 255
    alpha = rgba[..., 3]
    return Target(rgba[..., :3] * alpha[..., None], alpha, torch.minimum(mouth, alpha))
