# SPDX-License-Identifier: GPL-3.0-or-later
"""A drawn layer over one colour, as the losses look at it, in one pass over the pixels (Numba under torch)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..rasterize.compiled import kernel

ONE = np.float32(1)
NOTHING_HIDDEN = np.zeros((0, 0), np.float32)


def composed(rgb: Tensor, alpha: Tensor, background: Tensor, hidden: Tensor | None = None) -> Tensor:
    """[h,w,3] of premultiplied rgb [h,w,3] and alpha [h,w] over a colour [3], which also covers what is `hidden`
    ([h,w], 0..1), so that nothing is learnt there. Gradients go to rgb and alpha alone; float32 on the CPU."""
    if not (torch.is_grad_enabled() and (rgb.requires_grad or alpha.requires_grad)):
        return torch.from_numpy(_composed(rgb, alpha, background, hidden))
    result: Tensor = _Composed.apply(rgb, alpha, background, hidden)
    return result


class _Composed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rgb: Tensor, alpha: Tensor, background: Tensor, hidden: Tensor | None) -> Tensor:
        ctx.background, ctx.hidden = background, hidden
        return torch.from_numpy(_composed(rgb, alpha, background, hidden))

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        d_image = upstream[0].contiguous().numpy()
        d_rgb, d_alpha = np.empty_like(d_image), np.empty(d_image.shape[:2], np.float32)
        _compose_gradient(d_image, ctx.background.numpy(), _hidden(ctx.hidden), d_rgb, d_alpha)
        return torch.from_numpy(d_rgb), torch.from_numpy(d_alpha), None, None


def _hidden(hidden: Tensor | None) -> np.ndarray:
    return NOTHING_HIDDEN if hidden is None else hidden.contiguous().numpy()


def _composed(rgb: Tensor, alpha: Tensor, background: Tensor, hidden: Tensor | None) -> np.ndarray:
    colours = rgb.detach().contiguous().numpy()
    image = np.empty_like(colours)
    _compose(colours, alpha.detach().contiguous().numpy(), background.numpy(), _hidden(hidden), image)
    return image


@kernel
def _compose(rgb, alpha, background, hidden, image):  # type: ignore[no-untyped-def]
    height, width = alpha.shape
    red, green, blue = background[0], background[1], background[2]
    hiding = hidden.shape[0] > 0
    for y in range(height):
        for x in range(width):
            shown = ONE - hidden[y, x] if hiding else ONE
            clear = shown * (ONE - alpha[y, x]) + (ONE - shown)
            image[y, x, 0] = shown * rgb[y, x, 0] + clear * red
            image[y, x, 1] = shown * rgb[y, x, 1] + clear * green
            image[y, x, 2] = shown * rgb[y, x, 2] + clear * blue


@kernel
def _compose_gradient(d_image, background, hidden, d_rgb, d_alpha):  # type: ignore[no-untyped-def]
    height, width = d_alpha.shape
    red, green, blue = background[0], background[1], background[2]
    hiding = hidden.shape[0] > 0
    for y in range(height):
        for x in range(width):
            shown = ONE - hidden[y, x] if hiding else ONE
            r, g, b = shown * d_image[y, x, 0], shown * d_image[y, x, 1], shown * d_image[y, x, 2]
            d_rgb[y, x, 0] = r
            d_rgb[y, x, 1] = g
            d_rgb[y, x, 2] = b
            d_alpha[y, x] = -(r * red + g * green + b * blue)
