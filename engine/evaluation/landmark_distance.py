# SPDX-License-Identifier: GPL-3.0-or-later
"""LMD*: how far the mouth's landmarks are from where they should be, with the mouth's place taken out.

As LMD (Chen et al. 2018) is computed on talking heads: the 20 mouth points of the 68-point scheme, each set's mean
subtracted, the mean distance in pixels, mean over frames. The star: landmarks come from our own tracker (MediaPipe's
mesh), not from the one that published figures use, so compare within a table only.
"""

from __future__ import annotations

import numpy as np

MOUTH_68 = (
    *(61, 39, 37, 0, 267, 269, 291),  # 48..54: outer line, from the corner on the left of the picture over the top
    *(405, 314, 17, 84, 181),  # 55..59: back along the bottom
    *(78, 82, 13, 312, 308),  # 60..64: inner line over the top
    *(317, 14, 87),  # 65..67: back along the bottom
)
"""MediaPipe's landmark for each of the points 48..67 of the 68-point scheme (iBUG 300-W): the table that public code
commonly uses for the two; both schemes name places along the same two lip lines."""
COMMON_SIDE = 512.0
"""Pixels of the frame that published figures are about."""


def mouth_points(landmarks: np.ndarray) -> np.ndarray:
    """[n,478,2 or 3] -> float64 [n,20,2], NaN where there is no face."""
    return np.asarray(landmarks, np.float64)[:, list(MOUTH_68), :2]


def mouth_distances(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Distance in pixels of each frame [n]; NaN where either has no face. ours, theirs: landmarks [n,478,2 or 3]."""
    if np.shape(ours) != np.shape(theirs):
        raise ValueError(f"landmarks of {np.shape(ours)} and {np.shape(theirs)} cannot be compared")
    points = [mouth_points(landmarks) for landmarks in (ours, theirs)]
    first, second = (p - p.mean(1, keepdims=True) for p in points)
    return np.asarray(np.linalg.norm(first - second, axis=2).mean(1))


class LandmarkDistance:
    """LMD* over clips."""

    def __init__(self, size: tuple[int, int]) -> None:
        """size: height and width of the frames."""
        self._scale = COMMON_SIDE / max(size)
        self._sum, self.frames = 0.0, 0

    def add(self, ours: np.ndarray, theirs: np.ndarray) -> None:
        """Landmarks [n,478,2 or 3] of both videos."""
        found = mouth_distances(ours, theirs)
        known = np.isfinite(found)
        self._sum += float(found[known].sum())
        self.frames += int(known.sum())

    def table(self) -> dict[str, float]:
        """Keys "lmd", in pixels of the frames, and "lmd 512", in pixels of a frame whose longer side is 512."""
        mean = self._sum / self.frames if self.frames else float("nan")
        return {"lmd": mean, "lmd 512": mean * self._scale}
