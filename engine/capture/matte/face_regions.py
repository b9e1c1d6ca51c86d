# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of a face that landmarks outline: the oval, the lips, what is between them, the eyes; with soft edges.

Numbers are those of MediaPipe's 478 landmarks. The oval ends at the hairline and before the ears: what of the face lies
beyond it is left to ``head_parts``.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

# fmt: off
OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149,
        150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)
LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
MOUTH = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
EYES = ((33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
        (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249))
JAW = (234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454)
"""From the ear at the left of the picture, along the jaw, to the other ear."""
# fmt: on
FOREHEAD, CHIN = 10, 152

LIP_GAP = 0.005
"""Height of a face by which the network sets each rim of the lips too far out."""
LEAST_OPEN = 0.5
"""Pixels between the lips below which nothing is seen there."""

_FINE = 4  # subpixels along each axis
_SHIFT = 4  # binary digits behind the point in OpenCV's coordinates
_FAR = 20000.0


@dataclass(frozen=True)
class FaceRegions:
    """float32 [H,W] each, 0..1: how much of each pixel the region covers. `lips` holds the mouth, `oval` all others."""

    oval: np.ndarray
    lips: np.ndarray
    mouth: np.ndarray
    eyes: np.ndarray


def face_regions(landmarks: np.ndarray, shape: tuple[int, int]) -> FaceRegions:
    """The regions of a face with `landmarks` [478, 2 or 3] in a picture of `shape` (height, width).

    All empty for landmarks that are not finite.
    """
    points = landmarks[:, :2]
    if not np.isfinite(points).all():
        return FaceRegions(*(np.zeros(shape, np.float32) for _ in range(4)))
    eyes = [coverage(rounded(points[list(eye)]), shape) for eye in EYES]
    return FaceRegions(
        coverage(rounded(points[list(OVAL)]), shape),
        coverage(rounded(points[list(LIPS)]), shape),
        coverage(mouth_outline(points), shape),
        np.maximum(*eyes),
    )


def mouth_outline(landmarks: np.ndarray) -> np.ndarray:
    """float64 [n,2]: what the lips enclose, of landmarks [478, 2 or 3]; n is 0 where they touch.

    The network sets the rims of closed lips somewhat apart, so each moves by `LIP_GAP` towards the other.
    """
    points = np.asarray(landmarks[:, :2], np.float64)
    ring = points[list(MOUTH)]
    half = len(ring) // 2
    upper, lower = ring[1:half], ring[:half:-1]
    apart = lower - upper
    gap = np.hypot(apart[:, 0], apart[:, 1])[:, None]
    # lips pressed together may overlap
    opens = (apart @ (points[CHIN] - points[FOREHEAD]))[:, None] > 0
    inset = LIP_GAP * np.hypot(*(points[CHIN] - points[FOREHEAD]))
    share = np.where(opens, np.minimum(inset / np.maximum(gap, 1e-9), 0.5), 0.5)
    inner = np.vstack([ring[:1], upper + share * apart, ring[half : half + 1], (lower - share * apart)[::-1]])
    open_by = np.hypot(*((1 - 2 * share) * apart).T).max()
    return rounded(inner) if open_by > LEAST_OPEN else inner[:0]


def coverage(outline: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """float32 [H,W], 0..1: the share of each pixel inside a closed `outline` [n,2] of pixels (x, y).

    0, 0 is the middle of the first pixel. Empty for an outline that is not finite or lies outside the picture.
    """
    out = np.zeros(shape, np.float32)
    if len(outline) < 3 or not np.isfinite(outline).all():
        return out
    outline = np.clip(np.asarray(outline, np.float64), -_FAR, _FAR)
    low = np.maximum(np.floor(outline.min(0)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(outline.max(0)).astype(int) + 2, (shape[1], shape[0]))
    if (high <= low).any():
        return out
    width, height = (high - low).tolist()
    fine = np.zeros((height * _FINE, width * _FINE), np.uint8)
    places = (outline - low + 0.5) * _FINE - 0.5
    corners = [np.round(places * (1 << _SHIFT)).astype(np.int32)]
    cv2.fillPoly(fine, corners, (255,), shift=_SHIFT)
    # the subpixels on the outline are covered by half, on average
    cv2.polylines(fine, corners, True, (128,), shift=_SHIFT)
    small = cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)
    out[low[1] : high[1], low[0] : high[0]] = small.astype(np.float32) / 255
    return out


def rounded(outline: np.ndarray, steps: int = 4) -> np.ndarray:
    """A closed Catmull-Rom curve through `outline` [n,2]: [n * steps, 2], its corners those of the outline."""
    before, after = np.roll(outline, 1, 0), np.roll(outline, -1, 0)
    after2 = np.roll(outline, -2, 0)
    t = (np.arange(steps) / steps)[None, :, None]
    p0, p1, p2, p3 = (p[:, None].astype(np.float64) for p in (before, outline, after, after2))
    curve = 0.5 * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3)
    return curve.reshape(-1, 2)
