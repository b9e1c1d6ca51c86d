# SPDX-License-Identifier: GPL-3.0-or-later
"""LPIPS (Zhang et al. 2018, arXiv 1801.03924): how different two pictures look, with AlexNet and the v0.1 weights.

Features after each of AlexNet's five convolutions are normalised to unit length in every place, subtracted, squared,
weighted by channel, averaged over the picture and summed. 0 is equal; the published figures use this network.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..errors import HMTalkerError
from .convert_lpips import SHAPES

FILE_NAME = "lpips_alexnet.npz"
SMALLEST = 31
"""Pixels: a smaller picture leaves the last convolutions nothing."""
_STRIDES = (4, 1, 1, 1, 1)
_PADDING = (2, 2, 1, 1, 1)
_POOLED = (False, True, True, False, False)
# LPIPS's own scaling of -1..1 (lpips.py, ScalingLayer)
_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
_LEAST_NORM = 1e-10


def find_lpips() -> Path:
    """The converted weights of this installation. Raises :class:`HMTalkerError` if there are none."""
    from ..pretrained import cache_folder, installed

    if (folder := installed(FILE_NAME)) is not None:
        return folder / FILE_NAME
    raise HMTalkerError(
        "LPIPS needs its network, which is not part of HM-Talker; run "
        f"'python -m hmtalker.evaluation.convert_lpips --out {cache_folder() / FILE_NAME}' once."
    )


class LPIPS(nn.Module):
    """LPIPS as a function of two batches; differentiable by both, its weights are frozen buffers in float32."""

    def __init__(self, weights: str | Path | None = None) -> None:
        """weights: the file of ``convert_lpips``; None for the installation's. Raises :class:`HMTalkerError`."""
        super().__init__()
        path = find_lpips() if weights is None else Path(weights)
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name].astype(np.float32) for name in file.files}
            for index, (out, channels, side) in enumerate(SHAPES):
                kernel = arrays[f"conv{index}.weight"].reshape(out, channels, side, side)
                self.register_buffer(f"kernel{index}", torch.from_numpy(kernel))
                self.register_buffer(f"bias{index}", torch.from_numpy(arrays[f"conv{index}.bias"].reshape(out)))
                self.register_buffer(f"head{index}", torch.from_numpy(arrays[f"head{index}"].reshape(1, out, 1, 1)))
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise HMTalkerError(
                f"The LPIPS network '{path}' is missing, damaged or another network; run "
                f"'python -m hmtalker.evaluation.convert_lpips --out {path}'."
            ) from error
        self.register_buffer("shift", torch.tensor(_SHIFT).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(_SCALE).view(1, 3, 1, 1))

    def forward(self, image: torch.Tensor, target: torch.Tensor, unit_range: bool = False) -> torch.Tensor:
        """Distance of each pair [B]: image, target [B,3,H,W] float32 sRGB, each side 31 or more.

        unit_range: True where values lie in 0..1, else in -1..1. For training give `target` without a gradient: its
        half is then computed without one.
        """
        if image.shape != target.shape or image.ndim != 4 or image.shape[1] != 3:
            raise ValueError(f"LPIPS compares two batches [B,3,H,W], not {tuple(image.shape)}, {tuple(target.shape)}")
        if min(image.shape[2:]) < SMALLEST:
            raise ValueError(f"LPIPS needs {SMALLEST} pixels a side, not {image.shape[3]} x {image.shape[2]}")
        total = image.new_zeros(len(image))
        for index, (ours, theirs) in enumerate(
            zip(self.features(image, unit_range), self.features(target, unit_range), strict=True)
        ):
            difference = (_unit(ours) - _unit(theirs)) ** 2
            total = total + (difference * self.get_buffer(f"head{index}")).sum(1).mean((1, 2))
        return total

    def features(self, image: torch.Tensor, unit_range: bool = False) -> list[torch.Tensor]:
        """The five feature maps of [B,3,H,W], after their ReLUs."""
        x = image * 2 - 1 if unit_range else image
        x = (x - self.get_buffer("shift")) / self.get_buffer("scale")
        found = []
        for index, (stride, padding, pooled) in enumerate(zip(_STRIDES, _PADDING, _POOLED, strict=True)):
            if pooled:
                x = functional.max_pool2d(x, 3, 2)
            kernel, bias = self.get_buffer(f"kernel{index}"), self.get_buffer(f"bias{index}")
            x = functional.relu(functional.conv2d(x, kernel, bias, stride, padding))
            found.append(x)
        return found


def _unit(features: torch.Tensor) -> torch.Tensor:
    """Unit length over the channels; written so that its gradient stays finite where all of them are 0."""
    square = (features**2).sum(1, keepdim=True)
    return features / (square.clamp_min(_LEAST_NORM**2).sqrt() + _LEAST_NORM)
