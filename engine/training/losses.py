# SPDX-License-Identifier: GPL-3.0-or-later
"""The small terms beside pictures: how far Gaussians move, what alpha covers (METHOD 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor

from .schedules import BranchSchedule

LEAST_AREA = 1.0
"""Pixels: a region smaller than this has no mean, and its term is 0 instead of not a number."""


def delta_terms(offsets: Tensor, schedule: BranchSchedule) -> Tensor:
    """Weighted mean absolute d_mu, d_q and d_s of offsets [N,10], or of [N,3], which have d_mu alone."""
    total = schedule.delta_mean * offsets[:, :3].abs().mean()
    if offsets.shape[1] > 3:
        total = total + schedule.delta_rotation * offsets[:, 3:7].abs().mean()
        total = total + schedule.delta_scale * offsets[:, 7:10].abs().mean()
    return total


def region_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Mean of values [h,w] where weight [h,w] 0..1 says; 0 where that is nowhere."""
    area = weight.sum()
    return (values * weight).sum() / area.clamp(min=LEAST_AREA)


def alpha_terms(alpha: Tensor, target: Tensor, schedule: BranchSchedule) -> tuple[Tensor, Tensor]:
    """Rendered and true alpha [h,w] -> the weighted term, and the plain mean error for the report."""
    error = (alpha - target).abs().mean()
    total = schedule.alpha * error
    if schedule.alpha_regions:
        total = total + schedule.alpha_regions * (region_mean(1 - alpha, target) + region_mean(alpha, 1 - target))
    return total, error


def sees_hair(schedule: BranchSchedule, iteration: int) -> bool:
    """Whether this step compares hair; motion should not be dominated by it."""
    hiding = schedule.motion_from < iteration < schedule.hair_until * schedule.iterations
    return not hiding or iteration % max(1, schedule.hair_every) == 0


def motion_factor(schedule: BranchSchedule, iteration: int) -> float:
    """What the motion's rates are multiplied with at `iteration` (METHOD 4.2)."""
    end = max(1, schedule.iterations)
    turn = 0.8 * end
    if not schedule.parent_decay:
        return float(0.1 ** (iteration / end))
    return float(0.5 ** (iteration / turn) if iteration < turn else 0.1 ** (iteration / end))


def zero(like: Tensor) -> Tensor:
    """A loss of nothing."""
    return torch.zeros((), dtype=like.dtype, device=like.device)
