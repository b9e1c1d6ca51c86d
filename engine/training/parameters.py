# SPDX-License-Identifier: GPL-3.0-or-later
"""The trainable Gaussians of one set, their start on a surface, and their optimiser."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ..gaussians.gaussian_set import GaussianSet
from .surface import Surface

SH_DC = 0.28209479177387814
FLATNESS = 0.25
"""Thickness of a starting Gaussian across the surface, as a part of its size along it."""
START_OPACITY = 0.9

LEARNING_RATES = {
    "raw_scales": 3.0e-3,
    "quaternions": 1.0e-3,
    "raw_opacities": 2.0e-2,
    "sh_dc": 2.5e-3,
    "sh_rest": 2.5e-4,
}
"""Adam rates of everything but positions."""


def inverse_softplus(values: np.ndarray) -> np.ndarray:
    """x with softplus(x) = values; values > 0."""
    return np.where(values > 20, values, np.log(np.expm1(np.maximum(values, 1e-9))))


def quaternions_from_normals(normals: np.ndarray) -> np.ndarray:
    """Quaternions [N,4] wxyz that turn +z onto `normals` [N,3]."""
    unit = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    w = 1.0 + unit[:, 2]
    quaternions = np.stack([w, -unit[:, 1], unit[:, 0], np.zeros_like(w)], 1)
    backward = w < 1e-6
    quaternions[backward] = (0.0, 1.0, 0.0, 0.0)
    return (quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)).astype(np.float32)


class GaussianParameters(nn.Module):
    """One set's trainable tensors: means [N,3], raw scales [N,3], quaternions [N,4], raw opacities [N], SH [N,K,3]."""

    head_weights: Tensor

    def __init__(self, values: GaussianSet) -> None:
        super().__init__()
        self.means = nn.Parameter(torch.from_numpy(values.means.copy()))
        self.raw_scales = nn.Parameter(torch.from_numpy(values.raw_scales.copy()))
        self.quaternions = nn.Parameter(torch.from_numpy(values.quaternions.copy()))
        self.raw_opacities = nn.Parameter(torch.from_numpy(values.raw_opacities.copy()))
        self.sh_dc = nn.Parameter(torch.from_numpy(values.sh[:, :1].copy()))
        self.sh_rest = nn.Parameter(torch.from_numpy(values.sh[:, 1:].copy()))
        self.register_buffer("head_weights", torch.from_numpy(values.head_weights.copy()))

    @classmethod
    def on_surface(cls, surface: Surface, sh_degree: int, spread: float = 1.0) -> GaussianParameters:
        """One flat Gaussian a sample, as wide as the sample's patch; colours from the surface.

        spread: width of a Gaussian (one sigma) in units of the radius of its patch.
        """
        radius = spread * np.sqrt(surface.areas / np.pi)
        scales = np.stack([radius, radius, FLATNESS * radius], 1)
        sh = np.zeros((len(radius), (sh_degree + 1) ** 2, 3), np.float32)
        sh[:, 0] = (surface.colors - 0.5) / SH_DC
        opacity = np.full(len(radius), np.log(START_OPACITY / (1 - START_OPACITY)), np.float32)
        return cls(
            GaussianSet(
                means=surface.positions.astype(np.float32),
                raw_scales=inverse_softplus(scales).astype(np.float32),
                quaternions=quaternions_from_normals(surface.normals),
                raw_opacities=opacity,
                sh=sh,
                head_weights=surface.head_weights.astype(np.float32),
            )
        )

    @property
    def count(self) -> int:
        return len(self.means)

    @property
    def sh(self) -> Tensor:
        """[N,K,3]"""
        return torch.cat([self.sh_dc, self.sh_rest], 1)

    def groups(self, means_rate: float) -> list[dict]:
        """Adam parameter groups, one a tensor, named."""
        rates = {"means": means_rate} | LEARNING_RATES
        return [{"params": [getattr(self, name)], "lr": rate, "name": name} for name, rate in rates.items()]

    def gaussian_set(self) -> GaussianSet:
        """The set as plain arrays, for the avatar file."""

        def array(value: Tensor) -> np.ndarray:
            return np.ascontiguousarray(value.detach().numpy().astype(np.float32))

        return GaussianSet(
            means=array(self.means),
            raw_scales=array(self.raw_scales),
            quaternions=array(self.quaternions),
            raw_opacities=array(self.raw_opacities),
            sh=array(self.sh),
            head_weights=array(self.head_weights),
        )


def replace_rows(parameters: GaussianParameters, optimiser: torch.optim.Adam, rows: Tensor, fresh: int = 0) -> None:
    """Rebuild a set from `rows` [n] of itself (repeats allowed); the last `fresh` rows start with new Adam moments.

    Prunes and clones in one way: what a densifier decides is a list of rows.
    """
    for group in optimiser.param_groups:
        name = group.get("name")
        if name is None or not hasattr(parameters, name):
            continue
        old = group["params"][0]
        new = nn.Parameter(old.detach()[rows].clone())
        state = optimiser.state.pop(old, None)
        if state:
            for key in ("exp_avg", "exp_avg_sq"):
                state[key] = state[key][rows].clone()
                if fresh:
                    state[key][-fresh:] = 0
            optimiser.state[new] = state
        group["params"][0] = new
        setattr(parameters, name, new)
    parameters.head_weights = parameters.head_weights[rows].clone()
