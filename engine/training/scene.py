# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters and one motion -> differentiable layers of one frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..camera import Camera
from ..gaussians.posing_torch import Posed, pose_torch
from ..head_pose import HeadPose
from ..rasterize.autograd import Screen, rasterize
from ..rasterize.cpu import CpuRasterizer
from .parameters import GaussianParameters
from .row_threads import RowThreads


@dataclass
class RenderedLayer:
    rgb: Tensor  # [h,w,3] premultiplied
    alpha: Tensor  # [h,w]
    screen: Screen  # radii [N] and, after backward, means2d_grad [N,2]
    posed: Posed  # what was drawn: means, quaternions, scales, opacities, colours


class Scene:
    """Renders posed parameter sets. Each has a rasterizer of its own, whose buffers live until its backward pass.

    `threads` are for what moves the Gaussians.
    """

    def __init__(self, pivot: np.ndarray, threads: int) -> None:
        self.pivot = torch.from_numpy(np.asarray(pivot, np.float32))
        self.rasterizers = {name: CpuRasterizer(threads=threads) for name in ("face", "mouth", "extra")}
        self.threads = RowThreads(threads)

    def layer(
        self,
        name: str,
        parameters: GaussianParameters,
        offsets: Tensor | None,
        head: np.ndarray,
        camera: Camera,
        body: np.ndarray | None = None,
    ) -> RenderedLayer:
        """name: "face" or "mouth"; offsets [N,10] (or [N,3], positions only, or None); head [6]; body [3] metres that
        what does not turn with the head has moved."""
        if offsets is not None and offsets.shape[1] == 3:
            offsets = torch.cat([offsets, offsets.new_zeros(len(offsets), 7)], 1)
        if body is not None and offsets is not None:
            carried = (1 - parameters.head_weights)[:, None] * torch.from_numpy(np.asarray(body, np.float32))
            offsets = torch.cat([offsets[:, :3] + carried, offsets[:, 3:]], 1)
        pose = HeadPose.from_array(head)
        rotation = torch.from_numpy(np.asarray(pose.matrix(), np.float32))
        translation = torch.tensor(head[3:], dtype=torch.float32)
        eye = torch.from_numpy(np.asarray(camera.position, np.float32))
        posed = pose_torch(
            parameters.means,
            parameters.raw_scales,
            parameters.quaternions,
            parameters.raw_opacities,
            parameters.sh,
            parameters.head_weights,
            offsets,
            rotation,
            translation,
            self.pivot,
            eye,
            self.threads.workers,
        )
        rgb, alpha, screen = rasterize(*posed, camera, None, self.rasterizers[name])
        return RenderedLayer(rgb, alpha, screen, posed)


def over(front: RenderedLayer, back_rgb: Tensor, back_alpha: Tensor) -> tuple[Tensor, Tensor]:
    """Premultiplied "over" (arXiv 2508.10566, Eq 10): -> rgb [h,w,3], alpha [h,w]."""
    clear = 1 - front.alpha
    return front.rgb + clear[..., None] * back_rgb, front.alpha + clear * back_alpha


def random_background(rng: np.random.Generator) -> Tensor:
    """[3] a colour that no part of the person can pretend to be for long."""
    return torch.from_numpy(rng.random(3).astype(np.float32))
