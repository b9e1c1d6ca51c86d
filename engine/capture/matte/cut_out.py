# SPDX-License-Identifier: GPL-3.0-or-later
"""A person cut out of a frame, and the open pixels along the outline on which that work is done.

Far from the outline there is nothing to find out. So colours are extended and filters run on a small picture, and only
the pixels that may be mixed are solved at the full size.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_ROW = 4096  # OpenCV looks up no more than 32767 places in a row


@dataclass(frozen=True)
class Matte:
    """alpha: float32 [H,W] in 0..1. foreground: uint8 [H,W,3] straight sRGB, the background taken out at the edges."""

    alpha: np.ndarray
    foreground: np.ndarray


class OpenPixels:
    """Some pixels of a picture [H,W], in one column of n.

    where: bool [h,w] on the small picture. shape: H, W.
    """

    def __init__(self, where: np.ndarray, shape: tuple[int, int]) -> None:
        self._small, self._shape = where.shape, shape
        self.same = self._small == shape
        if not self.same:
            size = shape[1], shape[0]
            where = cv2.resize(where.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        self._index = np.flatnonzero(where)
        self._places: tuple[np.ndarray, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self._index)

    def of(self, picture: np.ndarray) -> np.ndarray:
        """[n,1] or [n,1,C]: the pixels of a `picture` [H,W] or [H,W,C]."""
        return picture.reshape(-1, *picture.shape[2:]).take(self._index, 0)[:, None]

    def sample(self, small: np.ndarray) -> np.ndarray:
        """[n,1] or [n,1,C]: a map on the small picture, float32, between its pixels."""
        if self.same:
            return self.of(small)
        if self._places is None:
            rows, columns = np.divmod(self._index, self._shape[1])
            x = ((columns + 0.5) * (self._small[1] / self._shape[1]) - 0.5).astype(np.float32)
            y = ((rows + 0.5) * (self._small[0] / self._shape[0]) - 0.5).astype(np.float32)
            spare = -len(x) % _ROW
            self._places = np.pad(x, (0, spare)).reshape(-1, _ROW), np.pad(y, (0, spare)).reshape(-1, _ROW)
        x, y = self._places
        found = cv2.remap(small, x, y, interpolation=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return found.reshape(-1, 1, *small.shape[2:])[: len(self)]

    def put(self, picture: np.ndarray, values: np.ndarray) -> None:
        """Write `values` [n,1] or [n,1,C] to the pixels of the contiguous `picture`."""
        picture.reshape(-1, *picture.shape[2:])[self._index] = values[:, 0]


def summed(colours: np.ndarray) -> np.ndarray:
    """float32 [H,W]: the sum over the last axis of [H,W,C]; numpy itself is slow at so short an axis."""
    return cv2.transform(colours, np.ones((1, colours.shape[2]), np.float32))


def ycrcb(frame: np.ndarray) -> np.ndarray:
    """uint8 sRGB [H,W,3] as float32 Y, Cr, Cb in 0..1 (grey at 0.5), full range BT.601."""
    return cv2.cvtColor(frame.astype(np.float32) / 255, cv2.COLOR_RGB2YCrCb)


def to_bytes(ycc: np.ndarray) -> np.ndarray:
    """uint8 sRGB of float32 Y, Cr, Cb in 0..1 [H,W,3]."""
    rgb = cv2.cvtColor(np.ascontiguousarray(ycc, np.float32), cv2.COLOR_YCrCb2RGB)
    return cv2.convertScaleAbs(np.maximum(rgb, 0), alpha=255)
