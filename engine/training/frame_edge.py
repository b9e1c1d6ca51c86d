# SPDX-License-Identifier: GPL-3.0-or-later
"""What reaches beyond the film's frame: no picture ever says how it looks there, and from a scene's camera it shows."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..camera import Camera
from .densify import axes_of
from .parameters import GaussianParameters

SPREAD = 2.0
"""Standard deviations from its centre at which a Gaussian ends here."""
MOST = 0.04
"""Of the frame's longer side: what reaches further beyond it is dropped."""
NEAREST = 0.01
"""Metres in front of the camera at least."""


def within_frame(parameters: GaussianParameters, camera: Camera, most: float = MOST) -> Tensor:
    """bool [N]: which Gaussians end, at rest, before they are `most` of the frame's longer side beyond it."""
    with torch.no_grad():
        world_to_camera = torch.from_numpy(camera.world_to_camera).float()
        view = parameters.means @ world_to_camera[:3, :3].T + world_to_camera[:3, 3]
        depth = view[:, 2].clamp(min=NEAREST)
        scales, axes = functional.softplus(parameters.raw_scales), axes_of(parameters.quaternions)
        inside = torch.ones(parameters.count, dtype=torch.bool)
        room = most * max(camera.width, camera.height)
        for axis, size in enumerate((camera.width, camera.height)):
            focal, centre = float(camera.K[axis, axis]), float(camera.K[axis, 2])
            extent = ((world_to_camera[axis, :3] @ axes) * scales).norm(dim=1)
            place, reach = focal * view[:, axis] / depth + centre, SPREAD * focal * extent / depth
            inside &= (place - reach >= -room) & (place + reach <= size + room)
        return inside
