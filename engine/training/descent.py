# SPDX-License-Identifier: GPL-3.0-or-later
"""One step downhill on several losses at once."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

LONGEST_GRADIENT = 5.0
"""A batch that would throw the weights further than this is scaled down."""


def descend(
    losses: dict[str, Tensor],
    parameters: Iterable[Tensor],
    optimiser: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
) -> dict[str, float]:
    """Add up the losses, step the optimiser and its schedule; returns the losses as numbers."""
    optimiser.zero_grad()
    torch.stack(list(losses.values())).sum().backward()
    nn.utils.clip_grad_norm_(parameters, LONGEST_GRADIENT)
    optimiser.step()
    scheduler.step()
    return {name: float(value.detach()) for name, value in losses.items()}
