# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the lips are in a picture: the box of what moves in the mouth, seen by the camera.

It needs no landmarks, and is there while the lips are shut.
"""

from __future__ import annotations

import itertools

import numpy as np

from ..camera import Camera
from ..head_pose import HeadPose
from ..motion.config import MotionConfig
from .targets import Crop

NEAREST = 1.0e-3
"""Metres before the camera."""


def lips_rectangle(config: MotionConfig, pivot: np.ndarray, head: np.ndarray, camera: Camera) -> Crop | None:
    """Pixels of `camera` (cropped as the picture is); head [6]. None where the mouth lies outside."""
    center, half = np.array(config.mouth_center), np.array(config.mouth_half_extent)
    corners = center + half * np.array(list(itertools.product((-1, 1), repeat=3)))
    pose = HeadPose.from_array(head)
    posed = (corners - pivot) @ np.asarray(pose.matrix(), np.float64).T + pivot + head[3:]
    view = posed @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]
    if (view[:, 2] < NEAREST).any():
        return None
    pixels = view @ camera.K.T
    pixels = pixels[:, :2] / pixels[:, 2:]
    size = (camera.width, camera.height)
    left, top = (int(v) for v in np.clip(np.floor(pixels.min(0)), 0, size))
    right, bottom = (int(v) for v in np.clip(np.ceil(pixels.max(0)), 0, size))
    return Crop(left, top, right, bottom) if right > left and bottom > top else None
