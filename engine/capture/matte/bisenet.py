# SPDX-License-Identifier: GPL-3.0-or-later
"""BiSeNet, a network that labels every pixel of a face: only its structure, for weights that the user brings along.

Written from Yu et al., "BiSeNet: Bilateral segmentation network for real-time semantic segmentation" (ECCV 2018), with
ResNet-18 (He et al., CVPR 2016) as context path and the features of its second stage in place of a spatial path.
Attributes have the names under which face parsing weights are passed on.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

LABELS = 19


class _Normed(nn.Module):
    """Convolution, batch normalisation, rectifier."""

    def __init__(self, given: int, wanted: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(given, wanted, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(wanted)

    def forward(self, value: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(value)))


class _Block(nn.Module):
    """Two convolutions and what goes around them."""

    def __init__(self, given: int, wanted: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(given, wanted, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(wanted)
        self.conv2 = nn.Conv2d(wanted, wanted, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(wanted)
        self.downsample = None
        if stride != 1 or given != wanted:
            self.downsample = nn.Sequential(nn.Conv2d(given, wanted, 1, stride, bias=False), nn.BatchNorm2d(wanted))

    def forward(self, value: Tensor) -> Tensor:
        change = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(value)))))
        kept = value if self.downsample is None else self.downsample(value)
        return functional.relu(kept + change)


class _ResNet18(nn.Module):
    """Features at an eighth, a sixteenth and a thirty-second of the size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(_Block(64, 64, 1), _Block(64, 64, 1))
        self.layer2 = nn.Sequential(_Block(64, 128, 2), _Block(128, 128, 1))
        self.layer3 = nn.Sequential(_Block(128, 256, 2), _Block(256, 256, 1))
        self.layer4 = nn.Sequential(_Block(256, 512, 2), _Block(512, 512, 1))

    def forward(self, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        value = functional.max_pool2d(functional.relu(self.bn1(self.conv1(value))), 3, 2, 1)
        eighth = self.layer2(self.layer1(value))
        sixteenth = self.layer3(eighth)
        return eighth, sixteenth, self.layer4(sixteenth)


class _AttentionRefinement(nn.Module):
    """Channels weighed by what the whole picture holds (the paper's figure 2b)."""

    def __init__(self, given: int, wanted: int) -> None:
        super().__init__()
        self.conv = _Normed(given, wanted, 3)
        self.conv_atten = nn.Conv2d(wanted, wanted, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(wanted)

    def forward(self, value: Tensor) -> Tensor:
        value = self.conv(value)
        return value * torch.sigmoid(self.bn_atten(self.conv_atten(value.mean((2, 3), keepdim=True))))


class _ContextPath(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.resnet = _ResNet18()
        self.arm16 = _AttentionRefinement(256, 128)
        self.arm32 = _AttentionRefinement(512, 128)
        self.conv_head32 = _Normed(128, 128, 3)
        self.conv_head16 = _Normed(128, 128, 3)
        self.conv_avg = _Normed(512, 128, 1)

    def forward(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """Features of the second stage, and the context at the same size."""
        eighth, sixteenth, thirty_second = self.resnet(value)
        deep = self.arm32(thirty_second) + self.conv_avg(thirty_second.mean((2, 3), keepdim=True))
        deep = self.conv_head32(functional.interpolate(deep, size=sixteenth.shape[2:]))
        middle = self.arm16(sixteenth) + deep
        return eighth, self.conv_head16(functional.interpolate(middle, size=eighth.shape[2:]))


class _FeatureFusion(nn.Module):
    """Detail and context brought together (the paper's figure 2c)."""

    def __init__(self) -> None:
        super().__init__()
        self.convblk = _Normed(256, 256, 1)
        self.conv1 = nn.Conv2d(256, 64, 1, bias=False)
        self.conv2 = nn.Conv2d(64, 256, 1, bias=False)

    def forward(self, detail: Tensor, context: Tensor) -> Tensor:
        value = self.convblk(torch.cat([detail, context], 1))
        weight = torch.sigmoid(self.conv2(functional.relu(self.conv1(value.mean((2, 3), keepdim=True)))))
        return value + value * weight


class _Output(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = _Normed(256, 256, 3)
        self.conv_out = nn.Conv2d(256, LABELS, 1, bias=False)

    def forward(self, value: Tensor) -> Tensor:
        out: Tensor = self.conv_out(self.conv(value))
        return out


class BiSeNet(nn.Module):
    """Image [N, 3, H, W], normalised as for ImageNet, sides multiples of 32 -> logits [N, 19, H / 8, W / 8]."""

    def __init__(self) -> None:
        super().__init__()
        self.cp = _ContextPath()
        self.ffm = _FeatureFusion()
        self.conv_out = _Output()

    def forward(self, value: Tensor) -> Tensor:
        detail, context = self.cp(value)
        out: Tensor = self.conv_out(self.ffm(detail, context))
        return out
