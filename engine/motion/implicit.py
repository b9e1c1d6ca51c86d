# SPDX-License-Identifier: GPL-3.0-or-later
"""What the voice implies: speech encoder features to the implicit lower-face condition c_a^i (arXiv 2508.10566, 3.2).

AudioNet and audio attention follow AD-NeRF's family, which the paper says it uses unchanged.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import CONDITION
from .portable_speech import CONTEXT, OUTSIDE, SLOPE, WINDOW, ClipTable


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, float(SLOPE))


class SpeechProjection(nn.Module):
    """Speech encoder channels to a few: Linear(D -> 64), without bias, at every 50 Hz step.

    Features are first shifted and scaled per channel by two buffers (identity until `standardise` is called), because
    transformer features have a few channels that dwarf the rest. Zero outside a clip means zero after projection.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, feature_dimension: int, projection_dimension: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(nn.Linear(feature_dimension, projection_dimension, bias=False).weight.detach())
        self.register_buffer("mean", torch.zeros(feature_dimension))
        self.register_buffer("scale", torch.ones(feature_dimension))

    def standardise(self, encoded: Tensor, smallest: float = 1e-3) -> None:
        """Set the buffers so that `encoded` [T,D] gets mean 0 and standard deviation 1 per channel."""
        self.mean.copy_(encoded.mean(dim=0))
        self.scale.copy_(1.0 / encoded.std(dim=0, unbiased=False).clamp_min(smallest))

    def forward(self, encoded: Tensor) -> Tensor:
        """[...,D] -> [...,64]."""
        return F.linear((encoded - self.mean) * self.scale, self.weight)


class AudioNet(nn.Module):
    """A window of speech to one vector: four strided convolutions (64->32->32->64->64), then 64->64->32."""

    def __init__(self, projection_dimension: int) -> None:
        super().__init__()
        widths = (projection_dimension, 32, 32, 64, 64)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(before, after, kernel_size=3, stride=2, padding=1) for before, after in itertools.pairwise(widths)
        )
        self.hidden = nn.Linear(64, 64)
        self.output = nn.Linear(64, CONDITION)

    def forward(self, windows: Tensor) -> Tensor:
        """windows [F,16,64] -> [F,32]."""
        x = windows.transpose(1, 2)
        for convolution in self.convolutions:
            x = _leaky(convolution(x))
        return self.output(_leaky(self.hidden(x.squeeze(2))))


class AudioAttention(nn.Module):
    """Weighs the 8 frames around a frame: five convolutions 32->16->8->4->2->1, Linear 8->8, softmax, weighted sum."""

    def __init__(self) -> None:
        super().__init__()
        widths = (CONDITION, 16, 8, 4, 2, 1)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(before, after, kernel_size=3, padding=1) for before, after in itertools.pairwise(widths)
        )
        self.output = nn.Linear(CONTEXT, CONTEXT)

    def forward(self, heard: Tensor) -> Tensor:
        """heard [F,8,32] -> [F,32]."""
        x = heard.transpose(1, 2)
        for convolution in self.convolutions:
            x = _leaky(convolution(x))
        share = torch.softmax(self.output(x.squeeze(1)), dim=1)
        return torch.bmm(share.unsqueeze(1), heard).squeeze(1)


class SpeechPath(nn.Module):
    """The whole road from encoder features to implicit conditions."""

    def __init__(self, feature_dimension: int, projection_dimension: int) -> None:
        super().__init__()
        self.projection = SpeechProjection(feature_dimension, projection_dimension)
        self.audio_net = AudioNet(projection_dimension)
        self.attention = AudioAttention()

    def forward(self, encoded: Tensor, table: ClipTable, frames: np.ndarray | None = None) -> Tensor:
        """Implicit conditions of some frames of one or more clips laid end to end.

        encoded [S,D]: the encoder steps of all clips, concatenated. table: clip_table of the same clips.
        frames: int [B] frame numbers into the concatenated clips; None for all. Returns [B,32]. Only the windows
        that these frames look at are computed, so small random batches are cheap.
        """
        context = table.context if frames is None else table.context[np.asarray(frames, np.int64)]
        neighbours, where = np.unique(context, return_inverse=True)
        steps = table.steps[neighbours].copy()
        steps[neighbours == OUTSIDE] = OUTSIDE  # a frame beyond the ends hears nothing at all
        heard_steps, step_of = np.unique(steps, return_inverse=True)  # OUTSIDE, the smallest, comes first if at all
        inside = torch.from_numpy(heard_steps[heard_steps != OUTSIDE]).to(encoded.device)
        projected = self.projection(encoded[inside])
        projected = F.pad(projected, (0, 0, len(heard_steps) - len(inside), 0))
        windows = projected[torch.from_numpy(step_of.reshape(-1)).to(encoded.device)]
        heard = self.audio_net(windows.reshape(len(neighbours), WINDOW, -1))
        around = heard[torch.from_numpy(where.reshape(-1)).to(encoded.device)]
        return self.attention(around.reshape(-1, CONTEXT, CONDITION))
