# SPDX-License-Identifier: GPL-3.0-or-later
"""What trembles: landmarks that jump to and fro between frames, and pixels that flicker where the real video is still.

Both are second differences x[t-1] - 2 x[t] + x[t+1], which steady motion leaves at 0. A tracker trembles by itself, so
a figure means something only beside the real video's own.
"""

from __future__ import annotations

import numpy as np

from ..capture.head.canonical_face import SOFT_LANDMARKS, SOLVED_LANDMARKS
from .landmark_distance import COMMON_SIDE, MOUTH_68

STILL = 3
"""8-bit levels by which a pixel of the real video may change in three frames and still counts as still."""
BONE = tuple(index for index in SOLVED_LANDMARKS if index not in SOFT_LANDMARKS)


def second_difference(points: np.ndarray) -> np.ndarray:
    """points [n,L,2] -> [n-2], mean length over the landmarks; NaN where one of the three frames is missing."""
    points = np.asarray(points, np.float64)
    if len(points) < 3:
        return np.zeros(0)
    return np.asarray(np.linalg.norm(points[:-2] - 2 * points[1:-1] + points[2:], axis=2).mean(1))


class LandmarkJitter:
    """Tremble of one video's landmarks, in pixels of a frame whose longer side is 512."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._scale = COMMON_SIDE / max(size)
        self._found: dict[str, list[np.ndarray]] = {"mouth": [], "mouth in silence": [], "bone": []}

    def add(self, landmarks: np.ndarray, silent: np.ndarray) -> None:
        """landmarks [n,478,2 or 3] of a clip, NaN without a face; silent: bool [n] nobody speaks."""
        mouth = second_difference(landmarks[:, list(MOUTH_68), :2])
        bone = second_difference(landmarks[:, list(BONE), :2])
        quiet = silent[:-2] & silent[1:-1] & silent[2:] if len(silent) > 2 else np.zeros(0, bool)
        for name, values in (("mouth", mouth), ("mouth in silence", mouth[quiet]), ("bone", bone)):
            self._found[name].append(values[np.isfinite(values)])

    def table(self) -> dict[str, float]:
        """Mean second difference by name; what was never seen is left out."""
        joined = {name: np.concatenate([np.zeros(0), *parts]) for name, parts in self._found.items()}
        return {f"jitter {name}": float(v.mean()) * self._scale for name, v in joined.items() if len(v)}


class Flicker:
    """Root mean square second difference of brightness, in 8-bit levels, where the real video's pixels are still."""

    def __init__(self) -> None:
        self._real: list[np.ndarray] = []
        self._ours: list[np.ndarray] = []
        self._covered: list[np.ndarray] = []
        self._sums = np.zeros(3)

    def add(self, real: np.ndarray, ours: np.ndarray, covered: np.ndarray) -> None:
        """The next frame of a clip: uint8 [H,W,3] each, and bool [H,W] where the person is."""
        for kept, frame in ((self._real, real), (self._ours, ours)):
            kept.append(frame.astype(np.float32).mean(2))
            del kept[:-3]
        self._covered.append(covered)
        del self._covered[:-3]
        if len(self._real) < 3:
            return
        three = np.stack(self._real)
        still = (np.ptp(three, axis=0) <= STILL) & np.logical_and.reduce(self._covered)
        for column, kept in enumerate((self._real, self._ours)):
            self._sums[column] += float(((kept[0] - 2 * kept[1] + kept[2])[still] ** 2).sum(dtype=np.float64))
        self._sums[2] += int(still.sum())

    def cut(self) -> None:
        """What comes next does not continue what came."""
        for kept in (self._real, self._ours, self._covered):
            kept.clear()

    def table(self) -> tuple[dict[str, float], dict[str, float]]:
        """Key "flicker" of ours and of the real video; empty where nothing was still."""
        real, ours, count = self._sums
        if not count:
            return {}, {}
        return {"flicker": float(np.sqrt(ours / count))}, {"flicker": float(np.sqrt(real / count))}
