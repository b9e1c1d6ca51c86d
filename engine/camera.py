# SPDX-License-Identifier: GPL-3.0-or-later
"""A pinhole camera in OpenCV's convention: x right, y down, z forward; pixel centres at (column + 0.5, row + 0.5)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Camera:
    """Where a picture is taken from, and with what lens."""

    width: int
    """Pixels."""
    height: int
    """Pixels."""
    K: np.ndarray
    """float64 [3,3] intrinsics in pixels; the image's corner is (0, 0)."""
    world_to_camera: np.ndarray
    """float64 [4,4]; the world is the avatar's canonical space, in metres."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "K", np.array(self.K, np.float64).reshape(3, 3))
        object.__setattr__(self, "world_to_camera", np.array(self.world_to_camera, np.float64).reshape(4, 4))
        object.__setattr__(self, "width", int(self.width))
        object.__setattr__(self, "height", int(self.height))

    @property
    def position(self) -> np.ndarray:
        """float64 [3], the camera's centre in the world, in metres."""
        rotation, translation = self.world_to_camera[:3, :3], self.world_to_camera[:3, 3]
        return np.asarray(-np.linalg.solve(rotation, translation))

    def scaled(self, width: int, height: int) -> Camera:
        """The same view in another number of pixels (not cropped: the aspect of the pixels changes if it must)."""
        K = self.K.copy()
        K[0] *= width / self.width
        K[1] *= height / self.height
        return Camera(width, height, K, self.world_to_camera)

    def to_dict(self) -> dict[str, Any]:
        """As the JSON of an avatar's header."""
        return {
            "width": self.width,
            "height": self.height,
            "K": self.K.tolist(),
            "world_to_camera": self.world_to_camera.tolist(),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Camera:
        """The inverse of :meth:`to_dict`. Raises ValueError where the data is not a usable camera."""
        try:
            camera = cls(data["width"], data["height"], data["K"], data["world_to_camera"])
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError("a camera needs width, height, K [3,3] and world_to_camera [4,4]") from error
        if not (1 <= camera.width <= 16384 and 1 <= camera.height <= 16384):
            raise ValueError("a camera's width and height are between 1 and 16384 pixels")
        if not (np.isfinite(camera.K).all() and np.isfinite(camera.world_to_camera).all()):
            raise ValueError("a camera's matrices hold finite numbers")
        rotation = camera.world_to_camera[:3, :3]
        if camera.K[0, 0] <= 0 or camera.K[1, 1] <= 0 or np.abs(rotation @ rotation.T - np.eye(3)).max() > 1e-3:
            raise ValueError("a camera has a positive focal length and a rotation without scale")
        return camera

    @classmethod
    def in_front(cls, width: int = 512, height: int = 512, distance: float = 0.7, field_of_view: float = 0.5) -> Camera:
        """Looks along -z at the origin from `distance` metres; field_of_view: across the width, in radians."""
        focal = 0.5 * width / math.tan(0.5 * field_of_view)
        K = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
        world_to_camera = np.diag([1.0, -1.0, -1.0, 1.0])
        world_to_camera[2, 3] = distance
        return cls(width, height, K, world_to_camera)
