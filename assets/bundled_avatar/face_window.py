# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in the picture the face is: most frames need only that part rendered, since only there does speech show."""

from __future__ import annotations

import numpy as np

from hmtalker.head_pose import HeadPose

SIZE = (208, 272)
"""Width and height of the window in pixels of a 512-pixel frame."""
BELOW_EYES = 0.040
"""Metres from the eyes down to the middle of the window; a dropped jaw stays inside."""


def face_windows(
    head: np.ndarray,
    eye_centre: np.ndarray,
    pivot: np.ndarray,
    intrinsics: np.ndarray,
    world_to_camera: np.ndarray,
    size: int,
) -> np.ndarray:
    """int64 [F,4] left, top, right, bottom for head poses [F,6]; the window follows the head, never leaves the frame.

    eye_centre, pivot: [3] canonical, metres. size: pixels of the square frame.
    """
    turns = np.stack([HeadPose.from_array(pose).matrix() for pose in head])
    middle = np.array([0.0, eye_centre[1] - BELOW_EYES, eye_centre[2]])
    posed = turns @ (middle - pivot) + pivot + head[:, 3:]
    seen = posed @ world_to_camera[:3, :3].T + world_to_camera[:3, 3]
    place = seen[:, :2] / seen[:, 2:] * intrinsics[[0, 1], [0, 1]] + intrinsics[:2, 2]
    extent = np.round(np.array(SIZE) * size / 512).astype(np.int64)
    corner = np.clip(np.round(place - extent / 2).astype(np.int64), 0, size - extent)
    return np.concatenate([corner, corner + extent], 1)
