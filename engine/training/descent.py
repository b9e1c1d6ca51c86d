# SPDX-License-Identifier: GPL-3.0-or-later
"""One step downhill on several losses at once."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from .step_guard import StepGuard

LONGEST_GRADIENT = 5.0
"""A batch that would throw the weights further than this is scaled down."""


def descend(
    losses: dict[str, Tensor],
    parameters: Iterable[Tensor],
    optimiser: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    guard: StepGuard | None = None,
) -> dict[str, float]:
    """Add up the losses, step the optimiser and its schedule; returns the losses as numbers.

    guard: leaves out a step that is not a number; the schedule goes on all the same. {"skipped": 1} is returned then.
    """
    parameters = list(parameters)
    optimiser.zero_grad()
    total = torch.stack(list(losses.values())).sum()
    total.backward()
    if guard is not None and not guard.allows(total, parameters):
        optimiser.zero_grad()
        # the schedule counts the optimiser's steps: one without gradients changes nothing but that count
        optimiser.step()
        scheduler.step()
        return {"skipped": 1.0}
    nn.utils.clip_grad_norm_(parameters, LONGEST_GRADIENT)
    optimiser.step()
    scheduler.step()
    return {name: float(value.detach()) for name, value in losses.items()}
