# SPDX-License-Identifier: GPL-3.0-or-later
"""A rectangle of a picture: what of it is worked on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..camera import Camera


@dataclass(frozen=True)
class Window:
    """Columns left..right and rows top..bottom, exclusive, in pixels."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def around(cls, points: np.ndarray, margin: float, width: int, height: int) -> Window | None:
        """Around points [n,2], with a margin in pixels, inside a picture of that size; None where nothing is left."""
        low = np.clip(np.floor(points.min(0) - margin), 0, (width, height)).astype(int)
        high = np.clip(np.ceil(points.max(0) + margin) + 1, 0, (width, height)).astype(int)
        if (high - low).min() < 2:
            return None
        return cls(int(low[0]), int(low[1]), int(high[0]), int(high[1]))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, columns."""
        return self.bottom - self.top, self.right - self.left

    def cut(self, image: np.ndarray) -> np.ndarray:
        """A view of the part of image [H,W,...]."""
        return image[self.top : self.bottom, self.left : self.right]

    def camera(self, whole: Camera) -> Camera:
        """The camera that sees just this part of what `whole` sees."""
        K = whole.K.copy()
        K[0, 2] -= self.left
        K[1, 2] -= self.top
        return Camera(self.right - self.left, self.bottom - self.top, K, whole.world_to_camera)
