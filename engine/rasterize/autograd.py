# SPDX-License-Identifier: GPL-3.0-or-later
"""The CPU rasterizer as a differentiable torch operation."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from . import Splats
from .cpu import CpuRasterizer

if TYPE_CHECKING:
    from ..camera import Camera

_shared: dict[str, CpuRasterizer] = {}
_lock = threading.Lock()


@dataclass
class Screen:
    """Where the splats of one picture landed; what densification needs."""

    radii: torch.Tensor
    """[N] int32: screen radius in pixels, 0 for a culled splat."""
    means2d_grad: torch.Tensor | None = None
    """[N, 2] dLoss/d(projected centre), per pixel; None until the backward pass has run."""


def _default() -> CpuRasterizer:
    with _lock:
        return _shared.setdefault("cpu", CpuRasterizer())


class _Rasterize(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        means: torch.Tensor,
        quaternions: torch.Tensor,
        scales: torch.Tensor,
        opacities: torch.Tensor,
        colors: torch.Tensor,
        camera: Any,
        background: Sequence[float],
        rasterizer: CpuRasterizer,
        screen: Screen,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        tensors = (means, quaternions, scales, opacities, colors)
        ctx.save_for_backward(*tensors)  # torch then notices when one is changed in place before backward
        done = rasterizer.forward(Splats(*(t.detach().numpy() for t in tensors)), camera, background)
        screen.radii = torch.from_numpy(done.radii)
        ctx.done, ctx.rasterizer, ctx.screen = done, rasterizer, screen
        return torch.from_numpy(done.rgb), torch.from_numpy(done.alpha)

    @staticmethod
    def backward(ctx: Any, d_rgb: torch.Tensor, d_alpha: torch.Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        _ = ctx.saved_tensors
        g = ctx.rasterizer.backward(ctx.done, d_rgb.numpy(), d_alpha.numpy())
        means2d = torch.from_numpy(g.means2d)
        screen = ctx.screen
        screen.means2d_grad = means2d if screen.means2d_grad is None else screen.means2d_grad + means2d
        inputs = (g.means, g.quaternions, g.scales, g.opacities, g.colors)
        return (*(torch.from_numpy(array) for array in inputs), None, None, None, None)


def rasterize(
    means: torch.Tensor,
    quaternions: torch.Tensor,
    scales: torch.Tensor,
    opacities: torch.Tensor,
    colors: torch.Tensor,
    camera: Camera,
    background: Sequence[float] | torch.Tensor | None = None,
    rasterizer: CpuRasterizer | None = None,
) -> tuple[torch.Tensor, torch.Tensor, Screen]:
    """Draw splats and keep the way back to their parameters.

    Args:
        means: [N, 3] float32 on the CPU, like all the tensors; metres.
        quaternions: [N, 4] (w, x, y, z), need not be normalised.
        scales: [N, 3] activated, metres.
        opacities: [N] activated, 0..1.
        colors: [N, 3] >= 0, spherical harmonics already evaluated.
        camera: the view.
        background: 3 numbers, black by default; no gradient flows into it.
        rasterizer: None takes one that is shared by the whole process.

    Returns:
        rgb [H, W, 3] over the background, alpha [H, W], and the :class:`Screen`, whose ``means2d_grad`` is filled in by
        the backward pass. Do not write into rgb or alpha: the backward pass reads them.
    """
    if background is None:
        background = (0.0, 0.0, 0.0)
    elif isinstance(background, torch.Tensor):
        background = background.detach().tolist()
    screen = Screen(torch.zeros(0, dtype=torch.int32))
    rgb, alpha = _Rasterize.apply(
        means, quaternions, scales, opacities, colors, camera, background, rasterizer or _default(), screen
    )
    return rgb, alpha, screen
