# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands behind a person: one colour, a blue or green screen unevenly lit, or blurred blobs like a room."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

SCREENS = {"green": (0.06, 0.42, 0.10), "blue": (0.03, 0.09, 0.42)}
"""Linear colours of a lit screen."""


@dataclass(frozen=True)
class Background:
    """kind: ``colour``, ``green``, ``blue`` or ``room``. colour: linear light; unevenness 0..1; seed: what is drawn."""

    kind: str = "colour"
    colour: tuple[float, float, float] = (0.30, 0.33, 0.36)
    unevenness: float = 0.2
    seed: int = 0

    def linear(self, width: int, height: int) -> np.ndarray:
        """float32 [H,W,3] linear light; not to be written to."""
        return _picture(self, width, height)


@lru_cache(maxsize=8)
def _picture(background: Background, width: int, height: int) -> np.ndarray:
    rng = np.random.default_rng((background.seed, 99))
    if background.kind == "room":
        return _room(width, height, rng)
    if background.kind not in ("colour", *SCREENS):
        raise ValueError(f"no background '{background.kind}'; there are colour, green, blue and room")
    colour = np.array(SCREENS.get(background.kind, background.colour), np.float32)
    light = np.ones((height, width, 1), np.float32)
    if background.kind in SCREENS and background.unevenness > 0:
        y, x = np.mgrid[0:height, 0:width].astype(np.float32) / max(width, height)
        cx, cy, tilt = rng.uniform(0, 1), rng.uniform(0, 1), rng.uniform(-1, 1, 2)
        fall = np.hypot(x - cx, y - cy) + 0.4 * (tilt[0] * (x - 0.5) + tilt[1] * (y - 0.5))
        folds = _noise(width, height, 6, rng)[..., 0] - 0.5
        light = np.exp(-background.unevenness * (1.2 * fall - 0.3 + 0.25 * folds))[..., None]
    return (colour * light).astype(np.float32)


def _noise(width: int, height: int, cells: int, rng: np.random.Generator) -> np.ndarray:
    grid = rng.random((cells, cells, 3), np.float32)
    return np.clip(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)


def _room(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Walls, boxes and lamps out of focus."""
    picture = rng.uniform(0.05, 0.6) * (0.6 + 0.4 * _noise(width, height, 3, rng)) * rng.uniform(0.7, 1, 3)
    for _ in range(int(rng.integers(4, 14))):
        size = rng.uniform(0.05, 0.5, 2) * (width, height)
        x, y = rng.uniform(0, 1, 2) * (width, height)
        colour = rng.uniform(0.02, 0.8) * rng.uniform(0.3, 1, 3)
        corners = (int(x - size[0] / 2), int(y - size[1] / 2)), (int(x + size[0] / 2), int(y + size[1] / 2))
        if rng.random() < 0.6:
            cv2.rectangle(picture, *corners, colour.tolist(), -1)
        else:
            cv2.circle(picture, (int(x), int(y)), int(size.min() / 2), colour.tolist(), -1)
    sigma = rng.uniform(0.002, 0.03) * width
    picture = cv2.GaussianBlur(picture, (0, 0), sigma) * (0.85 + 0.3 * _noise(width, height, 40, rng)[..., :1])
    return picture.astype(np.float32)
