# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in the picture the face is, or the head: most frames need only that part rendered, since only there does speech
show, and only a turned head shows other sides of its hair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmtalker.head_pose import HeadPose


@dataclass(frozen=True)
class Extent:
    """size: width and height in pixels of a 512-pixel frame. below, behind: metres from the eyes to the middle."""

    size: tuple[int, int]
    below: float
    behind: float


FACE = Extent((208, 272), 0.040, 0.0)
"""A dropped jaw stays inside."""
HEAD = Extent((352, 400), 0.007, 0.060)
"""With all its hair, turned by up to 25 degrees."""


def face_windows(
    head: np.ndarray,
    eye_centre: np.ndarray,
    pivot: np.ndarray,
    intrinsics: np.ndarray,
    world_to_camera: np.ndarray,
    size: int,
    extent: Extent = FACE,
) -> np.ndarray:
    """int64 [F,4] left, top, right, bottom for head poses [F,6]; the window follows the head, never leaves the frame.

    eye_centre, pivot: [3] canonical, metres. size: pixels of the square frame.
    """
    turns = np.stack([HeadPose.from_array(pose).matrix() for pose in head])
    middle = np.array([0.0, eye_centre[1] - extent.below, eye_centre[2] - extent.behind])
    posed = turns @ (middle - pivot) + pivot + head[:, 3:]
    seen = posed @ world_to_camera[:3, :3].T + world_to_camera[:3, 3]
    place = seen[:, :2] / seen[:, 2:] * intrinsics[[0, 1], [0, 1]] + intrinsics[:2, 2]
    pixels = np.round(np.array(extent.size) * size / 512).astype(np.int64)
    corner = np.clip(np.round(place - pixels / 2).astype(np.int64), 0, size - pixels)
    return np.concatenate([corner, corner + pixels], 1)
