# SPDX-License-Identifier: GPL-3.0-or-later
"""Hybrid motion modelling: merging what is heard with what is shown (arXiv 2508.10566, Eq (7)).

Stochastic feature pairing decides, while training, what the implicit condition is paired with, so that at inference
either alone is enough; the odds and the draw are training's.
"""

from __future__ import annotations

import enum

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import CONDITION, FUSIONS


class Pairing(enum.IntEnum):
    """Which explicit operand meets which implicit one."""

    VIDEO = 0
    """Action Units of the frame itself; also what inference uses, with the Action Units on the sliders."""
    AUDIO = 1
    """Explicit condition predicted from audio."""
    MASKED = 2
    """Explicit operand zero: the implicit road alone."""
    IMPLICIT_MASKED = 3
    """Learned null in place of the implicit operand, Action Units of the frame: the face without any audio."""


class Fusion(nn.Module):
    """Eq (7): c = g * c^i + (1 - g) * c^e with a learned gate g per channel; or one of the ablated ways."""

    def __init__(self, variant: str = "gate", fixed_alpha: float = 0.5, hidden: int = 32) -> None:
        super().__init__()
        if variant not in FUSIONS:
            raise ValueError(f"unknown fusion {variant!r}; choose one of {', '.join(FUSIONS)}")
        self.variant = variant
        self.fixed_alpha = fixed_alpha
        if variant == "gate":
            self.hidden = nn.Linear(2 * CONDITION, hidden)
            self.output = nn.Linear(hidden, CONDITION)
            nn.init.zeros_(self.output.bias)
        elif variant == "concat":
            self.output = nn.Linear(2 * CONDITION, CONDITION)

    def gate(self, implicit: Tensor, explicit: Tensor) -> Tensor:
        """g in 0..1 [...,32]; 1 means implicit. Only for the variant "gate"."""
        return torch.sigmoid(self.output(F.relu(self.hidden(torch.cat([implicit, explicit], dim=-1)))))

    def forward(self, implicit: Tensor, explicit: Tensor) -> Tensor:
        """[...,32], [...,32] -> [...,32]."""
        if self.variant == "implicit":
            return implicit
        if self.variant == "explicit":
            return explicit
        if self.variant == "concat":
            return self.output(torch.cat([implicit, explicit], dim=-1))
        gate = self.fixed_alpha if self.variant == "fixed" else self.gate(implicit, explicit)
        return gate * implicit + (1.0 - gate) * explicit
