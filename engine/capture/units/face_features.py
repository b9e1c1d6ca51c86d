# SPDX-License-Identifier: GPL-3.0-or-later
"""What one frame of a face looks like, as a row of numbers that head pose, picture size and distance hardly change.

Landmarks are turned upright and scaled by their most rigid points (``face_space``), then measured: named heights and
widths of brows, lids, nose and lips, left and right apart; what moves beyond them, in a small fixed basis; the
blendshape scores as logits, since some of them only ever stir far below 1 %; and pose and size, by which a regressor
can undo what pose still leaks. Lengths are in units of the mean face's distance between the outer eye corners.
"""

from __future__ import annotations

import numpy as np

from ..face.blendshape_names import BLENDSHAPES
from .face_space import FaceSpace, align, load_face_space

LANDMARKS = 478
LEAST_SCORE = 1e-5
"""Blendshape scores below are noise; also keeps logits finite."""

# Pairs are (person's left, person's right); x of an upright face grows toward the person's left.
OUTER_EYE, INNER_EYE = (263, 33), (362, 133)
UPPER_LID = ((386, 385, 387), (159, 158, 160))
LOWER_LID = ((374, 380, 373), (145, 153, 144))
INNER_BROW, MIDDLE_BROW, OUTER_BROW = ((285, 336), (55, 107)), ((282, 334), (52, 105)), ((276, 300), (46, 70))
CHEEK, CHEEK_FOLD = (346, 117), (425, 205)
NOSE_WING, NOSE_SIDE = (358, 129), (399, 174)
MOUTH_CORNER, INNER_CORNER = (291, 61), (308, 78)
UPPER_LIP_SIDE, LOWER_LIP_SIDE = (269, 39), (405, 181)
UPPER_LIP_INNER_SIDE, LOWER_LIP_INNER_SIDE = (312, 82), (317, 87)
UPPER_LIP, UPPER_LIP_INNER, LOWER_LIP_INNER, LOWER_LIP = 0, 13, 14, 17
BETWEEN_EYES, NOSE_BASE, CHIN, CHIN_FOLD = 168, 2, 152, 18

SIDED = (
    "inner_brow", "middle_brow", "outer_brow", "lid", "upper_lid", "lower_lid", "cheek", "cheek_fold", "nose_wing",
    "nose_width", "corner_x", "corner_y", "corner_z", "upper_lip_side", "lower_lip_side", "side_gap",
)  # fmt: skip
SINGLE = (
    "lip_gap", "jaw", "upper_lip", "lower_lip", "chin_raise", "upper_thickness", "lower_thickness", "width",
    "inner_width", "brow_gap", "nose_length", "upper_forward", "lower_forward", "chin_forward",
)  # fmt: skip
DISTANCES: tuple[str, ...] = tuple(name + side for name in SIDED for side in ("L", "R")) + SINGLE
SCORES: tuple[str, ...] = tuple(name for name in BLENDSHAPES if name != "_neutral")
POSE = ("pitch", "yaw", "roll", "log_size")


def feature_names(space: FaceSpace | None = None) -> tuple[str, ...]:
    """What the columns of :func:`face_features` are: distances, basis, logits, pose."""
    count = (space or load_face_space()).basis.shape[0]
    return (*DISTANCES, *(f"basis{i}" for i in range(count)), *SCORES, *POSE)


def face_features(
    landmarks: np.ndarray,
    blendshapes: np.ndarray,
    rotations: np.ndarray | None = None,
    space: FaceSpace | None = None,
) -> np.ndarray:
    """Measure the frames of one clip.

    landmarks: [n,478,3] pixels, y down, z away from the camera; NaN rows where there is no face. blendshapes: [n,52]
    0..1 in the order of ``BLENDSHAPES``. rotations: [n,3,3] head to the camera's canonical axes; found from the
    landmarks where it is None. Returns float32 [n,K] in the order of :func:`feature_names`; rows without a face, or
    with one that has no extent, are NaN. Raises ValueError if the shapes do not go together.
    """
    landmarks = np.asarray(landmarks, np.float64)
    blendshapes = np.asarray(blendshapes, np.float64)
    if landmarks.ndim != 3 or landmarks.shape[1:] != (LANDMARKS, 3):
        raise ValueError(f"landmarks are {landmarks.shape}; they are [n, {LANDMARKS}, 3]")
    if blendshapes.shape != (len(landmarks), len(BLENDSHAPES)):
        raise ValueError(f"blendshapes are {blendshapes.shape}; they are [{len(landmarks)}, {len(BLENDSHAPES)}]")
    if rotations is not None and np.shape(rotations) != (len(landmarks), 3, 3):
        raise ValueError(f"rotations are {np.shape(rotations)}; they are [{len(landmarks)}, 3, 3]")
    space = space or load_face_space()
    upright, turns, sizes = align(landmarks, space, rotations)
    distances = measure_distances(upright)
    moved = (upright - space.mean)[:, space.points].reshape(len(upright), 3 * len(space.points)) @ space.basis.T
    scores = np.clip(blendshapes[:, [BLENDSHAPES.index(name) for name in SCORES]], LEAST_SCORE, 1 - LEAST_SCORE)
    pose = np.stack(
        [
            np.arcsin(np.clip(-turns[:, 1, 2], -1, 1)),
            np.arctan2(turns[:, 0, 2], turns[:, 2, 2]),
            np.arctan2(turns[:, 1, 0], turns[:, 1, 1]),
            np.log(sizes),
        ],
        1,
    )
    rows = np.concatenate([distances, moved, np.log(scores / (1 - scores)), pose], 1)
    rows[~np.isfinite(rows).all(1)] = np.nan
    return rows.astype(np.float32)


