# SPDX-License-Identifier: GPL-3.0-or-later
"""The finished face before the mouth that learns: a window onto it, at the price of what the window shows."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..camera import Camera
from ..gaussians.gaussian_set import GaussianSet
from ..head_pose import HeadPose
from ..motion.fields import FaceField
from .field_rows import FieldRows
from .parameters import GaussianParameters
from .scene import RenderedLayer, Scene

REACH = 0.04
"""Metres from a Gaussian's place at rest within which its motion and its size keep it."""
NEAREST = 0.01
"""Metres in front of the camera; what is nearer, or behind it, is never left out."""


class FinishedFace:
    """Draws windows of a face that learns no more. face: its Gaussians; field: what moves them."""

    def __init__(self, face: GaussianParameters, field: FaceField, scene: Scene) -> None:
        self.values, self.scene, self.field = face.gaussian_set(), scene, FieldRows(field, scene.threads)
        self.field.encode(face.means)
        assert self.field.encoding is not None
        self.encoding = self.field.encoding

    def layer(
        self, lower: Tensor, upper: Tensor, head: np.ndarray, camera: Camera, body: np.ndarray | None
    ) -> RenderedLayer:
        """What `camera` sees of it, without gradients, under conditions lower and upper [32]. head [6]; body [3] metres
        or None, as :meth:`.scene.Scene.layer` has them. Its `screen` and `posed` are of the Gaussians in sight."""
        rows = in_sight(self.values, head, self.scene.pivot.numpy(), camera, body)
        with torch.no_grad():
            self.field.encoding = self.encoding[torch.from_numpy(rows)]
            offsets = self.field.offsets(None, lower, upper)
            return self.scene.layer("face", GaussianParameters(self.values.select(rows)), offsets, head, camera, body)


def in_sight(
    values: GaussianSet, head: np.ndarray, pivot: np.ndarray, camera: Camera, body: np.ndarray | None = None
) -> np.ndarray:
    """[n] rows, ascending, of those that are at rest within REACH of what `camera` sees; depth does not count.
    head [6], pivot [3], body [3] metres or None."""
    pose, weight = HeadPose.from_array(head), values.head_weights[:, None]
    turned = (values.means - np.float32(pivot)) @ np.float32(pose.matrix()).T + np.float32(pivot + head[3:])
    places = weight * turned + (1 - weight) * (values.means if body is None else values.means + np.float32(body))
    across, down, depth = np.float32(camera.world_to_camera[:3]) @ np.vstack([places.T, np.ones(len(places), "f4")])
    seen = depth < NEAREST
    depth = np.maximum(depth, NEAREST)
    inside = np.ones(len(depth), bool)
    for axis, view, size in ((0, across, camera.width), (1, down, camera.height)):
        focal, centre = np.float32(camera.K[axis, axis]), np.float32(camera.K[axis, 2])
        inside &= (focal * (view + REACH) > -centre * depth) & (focal * (view - REACH) < (size - centre) * depth)
    return np.flatnonzero(seen | inside)
