# SPDX-License-Identifier: GPL-3.0-or-later
"""The sync scorer's two networks while they are trained (torch); ``sync.SyncScorer`` runs what comes out.

Two losses: each look at the lips must find its own sound among all others of the batch, and the other way round
(InfoNCE); and stretches of half a second to a second and a half must prefer no shift over every other shift of their
own sound and over other clips' sound, which is what the scorer is asked later.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .sync import HEARD_STEPS, REACH, SEEN_FRAMES, STEPS_A_FRAME

EMBEDDING = 64
REDUCED = 32
HIDDEN = 128
BASIS = 16
SHORTEST, LONGEST = 12, 40
"""Frames of a stretch."""
ANCHORS = 25
"""Frames of each clip that are asked for their partner."""
IMPOSSIBLE = -1e4


class Heard(nn.Module):
    """Standardised speech features [B,T50,D] -> unit vectors [B,T50/2,E]."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.reduce = nn.Linear(dimension, REDUCED)
        self.layers = nn.ModuleList([nn.Linear(REDUCED * HEARD_STEPS, HIDDEN), nn.Linear(HIDDEN, EMBEDDING)])

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        x = self.reduce(functional.dropout(features, 0.3, self.training))
        x = _windows(x, HEARD_STEPS, STEPS_A_FRAME)
        x = self.layers[0](functional.dropout(x, 0.2, self.training))
        return functional.normalize(self.layers[1](torch.relu(x)), dim=-1)


class Seen(nn.Module):
    """Standardised lip motion [B,T,BASIS] -> unit vectors [B,T,E]."""

    def __init__(self) -> None:
        super().__init__()
        sizes = (BASIS * SEEN_FRAMES, HIDDEN, HIDDEN, EMBEDDING)
        self.layers = nn.ModuleList([nn.Linear(a, b) for a, b in pairwise(sizes)])

    def forward(self, motion: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.layers[0](_windows(motion, SEEN_FRAMES, 1)))
        x = torch.relu(self.layers[1](functional.dropout(x, 0.2, self.training)))
        return functional.normalize(self.layers[2](x), dim=-1)


class SyncLoss(nn.Module):
    """Of matching unit vectors [B,T,E], clip by clip."""

    def __init__(self) -> None:
        super().__init__()
        self.log_frame_scale = nn.Parameter(torch.tensor(float(np.log(10.0))))
        self.log_stretch_scale = nn.Parameter(torch.tensor(float(np.log(20.0))))

    def forward(self, seen: torch.Tensor, heard: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        return 0.5 * self._frames(seen, heard, rng) + self._stretches(seen, heard, rng)

    def _frames(self, seen: torch.Tensor, heard: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        batch, length, size = seen.shape
        chosen = rng.permutation(length)[:ANCHORS]
        own = torch.from_numpy((np.arange(batch)[:, None] * length + chosen).reshape(-1))
        total = seen.new_zeros(())
        for asking, answering in ((seen, heard), (heard, seen)):
            logits = asking[:, chosen].reshape(-1, size) @ answering.reshape(-1, size).T
            total = total + functional.cross_entropy(logits * self.log_frame_scale.exp(), own)
        return total

    def _stretches(self, seen: torch.Tensor, heard: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        batch, length, _ = seen.shape
        count = int(rng.integers(SHORTEST, min(LONGEST, length)))
        begin = int(rng.integers(0, length - count))
        part = seen[:, begin : begin + count]
        cosines = torch.einsum("bte,bse->bts", part, functional.pad(heard, (0, 0, REACH, REACH)))
        shifts = np.arange(-REACH, REACH + 1)
        own = torch.stack([cosines.diagonal(int(begin + s + REACH), 1, 2).mean(1) for s in shifts], 1)
        outside = (begin + shifts < 0) | (begin + count + shifts > length)
        own = own.masked_fill(torch.from_numpy(outside), IMPOSSIBLE)
        others = torch.einsum("bte,cte->bc", part, heard[:, begin : begin + count]) / count
        others = others.masked_fill(torch.eye(batch, dtype=torch.bool), IMPOSSIBLE)
        target = torch.full((batch,), REACH)
        return functional.cross_entropy(torch.cat([own, others], 1) * self.log_stretch_scale.exp(), target)


def export(heard: Heard, seen: Seen, standards: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """float16 arrays for ``sync.SyncScorer``. standards: heard_mean, heard_scale [D], seen_basis, seen_scale."""
    arrays = dict(standards)
    for name, network in (("heard", heard), ("seen", seen)):
        arrays |= {f"{name}.{key}": value.detach().numpy() for key, value in network.state_dict().items()}
    return {name: value.astype(np.float16) for name, value in arrays.items()}


def _windows(rows: torch.Tensor, size: int, step: int) -> torch.Tensor:
    """[B,n,D] -> [B, n / step, size D]: as ``sync`` cuts them."""
    before = (size - step) // 2
    padded = functional.pad(rows, (0, 0, before, size - step - before))
    return padded.unfold(1, size, step).transpose(2, 3).flatten(2)
