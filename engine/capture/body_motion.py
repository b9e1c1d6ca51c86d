# SPDX-License-Identifier: GPL-3.0-or-later
"""How far shoulders and clothes have shifted since a reference frame.

The head's pose says nothing about the body below it, which sways and sits a little elsewhere in every take. The shift
is found on the clothes' own texture (enhanced correlation, Evangelidis and Psarakis 2008, as OpenCV has it).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

WORKING_SIDE = 160
"""Pixels of the longer side at which shifts are sought; they are found to a tenth of these pixels."""
LEAST_AREA = 0.01
"""Of the picture that must show clothes."""
FARTHEST = 0.12
"""Of the picture's side; a larger shift is a mistake."""
_STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)


@dataclass(frozen=True)
class BodyReference:
    """The body in one frame: grey float32 and mask uint8, both at working size, and the size of a whole frame."""

    grey: np.ndarray
    mask: np.ndarray
    scale: float

    @classmethod
    def of(cls, frame: np.ndarray, body: np.ndarray) -> BodyReference | None:
        """frame: uint8 [H,W,3]; body: [H,W] 0..1 coverage of neck and clothes. None where too little is to be seen."""
        scale = min(1.0, WORKING_SIDE / max(frame.shape[:2]))
        mask = cv2.resize((body > 0.9).astype(np.uint8), None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
        mask = cv2.erode(np.asarray(mask, np.uint8), np.ones((3, 3), np.uint8))
        if mask.mean() < LEAST_AREA:
            return None
        return cls(_grey(frame, scale), mask, scale)

    def shift(self, frame: np.ndarray, guess: np.ndarray | None = None) -> np.ndarray:
        """float32 [2] pixels to the right and down that the body of `frame` has moved; `guess`, or 0, if unsure."""
        start = np.zeros(2, np.float32) if guess is None else np.asarray(guess, np.float32)
        initial = np.eye(2, 3, dtype=np.float32)
        initial[:, 2] = start * self.scale
        try:
            _, warp = cv2.findTransformECC(
                self.grey, _grey(frame, self.scale), initial, cv2.MOTION_TRANSLATION, _STOP, self.mask, 3
            )
        except cv2.error:  # no texture to hold on to
            return start
        moved = (np.asarray(warp)[:, 2] / self.scale).astype(np.float32)
        return moved if np.abs(moved).max() < FARTHEST * max(frame.shape[:2]) else start


def _grey(frame: np.ndarray, scale: float) -> np.ndarray:
    small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
