# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a performance as OpenFace 2 does, for programs that read its tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...action_unit_sets import OPENFACE_17, set_of_width
from ...atomic_file import write_atomically

DISTANCE = 700.0
"""Millimetres from the camera to the head that tables are written with; an avatar's head knows no camera."""
_NAMES = (
    "frame", "face_id", "timestamp", "confidence", "success",
    "pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz",
)  # fmt: skip


def write_openface(path: str | Path, action_units: np.ndarray, head: np.ndarray, fps: float) -> None:
    """action_units: controls [T,17] or [T,47], 0..5; the columns of the set `extended` are named like OpenFace's own.
    head: [T,6] pitch, yaw, roll in radians; x, y, z in metres. Raises OSError."""
    of = set_of_width(np.shape(action_units)[1])
    if of is not OPENFACE_17:
        action_units = of.measured(action_units)
    place = np.asarray(head, np.float64)[:, 3:] * (1000.0, -1000.0, -1000.0) + (0.0, 0.0, DISTANCE)
    rows = np.column_stack([place, openface_rotation(np.asarray(head)[:, :3]), action_units])
    lines = [", ".join([*_NAMES, *(f"{code}_r" for code in of.codes)])]
    for index, row in enumerate(rows):
        begin = f"{index + 1}, 0, {index / fps:.3f}, 1.00, 1"
        lines.append(", ".join([begin, *(f"{value:.5f}" for value in row)]))
    write_atomically(Path(path), [("\n".join(lines) + "\n").encode("utf-8")])


def openface_rotation(angles: np.ndarray) -> np.ndarray:
    """pose_Rx, pose_Ry, pose_Rz [n,3] of `HeadPose`'s pitch, yaw, roll [n,3]; the inverse of `head_rotation`.

    R = Ry Rx Rz in our axes is turned into OpenFace's by half a turn about x, and taken apart as Rx Ry Rz.
    """
    (sp, sy, sr), (cp, cy, cr) = np.sin(np.asarray(angles, np.float64).T), np.cos(np.asarray(angles, np.float64).T)
    # Rows of R = Ry Rx Rz that are needed, with the signs that the half turn gives them.
    r00, r01 = cy * cr + sy * sp * sr, -(-cy * sr + sy * sp * cr)
    r02, r12, r22 = -(sy * cp), -sp, cy * cp
    return np.stack([np.arctan2(-r12, r22), np.arcsin(np.clip(r02, -1, 1)), np.arctan2(-r01, r00)], 1)
