# SPDX-License-Identifier: GPL-3.0-or-later
"""What the face shows: Action Units to explicit conditions (arXiv 2508.10566, Eq (5)), and their prediction from audio.

An explicit condition ends in the raw Action Units it was made of, so the audio-predicted one can be read as curves.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..action_units import MAXIMUM
from .config import CONDITION


class AUEncoder(nn.Module):
    """Eq (5): c^e = MLP(A) concatenated with A. Bias-free, so that a neutral face (A = 0) gives exactly zero."""

    def __init__(self, action_units: int, hidden: int = 32) -> None:
        super().__init__()
        self.hidden = nn.Linear(action_units, hidden, bias=False)
        self.output = nn.Linear(hidden, CONDITION - action_units, bias=False)

    def forward(self, action_units: Tensor) -> Tensor:
        """Intensities 0..5 [...,n] -> [...,32]: learned channels, then the n intensities themselves."""
        return torch.cat([self.output(F.relu(self.hidden(action_units))), action_units], dim=-1)


class A2AM(nn.Module):
    """Audio to Action Units: the implicit condition to the explicit one it should come with. 32 -> 64 -> 64 -> 32."""

    def __init__(self, hidden: int = 64) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [nn.Linear(CONDITION, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, CONDITION)]
        )

    def forward(self, implicit: Tensor) -> Tensor:
        """[...,32] -> [...,32]."""
        x = F.relu(self.layers[0](implicit))
        x = F.relu(self.layers[1](x))
        return self.layers[2](x)


def alignment_loss(from_audio: Tensor, from_video: Tensor) -> Tensor:
    """Eq (6): mean squared error over all channels; the video-derived target gets no gradient, or both would shrink."""
    return F.mse_loss(from_audio, from_video.detach())


def readable_action_units(explicit: Tensor, channels: slice) -> Tensor:
    """The lower face's muscles, 0..5, that a condition [...,32] speaks of in its `channels` (config.lower_channels)."""
    return explicit[..., channels].clamp(0.0, MAXIMUM)
