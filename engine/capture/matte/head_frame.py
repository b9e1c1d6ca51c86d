# SPDX-License-Identifier: GPL-3.0-or-later
"""A frame of reference that moves with a head: its own axes on the picture, in units of the height of its face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .face_regions import CHIN, FOREHEAD, JAW, OVAL, coverage, rounded

PER_UNIT = 64
"""Cells of the atlas for the height of a face."""
EXTENT = 1.6
"""The atlas reaches this many face heights from its middle to every side."""
SIZE = round(2 * EXTENT * PER_UNIT)
EAR_LOBE = 0.35
"""Where along the jaw from landmark 132 to 58 (and 361 to 288) the face ends and the neck begins."""
EAR = 0.17
"""How far ears stand out from the oval, in face heights."""

_STEADY = tuple(sorted(set(OVAL) | {1, 4, 6, 33, 133, 263, 362, 168, 197, 5, 98, 327}))
# where the jaw leaves the ears, in JAW
_FIRST, _LAST = JAW.index(58), JAW.index(288)


@dataclass(frozen=True)
class HeadFrame:
    """mean: float64 [n,2], the mean place of some landmarks in face heights: x right, y down, 0, 0 in the middle.

    From it a head in a picture is found by the nearest turn, shift and scale.
    """

    mean: np.ndarray

    @classmethod
    def fit(cls, landmarks: Sequence[np.ndarray]) -> HeadFrame:
        """From landmarks [478, 2 or 3] of one or several frames, all finite."""
        shapes = [np.asarray(points[list(_STEADY), :2], np.float64) for points in landmarks]
        mean = upright(shapes[0], landmarks[0])
        for _ in range(3):
            moved = [(shape @ t[:, :2].T) + t[:, 2] for shape in shapes for t in (similarity(shape, mean),)]
            mean = np.mean(moved, 0)
        return cls(mean)

    def to_atlas(self, landmarks: np.ndarray) -> np.ndarray:
        """float64 [2,3]: pixels of the picture -> cells of the atlas."""
        to_mean = similarity(np.asarray(landmarks[list(_STEADY), :2], np.float64), self.mean) * PER_UNIT
        to_mean[:, 2] = to_mean[:, 2] + SIZE / 2
        return to_mean

    def oval(self) -> np.ndarray:
        """float32 [SIZE,SIZE]: how much of each cell of the atlas the oval covers."""
        place = {number: index for index, number in enumerate(_STEADY)}
        return coverage(rounded(self.mean[[place[n] for n in OVAL]]) * PER_UNIT + SIZE / 2, (SIZE, SIZE))


def atlas_axes() -> tuple[np.ndarray, np.ndarray]:
    """x, y [SIZE,SIZE] of the cells in face heights."""
    line = ((np.arange(SIZE) - SIZE / 2) / PER_UNIT).astype(np.float32)
    return np.broadcast_to(line, (SIZE, SIZE)), np.broadcast_to(line[:, None], (SIZE, SIZE))


def upright(shape: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """`shape` turned so that the chin is straight below the forehead, at a distance of 1."""
    top, chin = (np.asarray(landmarks[n, :2], np.float64) for n in (FOREHEAD, CHIN))
    down = chin - top
    height = max(float(np.hypot(*down)), 1e-6)
    x, y = down / height
    turn = np.array([[y, -x], [x, y]]) / height
    out: np.ndarray = (shape - (top + chin) / 2) @ turn.T
    return out


def similarity(points: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """float64 [2,3]: the turn, scale and shift that bring `points` [n,2] nearest to `wanted` [n,2]."""
    middle, goal = points.mean(0), wanted.mean(0)
    a, b = points - middle, wanted - goal
    total = max(float((a * a).sum()), 1e-9)
    along = (a * b).sum() / total
    across = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / total
    matrix = np.array([[along, -across], [across, along]])
    return np.hstack([matrix, (goal - matrix @ middle)[:, None]])


def face_side(landmarks: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """float32 [H,W]: how much of each pixel lies where a face, its ears included, may be: above jaw and ear lobes."""
    points = np.asarray(landmarks[:, :2], np.float64)
    down = points[CHIN] - points[FOREHEAD]
    right = np.array([down[1], -down[0]])
    jaw = points[list(JAW)]
    lobes = [jaw[i - s] + EAR_LOBE * (jaw[i] - jaw[i - s]) for i, s in ((_FIRST, 1), (_LAST, -1))]
    curve = np.vstack([lobes[0], jaw[_FIRST : _LAST + 1], lobes[1]])
    # ears begin where the oval is widest
    left, wide = (((jaw - lobe) @ right / max(right @ right, 1e-9)) for lobe in lobes)
    out = [lobes[0] + (min(left.min(), 0) - EAR) * right, lobes[1] + (max(wide.max(), 0) + EAR) * right]
    outline = np.vstack([out[0] - 3 * down, out[0], curve, out[1], out[1] - 3 * down])
    return coverage(outline, shape)


def warp(value: np.ndarray, matrix: np.ndarray, size: tuple[int, int], *, inverse: bool = False) -> np.ndarray:
    """`value` seen through `matrix` [2,3], its own pixels -> those of the result (or back); goes on at the edges."""
    flags = cv2.INTER_LINEAR | (cv2.WARP_INVERSE_MAP if inverse else 0)
    return cv2.warpAffine(value, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
