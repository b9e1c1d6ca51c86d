# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies behind the person in a picture: the picture itself beside them, the background plate where they stand."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ..capture.framing import Framing
from ..capture.matte.smooth_fill import extend
from .pictures import read_picture
from .window import Window

MOUTH, HAIR, FACE = 0, 1, 2
"""Channels of a dataset's masks."""
BEYOND = 1.5
"""Standard deviation, in pixels of the dataset, by which the person's outline is widened before it is taken away."""


class Backdrop:
    """The backgrounds and outlines of one dataset, in pixels of the whole picture."""

    def __init__(self, folder: Path, framing: Framing) -> None:
        self._folder, self._framing = folder, framing
        plate = folder / "background.png"
        self._plate = read_picture(plate)[..., :3] if plate.is_file() else None

    def outline(self, row: int, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Of the dataset's frame `row`: how much the person covers each pixel of the window, and how much of that is
        head. float32 [h,w] each; all 1 and all 0 where the frame has no picture."""
        frame = self._folder / "frames" / f"{row:06d}.png"
        if not frame.is_file():
            return np.ones(window.shape, np.float32), np.zeros(window.shape, np.float32)
        alpha = read_picture(frame)[..., 3]
        masks = read_picture(self._folder / "masks" / f"{row:06d}.png")[..., : FACE + 1]
        head = np.minimum(masks.astype(np.int32).sum(2), 255).astype(np.uint8)
        return self._placed(alpha, window) / 255, self._placed(head, window) / 255

    def behind(self, picture: np.ndarray, alpha: np.ndarray, window: Window) -> np.ndarray:
        """float32 [h,w,3] 0..1: the picture's window without the person, whose outline is alpha [h,w]."""
        taken = np.clip(2 * cv2.GaussianBlur(alpha, (0, 0), BEYOND / self._framing.scale), 0, 1)[..., None]
        shown = window.cut(picture).astype(np.float32) / 255
        if self._plate is not None:
            fill = self._placed(self._plate, window) / 255
        elif taken.min() < 1:
            fill = extend(shown, 1 - taken[..., 0])
        else:  # nothing is known of what lies behind
            return shown
        return np.asarray(shown + taken * (fill - shown), np.float32)

    def _placed(self, image: np.ndarray, window: Window) -> np.ndarray:
        """float32: a picture of the dataset's size [S,S,...] as it lies in the window; its edge goes on beyond it."""
        framing = self._framing
        to_dataset = np.array(
            [
                [framing.scale, 0, (window.left + 0.5 - framing.left) * framing.scale - 0.5],
                [0, framing.scale, (window.top + 0.5 - framing.top) * framing.scale - 0.5],
            ]
        )
        height, width = window.shape
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(image, to_dataset, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE).astype(
            np.float32
        )
