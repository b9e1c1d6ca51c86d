# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Gaussians are added and taken away: gradient statistics, cloning, splitting, pruning."""

from __future__ import annotations

import torch
from torch import Tensor

from .parameters import GaussianParameters, replace_rows
from .schedules import BranchSchedule

SPLIT_SHRINK = 1.6
"""Children of a split are smaller by this factor (3D Gaussian Splatting)."""
SPLIT_RADIUS = 6.0
"""Pixels: a Gaussian with a larger screen radius is split, a smaller one is cloned."""


def opacity_limit(schedule: BranchSchedule, iteration: int) -> float:
    """Opacity below which Gaussians are dropped at `iteration`: it rises until densifying ends (METHOD 4.3)."""
    done = min(1.0, iteration / max(1, schedule.densify_until))
    return schedule.prune_opacity + schedule.prune_opacity_growth * done


class GradientStatistics:
    """Mean length of the loss's gradient to each Gaussian's place on the screen, over the steps that saw it."""

    def __init__(self, count: int) -> None:
        self.total = torch.zeros(count)
        self.seen = torch.zeros(count)
        self.radius = torch.zeros(count)

    def add(self, means2d_gradient: Tensor, radii: Tensor, width: int, height: int) -> None:
        """means2d_gradient [N,2] per pixel; radii [N]; the crop's size scales the gradient to half images."""
        across, down = means2d_gradient.unbind(1)  # 0 for what is culled
        self.total += ((width / 2) * across).square_().addcmul_(down, down, value=(height / 2) ** 2).sqrt_()
        self.seen += radii > 0
        self.radius = torch.maximum(self.radius, radii.float())

    def mean(self) -> Tensor:
        """[N]"""
        return self.total / self.seen.clamp(min=1)


def densify_and_prune(
    parameters: GaussianParameters,
    optimiser: torch.optim.Adam,
    statistics: GradientStatistics,
    threshold: float,
    prune_opacity: float,
    maximum: int,
    generator: torch.Generator,
    *,
    largest_radius: float = 0.0,
    largest_scale: float = 0.0,
    allowed: Tensor | None = None,
) -> GradientStatistics:
    """Clone small Gaussians with a large gradient, split large ones, drop the transparent and the never seen.

    largest_radius (pixels), largest_scale (metres): what is larger is dropped too; 0: however large. allowed: bool [N],
    the others are dropped. A set of which nothing would be left stays as it is.
    """
    with torch.no_grad():
        opacity = torch.sigmoid(parameters.raw_opacities)
        keep = (opacity > prune_opacity) & (statistics.seen > 0)
        if largest_radius > 0:
            keep &= statistics.radius <= largest_radius
        if largest_scale > 0:
            keep &= torch.nn.functional.softplus(parameters.raw_scales).amax(1) <= largest_scale
        if allowed is not None:
            keep &= allowed
        if not keep.any():
            return GradientStatistics(parameters.count)
        room = max(0, maximum - int(keep.sum()))
        gradient = torch.where(keep, statistics.mean(), torch.zeros(()))
        candidates = torch.nonzero(gradient > threshold).squeeze(1)
        if len(candidates) > room:
            candidates = candidates[gradient[candidates].argsort(descending=True)[:room]]
        large = statistics.radius[candidates] > SPLIT_RADIUS
        kept = torch.nonzero(keep).squeeze(1)
        rows = torch.cat([kept, candidates])
        replace_rows(parameters, optimiser, rows, fresh=len(candidates))

        place = torch.full((len(opacity),), -1, dtype=torch.long)
        place[kept] = torch.arange(len(kept))
        first, second = place[candidates[large]], len(kept) + torch.nonzero(large).squeeze(1)
        scales = torch.nn.functional.softplus(parameters.raw_scales.data[first])
        smaller = scales / SPLIT_SHRINK
        raw = torch.where(smaller > 20, smaller, torch.log(torch.expm1(smaller.clamp(min=1e-9))))
        axes = axes_of(parameters.quaternions.data[first])
        for target in (first, second):
            step = torch.randn(scales.shape, generator=generator) * scales
            parameters.means.data[target] += torch.einsum("nij,nj->ni", axes, step)
            parameters.raw_scales.data[target] = raw
    return GradientStatistics(parameters.count)


def axes_of(quaternions: Tensor) -> Tensor:
    """quaternions [n,4] wxyz -> rotation matrices [n,3,3]."""
    w, x, y, z = torch.nn.functional.normalize(quaternions, dim=1).unbind(1)
    return torch.stack(
        [
            1 - 2 * (y * y + z * z),
            2 * (x * y - w * z),
            2 * (x * z + w * y),
            2 * (x * y + w * z),
            1 - 2 * (x * x + z * z),
            2 * (y * z - w * x),
            2 * (x * z - w * y),
            2 * (y * z + w * x),
            1 - 2 * (x * x + y * y),
        ],
        1,
    ).reshape(-1, 3, 3)
