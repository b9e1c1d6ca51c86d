# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a picture is replaced: the mouth's region, or the whole head.

Both say how much of each pixel is the avatar's, and where its colours can be compared with the footage's.
"""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np

from ..camera import Camera
from ..head_pose import HeadPose
from ..motion.state import MotionState
from .drawn_head import FilmedHead
from .mouth_region import MouthRegion, soft
from .window import Window

HEAD_TOP, HEAD_SIDES, HEAD_BELOW = 0.75, 0.75, 0.75
"""Heights of the face around its middle that a head with its hair and neck takes up."""
NECK_FROM, NECK_TO = 0.25, 0.8
"""Turning with the head from which the neck is a little, and wholly, the avatar's."""
RIM = 0.012
"""Of the face's height: how far beyond the outlines of both heads the picture is taken from the background."""


class Region(Protocol):
    """One way to replace a part of the picture."""

    def window(self, head: HeadPose, pivot: np.ndarray, camera: Camera) -> Window | None: ...

    def masks(
        self, filmed: FilmedHead, state: MotionState, head: HeadPose, pivot: np.ndarray, camera: Camera,
        window: Window, old_head: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """float32 [h,w] each: the avatar's share, and the weight of each pixel for comparing colours."""
        ...


class MouthOnly:
    """Mouth, chin and cheeks."""

    def __init__(self, mouth: MouthRegion) -> None:
        self._mouth = mouth

    def window(self, head: HeadPose, pivot: np.ndarray, camera: Camera) -> Window | None:
        return self._mouth.window(head, pivot, camera)

    def masks(
        self, filmed: FilmedHead, state: MotionState, head: HeadPose, pivot: np.ndarray, camera: Camera,
        window: Window, old_head: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        part = window.camera(camera)
        mask = self._mouth.mask(head, pivot, part)
        # the seam and what lies around it; a little of the cheeks, so that the middle is not guessed from the rim
        seam = 0.3 + 0.7 * (mask < 0.9)
        return mask, seam * (1 - self._mouth.moving(head, pivot, part))


class WholeHead:
    """Head, hair and neck."""

    def __init__(self, mouth: MouthRegion) -> None:
        self._mouth = mouth

    def window(self, head: HeadPose, pivot: np.ndarray, camera: Camera) -> Window | None:
        at, size = self._mouth.place(head, pivot, camera)
        up = np.array([0.0, 0.25 * size])  # from the mouth to the face's middle
        reach = size * np.array([[-HEAD_SIDES, -HEAD_TOP], [HEAD_SIDES, HEAD_BELOW]])
        return Window.around(at - up + reach, 0, camera.width, camera.height)

    def masks(
        self, filmed: FilmedHead, state: MotionState, head: HeadPose, pivot: np.ndarray, camera: Camera,
        window: Window, old_head: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        _, size = self._mouth.place(head, pivot, camera)
        share, alpha = filmed.turning(state, window)
        rim = max(0.7, RIM * size)
        wide = cv2.GaussianBlur(alpha, (0, 0), rim)
        turning = cv2.GaussianBlur(share, (0, 0), rim) / np.maximum(wide, 1e-4)
        x = np.clip((turning - NECK_FROM) / (NECK_TO - NECK_FROM), 0, 1)
        new = x * x * (3 - 2 * x) * np.clip(4 * wide, 0, 1)
        old = np.clip(4 * cv2.GaussianBlur(old_head, (0, 0), rim), 0, 1)
        mask = soft(np.maximum(new, old).astype(np.float32), rim)
        part = window.camera(camera)
        # what lies at the window's edge stays as it was filmed
        still = (1 - self._mouth.mask(head, pivot, part)) * (mask > 0.5)
        return mask * _edge(mask.shape, 2 * rim), still


def _edge(shape: tuple[int, ...], width: float) -> np.ndarray:
    """float32 [h,w]: 0 at the rectangle's edge, 1 from `width` pixels on."""
    rows, columns = (np.minimum(np.arange(n), np.arange(n)[::-1]) for n in shape)
    return np.clip(np.minimum(rows[:, None], columns[None]) / max(width, 1), 0, 1).astype(np.float32)
