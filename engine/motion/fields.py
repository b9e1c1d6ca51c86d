# SPDX-License-Identifier: GPL-3.0-or-later
"""How conditions move Gaussians: region attention and deformation fields (arXiv 2508.10566, Eqs (8) and (9))."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import CONDITION, MOUTH_SIDEWAYS, OFFSET_SCALE, OFFSETS, GridShape, Vector3
from .triplane import TriPlane


class RegionAttention(nn.Module):
    """Eq (8): per-Gaussian channel weights that say how much a Gaussian listens to a condition. 36 -> 32 -> 32."""

    def __init__(self, features: int, rectified: bool, hidden: int = 32) -> None:
        super().__init__()
        self.rectified = rectified
        self.hidden = nn.Linear(features, hidden, bias=False)
        self.output = nn.Linear(hidden, CONDITION, bias=False)

    def forward(self, encoding: Tensor) -> Tensor:
        """[N,36] -> [N,32]."""
        attention = self.output(F.relu(self.hidden(encoding)))
        return F.relu(attention) if self.rectified else attention


class _Field(nn.Module):
    """What both fields share: a tri-plane encoding and a bias-free three-layer network that starts at zero."""

    output_scale: Tensor

    def __init__(
        self, shape: GridShape, center: Vector3, half_extent: Vector3, condition: int, hidden: int, outputs: int
    ) -> None:
        super().__init__()
        self.encoding = TriPlane(shape, center, half_extent)
        widths = ((shape.features + condition, hidden), (hidden, hidden), (hidden, outputs))
        self.deformation = nn.ModuleList(nn.Linear(before, after, bias=False) for before, after in widths)
        # A field that starts at zero leaves the canonical head where it is when motion is switched on.
        last = self.deformation[2]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)

    def encode(self, means: Tensor) -> Tensor:
        """Positions [N,3] -> [N,36]; an encoding [N,36] is returned as it is."""
        return self.encoding(means) if means.shape[-1] == 3 else means

    @property
    def layers(self) -> tuple[Tensor, Tensor, Tensor]:
        """Weights of the deformation network: [h, 36 + conditions], [h,h], [outputs,h]."""
        first, second, third = (layer.get_parameter("weight") for layer in self.deformation)
        return first, second, third

    def first_layer(self) -> tuple[Tensor, Tensor]:
        """The first layer's weights on the encoding and on the condition."""
        first, features = self.layers[0], self.encoding.shape.features
        return first[:, :features], first[:, features:]

    def _rest(self, first: Tensor) -> Tensor:
        return self.deformation[2](F.relu(self.deformation[1](F.relu(first))))


class FaceField(_Field):
    """Eq (9): delta = MLP(H(mu) + C_u + C_l), concatenated; 100 -> 64 -> 64 -> 10, bias-free."""

    def __init__(
        self, shape: GridShape, center: Vector3, half_extent: Vector3, hidden: int = 64, attentive: bool = True
    ) -> None:
        super().__init__(shape, center, half_extent, 2 * CONDITION, hidden, OFFSETS)
        self.attentive = attentive
        self.lower_attention = RegionAttention(shape.features, rectified=False)
        self.upper_attention = RegionAttention(shape.features, rectified=True)
        self.register_buffer("output_scale", torch.tensor([OFFSET_SCALE] * 3 + [1.0] * 7), persistent=False)

    def attention(self, means: Tensor) -> tuple[Tensor, Tensor]:
        """Lower- and upper-face attention ([N,32], [N,32]) of positions [N,3] or encodings [N,36]."""
        encoding = self.encode(means)
        if not self.attentive:  # outside the box, where the encoding is zero, nothing may move
            alike = (encoding != 0).any(-1, keepdim=True).to(encoding.dtype).expand(-1, CONDITION)
            return alike, alike
        return self.lower_attention(encoding), self.upper_attention(encoding)

    def forward(self, means: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
        """means [N,3] or encoding [N,36]; conditions lower, upper [32] or [B,32] -> [N,10] or [B,N,10].

        Channels: d_mu 3 (metres), d_q 4 (added to the raw quaternion), d_s 3 (added to the raw scale).
        """
        encoding = self.encode(means)
        attention = torch.cat(self.attention(encoding)[::-1], dim=-1)  # [N,64], upper first
        condition = torch.cat([upper, lower], dim=-1)  # [...,64]
        by_position, by_condition = self.first_layer()
        # (c * a) W^T = a (W diag(c))^T: the batch meets the small matrix, never the [N,64] attention.
        conditioned = by_condition * condition.unsqueeze(-2)  # [...,64,64]
        first = F.linear(encoding, by_position) + torch.matmul(attention, conditioned.transpose(-1, -2))
        return self._rest(first) * self.output_scale


class MouthField(_Field):
    """The inside of the mouth: positions only, no attention; 68 -> 32 -> 32 -> 3, bias-free."""

    def __init__(self, shape: GridShape, center: Vector3, half_extent: Vector3, hidden: int = 32) -> None:
        super().__init__(shape, center, half_extent, CONDITION, hidden, 3)
        sideways = OFFSET_SCALE / MOUTH_SIDEWAYS
        self.register_buffer("output_scale", torch.tensor([sideways, OFFSET_SCALE, sideways]), persistent=False)

    def forward(self, means: Tensor, condition: Tensor) -> Tensor:
        """means [N,3] or encoding [N,36]; condition [32] or [B,32] -> d_mu [N,3] or [B,N,3], metres."""
        encoding = self.encode(means)
        by_position, by_condition = self.first_layer()
        constant = F.linear(condition, by_condition)  # [...,32]
        first = F.linear(encoding, by_position) + constant.unsqueeze(-2)
        return self._rest(first) * self.output_scale