def measure_distances(upright: np.ndarray) -> np.ndarray:
    """upright: [n,478,3] as ``align`` returns it. Returns float64 [n, len(DISTANCES)]."""

    def mean(indices: int | tuple[int, ...]) -> np.ndarray:
        return np.asarray(upright[:, np.atleast_1d(indices)].mean(1))

    def y(indices: int | tuple[int, ...]) -> np.ndarray:
        return mean(indices)[:, 1]

    def apart(first: int, second: int) -> np.ndarray:
        return np.linalg.norm(upright[:, first] - upright[:, second], axis=1)

    nose = mean(NOSE_BASE)
    columns: dict[str, np.ndarray] = {}
    for side, name in enumerate(("L", "R")):
        outward = 1 - 2 * side
        inner, outer = upright[:, INNER_EYE[side]], upright[:, OUTER_EYE[side]]
        eye, eye_width = (inner[:, 1] + outer[:, 1]) / 2, np.maximum(np.linalg.norm(outer - inner, axis=1), 1e-3)
        upper, lower = mean(UPPER_LID[side]), mean(LOWER_LID[side])
        corner = upright[:, MOUTH_CORNER[side]]
        values = {
            "inner_brow": y(INNER_BROW[side]) - eye,
            "middle_brow": y(MIDDLE_BROW[side]) - eye,
            "outer_brow": y(OUTER_BROW[side]) - eye,
            "lid": (upper[:, 1] - lower[:, 1]) / eye_width,
            "upper_lid": upper[:, 1] - eye,
            "lower_lid": lower[:, 1] - eye,
            "cheek": y(CHEEK[side]) - eye,
            "cheek_fold": y(CHEEK_FOLD[side]) - eye,
            "nose_wing": y(NOSE_WING[side]) - inner[:, 1],
            "nose_width": outward * (upright[:, NOSE_WING[side], 0] - nose[:, 0]),
            "corner_x": outward * (corner[:, 0] - nose[:, 0]),
            "corner_y": corner[:, 1] - nose[:, 1],
            "corner_z": corner[:, 2] - nose[:, 2],
            "upper_lip_side": y(UPPER_LIP_SIDE[side]) - nose[:, 1],
            "lower_lip_side": y(LOWER_LIP_SIDE[side]) - nose[:, 1],
            "side_gap": apart(UPPER_LIP_INNER_SIDE[side], LOWER_LIP_INNER_SIDE[side]),
        }
        columns |= {key + name: value for key, value in values.items()}
    columns |= {
        "lip_gap": y(UPPER_LIP_INNER) - y(LOWER_LIP_INNER),
        "jaw": y(BETWEEN_EYES) - y(CHIN),
        "upper_lip": y(UPPER_LIP) - nose[:, 1],
        "lower_lip": y(LOWER_LIP) - nose[:, 1],
        "chin_raise": y(LOWER_LIP) - y(CHIN),
        "upper_thickness": apart(UPPER_LIP, UPPER_LIP_INNER),
        "lower_thickness": apart(LOWER_LIP, LOWER_LIP_INNER),
        "width": apart(*MOUTH_CORNER),
        "inner_width": apart(*INNER_CORNER),
        "brow_gap": apart(INNER_BROW[0][0], INNER_BROW[1][0]),
        "nose_length": y(BETWEEN_EYES) - nose[:, 1],
        "upper_forward": upright[:, UPPER_LIP, 2] - nose[:, 2],
        "lower_forward": upright[:, LOWER_LIP, 2] - nose[:, 2],
        "chin_forward": upright[:, CHIN_FOLD, 2] - nose[:, 2],
    }
    return np.stack([columns[name] for name in DISTANCES], 1)
