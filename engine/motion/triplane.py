# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a Gaussian is, as 36 numbers: the multi-resolution tri-plane encoding H(mu) of arXiv 2508.10566, Eq (8).

The parent's hash tables never hash at these sizes, so plain dense tables give the same function.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import PLANES, GridShape, Vector3

INITIAL_RANGE = 1e-4
"""Tables start uniform in +- this (the parent's value)."""


class TriPlane(nn.Module):
    """Bilinear features of positions on the xy, yz and xz planes; differentiable in positions and tables.

    shape: the tables. center, half_extent: the box of space, metres, mapped to [0,1]^3.
    """

    grid: nn.Parameter
    center: Tensor
    half_extent: Tensor

    def __init__(
        self,
        shape: GridShape,
        center: Vector3 = (0.0, 0.0, 0.0),
        half_extent: Vector3 = (0.15, 0.15, 0.15),
    ) -> None:
        super().__init__()
        self.shape = shape
        self.grid = nn.Parameter(torch.empty(len(PLANES), shape.offsets[-1]).uniform_(-INITIAL_RANGE, INITIAL_RANGE))
        self.register_buffer("center", torch.tensor(center, dtype=torch.float32))
        self.register_buffer("half_extent", torch.tensor(half_extent, dtype=torch.float32))

    def forward(self, positions: Tensor) -> Tensor:
        """positions [N,3] metres -> [N, 3 * levels]: all levels of xy, then of yz, then of xz.

        A position outside the box gives zeros, and no gradient.
        """
        unit = (positions - self.center) / (2.0 * self.half_extent) + 0.5
        inside = ((unit >= 0.0) & (unit <= 1.0)).all(dim=-1)
        unit = unit.clamp(0.0, 1.0)
        planes = torch.stack([unit[:, list(axes)] for axes in PLANES])  # [3, N, 2]
        levels = []
        offsets = self.shape.offsets
        for level, (resolution, side) in enumerate(zip(self.shape.resolutions, self.shape.sides, strict=True)):
            table = self.grid[:, offsets[level] : offsets[level + 1]].reshape(len(PLANES), 1, side, side)
            # grid_sample (corners aligned) wants -1..1 for entry 0..side-1; the entry wanted is u * (r - 1) + 0.5.
            scale = 2.0 * (float(resolution) - 1.0) / (side - 1)
            shift = 1.0 / (side - 1) - 1.0
            sampled = F.grid_sample(
                table, (planes * scale + shift).unsqueeze(1), mode="bilinear", padding_mode="border", align_corners=True
            )
            levels.append(sampled[:, 0, 0])  # [3, N]
        features = torch.stack(levels, dim=1).flatten(0, 1).t()  # [3, levels, N] -> [N, 3 * levels]
        return features * inside.unsqueeze(-1)
