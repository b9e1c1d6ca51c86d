# SPDX-License-Identifier: GPL-3.0-or-later
"""A drawn layer over a background, as the losses look at it, in one pass over the pixels (Numba under torch)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..rasterize.compiled import kernel

ZERO, ONE = np.float32(0), np.float32(1)
NOTHING_HIDDEN = np.zeros((0, 0), np.float32)


def composed(rgb: Tensor, alpha: Tensor, background: Tensor, hidden: Tensor | None = None) -> Tensor:
    """[h,w,3] of premultiplied rgb [h,w,3] and alpha [h,w] over a colour [3] or a picture [h,w,3], which also covers
    what is `hidden` ([h,w], 0..1), so that nothing is learnt there. Gradients go to rgb and alpha alone; float32 on the
    CPU."""
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
        background = np.broadcast_to(ctx.background.numpy(), d_image.shape)
        _compose_gradient(d_image, background, _hidden(ctx.hidden), d_rgb, d_alpha)
        return torch.from_numpy(d_rgb), torch.from_numpy(d_alpha), None, None


def _hidden(hidden: Tensor | None) -> np.ndarray:
    return NOTHING_HIDDEN if hidden is None else hidden.contiguous().numpy()


def _composed(rgb: Tensor, alpha: Tensor, background: Tensor, hidden: Tensor | None) -> np.ndarray:
    colours = rgb.detach().contiguous().numpy()
    image = np.empty_like(colours)
    behind = np.broadcast_to(background.numpy(), colours.shape)
    _compose(colours, alpha.detach().contiguous().numpy(), behind, _hidden(hidden), image)
    return image


@kernel
def _compose(rgb, alpha, background, hidden, image):  # type: ignore[no-untyped-def]
    height, width = alpha.shape
    hiding = hidden.shape[0] > 0
    for y in range(height):
        for x in range(width):
            shown = ONE - hidden[y, x] if hiding else ONE
            clear = shown * (ONE - alpha[y, x]) + (ONE - shown)
            for channel in range(3):
                image[y, x, channel] = shown * rgb[y, x, channel] + clear * background[y, x, channel]


@kernel
def _compose_gradient(d_image, background, hidden, d_rgb, d_alpha):  # type: ignore[no-untyped-def]
    height, width = d_alpha.shape
    hiding = hidden.shape[0] > 0
    for y in range(height):
        for x in range(width):
            shown = ONE - hidden[y, x] if hiding else ONE
            behind = ZERO
            for channel in range(3):
                d_rgb[y, x, channel] = shown * d_image[y, x, channel]
                behind += d_rgb[y, x, channel] * background[y, x, channel]
            d_alpha[y, x] = -behind
