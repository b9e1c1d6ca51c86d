# SPDX-License-Identifier: GPL-3.0-or-later
"""Landmarks of a made-up face in a picture, whose mouth opens as it is told."""

from __future__ import annotations

import numpy as np

from hmtalker.capture.head.canonical_face import canonical_face

LOWER = (17, 14, 84, 314, 181, 405, 91, 321, 87, 317, 178, 402, 88, 318, 95, 324, 152, 176, 400, 148, 377)
PIXELS_A_METRE = 1200.0


def talking_landmarks(opening: np.ndarray, middle: tuple[float, float] = (128.0, 128.0), roll: float = 0.0,
                      scale: float = 1.0) -> np.ndarray:  # fmt: skip
    """float32 [n,478,3] pixels (y down, z away). opening: [n] metres that lower lip and chin are lowered."""
    points = np.repeat(canonical_face()[None], len(opening), 0).copy()
    points[:, list(LOWER), 1] -= np.asarray(opening)[:, None]
    points = points * [1, -1, -1] * PIXELS_A_METRE * scale
    cosine, sine = np.cos(roll), np.sin(roll)
    x, y = points[..., 0].copy(), points[..., 1].copy()
    points[..., 0], points[..., 1] = cosine * x - sine * y, sine * x + cosine * y
    points[..., :2] += middle
    return points.astype(np.float32)
