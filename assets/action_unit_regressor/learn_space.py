# SPDX-License-Identifier: GPL-3.0-or-later
"""Learn the space in which faces are measured: the mean face and the basis of its motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from filmed_people import Shot, mirror_landmarks, mirrored

from hmtalker.capture.units.face_features import OUTER_EYE
from hmtalker.capture.units.face_space import FaceSpace, align

COMPONENTS = 32
FACE_POINTS = 468
ROWS = 8000
"""Frames that the basis is found from."""
RIGID = (
    168, 6, 197, 195, 33, 133, 362, 263, 10, 151, 9, 127, 356, 162, 389, 234, 454, 67, 297, 103, 332, 54, 284, 21, 251,
    116, 345,
)  # fmt: skip
"""Bridge of the nose, corners of the eyes, forehead, temples, cheekbones. Points chosen by how little they moved lie
close together around the nose, and told the pitch of the head worse (6.7 against 4.4 degrees)."""


def learn_space(shots: list[Shot], components: int = COMPONENTS) -> FaceSpace:
    """shots: of the people to learn from."""
    weights = np.zeros(478)
    weights[list(RIGID)] = 1 / len(RIGID)
    rest = [np.median(upright(shot)[shot.neutral[shot.found]], 0) for shot in shots]
    mean = normalised(np.mean([normalised(face, weights) for face in rest], 0), weights)
    partner = mirror_landmarks(mean)
    mean = (mean + mean[partner] * [-1, 1, 1]) / 2
    space = FaceSpace(mean, weights, np.arange(FACE_POINTS), np.zeros((1, 3 * FACE_POINTS)))
    both = shots + [mirrored(shot, partner) for shot in shots]
    flat = np.concatenate([motion(shot, space)[:, :FACE_POINTS].reshape(-1, 3 * FACE_POINTS) for shot in both])
    _, _, directions = np.linalg.svd(flat[:: max(1, len(flat) // ROWS)], full_matrices=False)
    return replace(space, basis=directions[:components])


def upright(shot: Shot) -> np.ndarray:
    """Landmarks [found,478,3] turned back by the true pose."""
    points = shot.landmarks[shot.found].astype(np.float64) * [1, -1, -1]
    return np.einsum("nji,nlj->nli", shot.rotations[shot.found].astype(np.float64), points)


def normalised(face: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Rigid points centred, outer eye corners 1 apart."""
    return (face - weights @ face) / np.linalg.norm(face[OUTER_EYE[0]] - face[OUTER_EYE[1]])


def motion(shot: Shot, space: FaceSpace) -> np.ndarray:
    """float32 [found,478,3] how the frames differ from the rest of the shot."""
    faces = align(shot.landmarks, space)[0]
    return (faces - np.nanmedian(faces[shot.neutral], 0))[shot.found].astype(np.float32)
