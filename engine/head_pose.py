# SPDX-License-Identifier: GPL-3.0-or-later
"""The head's pose: a rotation about the avatar's pivot and a translation, both in canonical axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class HeadPose:
    """R = Ry(yaw) Rx(pitch) Rz(roll); a point of the head goes to R (x - pivot) + pivot + translation."""

    rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Pitch, yaw, roll in radians. Positive: nods down, turns the face to the image's right, tilts counter-clockwise
    as seen in the image."""
    translation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Metres: image right, up, toward the camera."""

    @classmethod
    def from_array(cls, values: Sequence[float] | np.ndarray) -> HeadPose:
        """values: [6] pitch, yaw, roll, x, y, z."""
        pitch, yaw, roll, x, y, z = (float(value) for value in values)
        return cls((pitch, yaw, roll), (x, y, z))

    def to_array(self) -> np.ndarray:
        """float32 [6] pitch, yaw, roll, x, y, z."""
        return np.array([*self.rotation, *self.translation], np.float32)

    def matrix(self) -> np.ndarray:
        """float64 [3,3]."""
        (sp, cp), (sy, cy), (sr, cr) = ((math.sin(angle), math.cos(angle)) for angle in self.rotation)
        pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
        yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
        return np.asarray(yaw @ pitch @ roll)

    def quaternion(self) -> np.ndarray:
        """float64 [4] w, x, y, z of unit length, w >= 0."""
        return quaternion_from_matrix(self.matrix())

    def camera_in_head(self, camera_position: np.ndarray, pivot: np.ndarray) -> np.ndarray:
        """Where a camera at `camera_position` [3] is as seen from the unposed head: R^T (c - pivot - t) + pivot."""
        return np.asarray(self.matrix().T @ (camera_position - pivot - np.array(self.translation)) + pivot)


def quaternion_from_matrix(matrix: np.ndarray) -> np.ndarray:
    """Unit quaternion [4] w, x, y, z with w >= 0 of a rotation matrix [3,3]."""
    m = np.asarray(matrix, np.float64)
    trace = m[0, 0] + m[1, 1] + m[2, 2]
    # Four times the squares of w, x, y, z; dividing by the largest keeps half turns exact.
    squares = (1 + trace, 1 + 2 * m[0, 0] - trace, 1 + 2 * m[1, 1] - trace, 1 + 2 * m[2, 2] - trace)
    largest = int(np.argmax(squares))
    rows = (
        (squares[0], m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]),
        (m[2, 1] - m[1, 2], squares[1], m[1, 0] + m[0, 1], m[0, 2] + m[2, 0]),
        (m[0, 2] - m[2, 0], m[1, 0] + m[0, 1], squares[2], m[2, 1] + m[1, 2]),
        (m[1, 0] - m[0, 1], m[0, 2] + m[2, 0], m[2, 1] + m[1, 2], squares[3]),
    )
    quaternion = np.array(rows[largest])
    quaternion /= np.linalg.norm(quaternion)
    return -quaternion if quaternion[0] < 0 else quaternion
