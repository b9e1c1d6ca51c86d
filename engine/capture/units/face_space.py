# SPDX-License-Identifier: GPL-3.0-or-later
"""The space in which faces are measured: a mean face, how rigid each of its points is, and how faces move.

All of it is learned from synthetic people (``assets/action_unit_regressor``) and lies in one small file.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ...errors import HMTalkerError
from ..head.head_pose_model import nearest_rotations

WEIGHTS = Path(__file__).with_name("action_unit_regressor.npz")
SMALLEST_FACE = 4.0
"""Pixels between the outer eye corners; a smaller face says nothing."""


@dataclass(frozen=True)
class FaceSpace:
    """Lengths: the mean face's outer eye corners are 1 apart. Axes: x right in the image, y up, z toward the camera."""

    mean: np.ndarray
    """float64 [478,3] its most rigid points are centred on the origin."""
    rigidity: np.ndarray
    """float64 [478] weights of the points by which faces are laid onto the mean; they sum to 1."""
    points: np.ndarray
    """int64 [P] the landmarks whose motion the basis describes."""
    basis: np.ndarray
    """float64 [B, 3 P] orthonormal rows."""


@cache
def load_arrays(path: Path = WEIGHTS) -> dict[str, np.ndarray]:
    """All arrays of the file. Raises :class:`HMTalkerError` where it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError) as error:
        raise HMTalkerError(
            f"The weights of the Action Unit regressor cannot be read from '{path}'; install HM-Talker again."
        ) from error


@cache
def load_face_space(path: Path = WEIGHTS) -> FaceSpace:
    """The space that is shipped. Raises :class:`HMTalkerError`."""
    arrays = load_arrays(path)
    return FaceSpace(
        arrays["mean"].astype(np.float64),
        arrays["rigidity"].astype(np.float64),
        arrays["points"].astype(np.int64),
        arrays["basis"].astype(np.float64),
    )


def align(
    landmarks: np.ndarray, space: FaceSpace, rotations: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lay faces onto the mean face by their rigid points (weighted similarity transform, Umeyama 1991).

    landmarks: [n,478,3] pixels, y down, z away; NaN rows allowed. rotations: [n,3,3] head to camera, where they are
    known better than from these landmarks; a turn that all frames share is taken for a difference in what is called
    straight ahead. Returns upright float64 [n,478,3], turns [n,3,3] head to camera, sizes [n] in pixels a unit; NaN
    where there is no face.
    """
    landmarks = np.asarray(landmarks, np.float64) * [1, -1, -1]
    faces = np.isfinite(landmarks).all((1, 2))
    upright = np.full(landmarks.shape, np.nan)
    turns = np.full((len(landmarks), 3, 3), np.nan)
    sizes = np.full(len(landmarks), np.nan)
    points = landmarks[faces]
    if not len(points):
        return upright, turns, sizes
    weights = space.rigidity / space.rigidity.sum()
    points = points - np.einsum("l,nlk->nk", weights, points)[:, None]
    centred = space.mean - weights @ space.mean
    turn = nearest_rotations(np.einsum("nli,l,lj->nij", points, weights, centred))
    if rotations is not None:
        known = np.asarray(rotations, np.float64)[faces]
        sure = np.isfinite(known).all((1, 2))
        if sure.any():
            offset = nearest_rotations(np.einsum("nji,njk->ik", known[sure], turn[sure])[None])[0]
            turn[sure] = known[sure] @ offset
    straight = np.einsum("nji,nlj->nli", turn, points)
    size = np.einsum("nlk,l,lk->n", straight, weights, centred) / np.einsum("lk,l,lk->", centred, weights, centred)
    size[~(size >= SMALLEST_FACE)] = np.nan
    upright[faces] = straight / size[:, None, None]
    turns[faces], sizes[faces] = turn, size
    return upright, turns, sizes
