# SPDX-License-Identifier: GPL-3.0-or-later
"""How the lips of any person move, with head pose, picture size and the person's own mouth taken out.

Every face is laid onto the canonical face by its bone-backed landmarks; its lips and chin are then seen from the front,
in units of the distance between the outer eye corners, left and right averaged, relative to the person's mean.
"""

from __future__ import annotations

import numpy as np

from ..capture.head.canonical_face import EYE_CORNERS, SOFT_LANDMARKS, SOLVED_LANDMARKS, canonical_face
from ..capture.head.head_pose_model import nearest_rotations

# (landmark on the left of the picture, its mirror image); both lip lines from the corner to the middle, then the chin.
PAIRS = (
    *((61, 291), (185, 409), (40, 270), (39, 269), (37, 267), (0, 0)),
    *((146, 375), (91, 321), (181, 405), (84, 314), (17, 17)),
    *((78, 308), (191, 415), (80, 310), (81, 311), (82, 312), (13, 13)),
    *((95, 324), (88, 318), (178, 402), (87, 317), (14, 14)),
    *((176, 400), (152, 152)),
)
DIMENSION = 3 * len(PAIRS)
SMALLEST_FACE = 4.0
"""Pixels between the outer eye corners."""


def lip_positions(landmarks: np.ndarray) -> np.ndarray:
    """[n,478,3] pixels (y down, z away) -> float32 [n,24,3]: left half and mirrored right half of the mouth, averaged.

    x outward, y up, z toward the camera, in eye distances from the bone-backed landmarks' middle. NaN rows where there
    is no face or one without extent. Raises ValueError for another shape.
    """
    landmarks = np.asarray(landmarks, np.float64)
    if landmarks.ndim != 3 or landmarks.shape[1:] != (478, 3):
        raise ValueError(f"landmarks are {landmarks.shape}; they are [n, 478, 3]")
    out = np.full((len(landmarks), len(PAIRS), 3), np.nan, np.float32)
    seen = np.isfinite(landmarks).all((1, 2)) & (np.abs(landmarks).max((1, 2), initial=0.0) < 1e7)
    corners = [EYE_CORNERS[0][0], EYE_CORNERS[1][0]]
    eyes = np.linalg.norm(landmarks[:, corners[0]] - landmarks[:, corners[1]], axis=1)
    seen &= ~(eyes < SMALLEST_FACE)
    if not seen.any():
        return out
    rigid = [index for index in SOLVED_LANDMARKS if index not in SOFT_LANDMARKS]
    model = canonical_face()[rigid]
    model = model - model.mean(0)
    model = model / np.linalg.norm(canonical_face()[corners[0]] - canonical_face()[corners[1]])
    points = landmarks[seen] * [1, -1, -1]
    points -= points[:, rigid].mean(1, keepdims=True)
    turn = nearest_rotations(np.einsum("nli,lj->nij", points[:, rigid], model))
    straight = np.einsum("nji,nlj->nli", turn, points)
    size = np.einsum("nli,li->n", straight[:, rigid], model) / (model**2).sum()
    size[~(size > 0)] = np.nan
    straight /= size[:, None, None]
    left, right = (straight[:, [pair[side] for pair in PAIRS]] for side in (0, 1))
    half = (left * [-1, 1, 1] + right) / 2
    out[seen] = half
    return out


def lip_motion(landmarks: np.ndarray, mean: np.ndarray | None = None) -> np.ndarray:
    """[n,478,3] pixels -> float32 [n, DIMENSION] relative to `mean`, or to the mean of these frames; NaN as above."""
    positions = lip_positions(landmarks).reshape(len(landmarks), DIMENSION)
    if mean is None:
        known = np.isfinite(positions).all(1)
        mean = positions[known].mean(0) if known.any() else np.zeros(DIMENSION, np.float32)
    return positions - mean
