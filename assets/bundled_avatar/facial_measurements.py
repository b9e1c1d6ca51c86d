# SPDX-License-Identifier: GPL-3.0-or-later
"""What the 478 tracked landmarks say about a face: head pose, and distances that do not depend on it.

Lengths are in units of the distance between the outer eye corners (median of the clip), axes are the head's own:
x = image right, y up, z toward the camera.
"""

from __future__ import annotations

import numpy as np

BETWEEN_THE_EYES = 168
NOSE_BASE = 2
UPPER_LIP_TOP = (37, 0, 267)
INNER_LIP_UPPER, INNER_LIP_LOWER = 13, 14
LOWER_LIP_BOTTOM = (84, 17, 314)
CHIN = 152
MOUTH_CORNER = (61, 291)  # image left, image right
OUTER_EYE = (33, 263)
INNER_EYE = (133, 362)
UPPER_LID = ((159, 158, 160), (386, 385, 387))
LOWER_LID = ((145, 153, 144), (374, 380, 373))
CHEEK = (117, 346)
INNER_BROW = (55, 285)
OUTER_BROW = (105, 334)


def head_landmarks(landmarks: np.ndarray, transform: np.ndarray, clip_index: np.ndarray) -> np.ndarray:
    """Return landmarks [F, 478, 3] turned upright, with the point between the eyes at the origin, in eye distances.

    landmarks: [F, 478, 3] image pixels (y down, z away from the camera). transform: [F, 4, 4] head to camera.
    clip_index: [F], frames with the same number share one scale.
    """
    points = (landmarks - landmarks[:, BETWEEN_THE_EYES, None]) * np.array([1.0, -1.0, -1.0])
    upright = np.einsum("fji,fkj->fki", rotations(transform), points)
    distance = np.linalg.norm(upright[:, OUTER_EYE[1]] - upright[:, OUTER_EYE[0]], axis=1)
    scale = np.empty(len(upright))
    for clip in np.unique(clip_index):
        scale[clip_index == clip] = np.median(distance[clip_index == clip])
    return upright / scale[:, None, None]


def rotations(transform: np.ndarray) -> np.ndarray:
    """Return the rotation part [F, 3, 3] of scaled rigid transforms [F, 4, 4]."""
    matrix = transform[:, :3, :3]
    return matrix / np.linalg.det(matrix)[:, None, None] ** (1 / 3)


def pitch_yaw_roll(rotation: np.ndarray) -> np.ndarray:
    """Return [F, 3] radians such that R = Ry(yaw) Rx(pitch) Rz(roll) (the engine's head pose convention)."""
    pitch = np.arcsin(np.clip(-rotation[:, 1, 2], -1, 1))
    yaw = np.arctan2(rotation[:, 0, 2], rotation[:, 2, 2])
    roll = np.arctan2(rotation[:, 1, 0], rotation[:, 1, 1])
    return np.stack([pitch, yaw, roll], 1)


def measure(points: np.ndarray) -> dict[str, np.ndarray]:
    """Return named distances, each [F] in eye distances, from ``head_landmarks``.

    lip_gap: inner lips apart. jaw: eyes to chin. upper_lip: height of the upper lip over the nose base (less negative
    is higher). chin_raise: chin to lower lip. width: mouth corners apart. corner_up: height of the corners.
    protrusion: lips forward. lid: lid aperture over eye width. lower_lid: lower lid over cheek. inner_brow,
    outer_brow: height over the eyes. brow_gap: inner brows apart.
    """

    def height(*indices: int) -> np.ndarray:
        return points[:, list(indices), 1].mean(1)

    def span(pair: tuple[int, int]) -> np.ndarray:
        return np.linalg.norm(points[:, pair[1], :2] - points[:, pair[0], :2], axis=1)

    aperture = [
        (height(*upper) - height(*lower)) / np.abs(points[:, outer, 0] - points[:, inner, 0])
        for upper, lower, outer, inner in zip(UPPER_LID, LOWER_LID, OUTER_EYE, INNER_EYE, strict=True)
    ]
    lower_lid = height(*LOWER_LID[0], *LOWER_LID[1])
    eyes = height(*OUTER_EYE, *INNER_EYE)
    lips_forward = points[:, [0, 13, 14, 17], 2].mean(1) - points[:, [NOSE_BASE, CHIN], 2].mean(1)
    return {
        "lip_gap": height(INNER_LIP_UPPER) - height(INNER_LIP_LOWER),
        "jaw": height(BETWEEN_THE_EYES) - height(CHIN),
        "upper_lip": height(*UPPER_LIP_TOP) - height(NOSE_BASE),
        "chin_raise": height(*LOWER_LIP_BOTTOM) - height(CHIN),
        "width": span(MOUTH_CORNER),
        "corner_up": height(*MOUTH_CORNER) - height(NOSE_BASE),
        "protrusion": lips_forward,
        "lid": np.mean(aperture, 0),
        "lower_lid": lower_lid - height(*CHEEK),
        "inner_brow": height(*INNER_BROW) - eyes,
        "outer_brow": height(*OUTER_BROW) - eyes,
        "brow_gap": span(INNER_BROW),
    }
