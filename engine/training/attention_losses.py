# SPDX-License-Identifier: GPL-3.0-or-later
"""What listens to what: the upper face's Action Units should not move the lips, and nothing should move hair.

The length of every Gaussian's attention vector is drawn as its colour (METHOD 2.5, 3.1), coarsely, through the places
that the picture has already been drawn with. What is drawn learns nothing from it, attention does.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from ..camera import Camera
from ..rasterize.autograd import rasterize
from .losses import region_mean, zero
from .scene import RenderedLayer, Scene
from .targets import Crop

COARSER = 4
"""Pixels of the picture a pixel of the attention."""


def attention_picture(scene: Scene, layer: RenderedLayer, lengths: Tensor, camera: Camera) -> Tensor:
    """[h,w,2] attention to the lower and the upper face, of lengths [N,2], COARSER than the camera's picture."""
    means, quaternions, scales, opacities, _ = (tensor.detach() for tensor in layer.posed)
    coarse = camera.scaled(max(1, camera.width // COARSER), max(1, camera.height // COARSER))
    colors = functional.pad(lengths, (0, 1))
    picture, _, _ = rasterize(means, quaternions, scales, opacities, colors, coarse, None, scene.rasterizers["extra"])
    return picture[..., :2]


def attention_error(
    picture: Tensor, lips: Crop | None, hair: Tensor | None, lips_weight: float, hair_weight: float
) -> Tensor:
    """picture [h,w,2] of :func:`attention_picture`. lips: of the full picture. hair [H,W] of it, or None: not seen."""
    total = zero(picture)
    if lips is not None and lips_weight:
        top, left = lips.top // COARSER, lips.left // COARSER
        inside = picture[top : max(top + 1, lips.bottom // COARSER), left : max(left + 1, lips.right // COARSER), 1]
        if inside.numel():
            total = total + lips_weight * inside.mean()
    if hair is not None and hair_weight:
        coarse = functional.adaptive_avg_pool2d(hair[None, None], (picture.shape[0], picture.shape[1]))[0, 0]
        total = total + hair_weight * (region_mean(picture[..., 0], coarse) + region_mean(picture[..., 1], coarse))
    return total
