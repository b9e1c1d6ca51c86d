# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion state to condition vectors, and Gaussians to their encodings, without torch. Twin of model.conditions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .. import action_units as au
from ..action_unit_sets import carry
from .config import PLANES, GridShape, MotionConfig
from .state import MotionState

Weights = Mapping[str, np.ndarray]


def linear(weights: Weights, name: str, x: np.ndarray) -> np.ndarray:
    """x [...,in] -> [...,out] through the layer `name`, with its bias if it has one."""
    y = x @ weights[f"{name}.weight"].T
    bias = weights.get(f"{name}.bias")
    return y if bias is None else y + bias


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, np.float32(0.0))


def encode_action_units(weights: Weights, name: str, action_units: np.ndarray) -> np.ndarray:
    """Eq (5), twin of explicit.AUEncoder: intensities [...,n] -> [...,32]."""
    learned = linear(weights, f"{name}.output", relu(linear(weights, f"{name}.hidden", action_units)))
    return np.concatenate([learned, action_units], axis=-1)


def explicit_from_audio(weights: Weights, implicit: np.ndarray, branch: str = "face_condition") -> np.ndarray:
    """Twin of explicit.A2AM: implicit conditions [...,32] -> audio-predicted explicit ones [...,32]."""
    x = relu(linear(weights, f"{branch}.a2am.layers.0", implicit))
    x = relu(linear(weights, f"{branch}.a2am.layers.1", x))
    return linear(weights, f"{branch}.a2am.layers.2", x)


def readable_action_units(explicit: np.ndarray, channels: slice) -> np.ndarray:
    """Twin of explicit.readable_action_units."""
    return np.clip(explicit[..., channels], 0.0, au.MAXIMUM)


def fuse(
    weights: Weights, name: str, variant: str, fixed_alpha: float, implicit: np.ndarray, explicit: np.ndarray
) -> np.ndarray:
    """Eq (7), twin of fusion.Fusion: [...,32], [...,32] -> [...,32]."""
    if variant == "implicit":
        return implicit
    if variant == "explicit":
        return explicit
    both = np.concatenate([implicit, explicit], axis=-1)
    if variant == "concat":
        return linear(weights, f"{name}.output", both)
    if variant == "fixed":
        gate: np.ndarray | np.float32 = np.float32(fixed_alpha)
    else:
        score = linear(weights, f"{name}.output", relu(linear(weights, f"{name}.hidden", both)))
        # The logistic function through tanh: it cannot overflow.
        gate = np.float32(0.5) * (np.tanh(np.float32(0.5) * score) + np.float32(1.0))
    return gate * implicit + (np.float32(1.0) - gate) * explicit


def conditions(weights: Weights, config: MotionConfig, state: MotionState) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(c_l of the face, c_u, c_l of the mouth), float32 [32] each; the explicit operand is the state's Action Units."""
    units = carry(state.action_units, config.units)
    lower_pulls = config.units.pulls(units, config.units.lower)
    implicit = weights["null_implicit"]
    if state.implicit is not None and state.audio_influence > 0.0:
        influence = np.float32(state.audio_influence)
        implicit = influence * state.implicit + (np.float32(1.0) - influence) * implicit
    lower = []
    for branch, variant in (("face_condition", config.effective_fusion), ("mouth_condition", config.mouth_fusion)):
        explicit = encode_action_units(weights, f"{branch}.au_encoder", lower_pulls)
        lower.append(fuse(weights, f"{branch}.fusion", variant, config.fixed_alpha, implicit, explicit))
    upper = encode_action_units(weights, "upper_encoder", config.units.pulls(units, config.units.upper))
    return lower[0], upper, lower[1]


def encode_positions(weights: Weights, name: str, shape: GridShape, positions: np.ndarray) -> np.ndarray:
    """Twin of triplane.TriPlane: positions [N,3] metres -> float32 [N, 3 * levels]."""
    grid = weights[f"{name}.grid"]
    # float32 throughout, as in training, so that a point on the boundary is inside for both or for neither.
    extent = np.float32(2.0) * weights[f"{name}.half_extent"]
    if not (extent > 0.0).all():
        raise ValueError(f"{name} has no extent")
    unit = (positions.astype(np.float32) - weights[f"{name}.center"]) / extent + np.float32(0.5)
    inside = ((unit >= 0.0) & (unit <= 1.0)).all(axis=1)
    unit = np.where(inside[:, None], unit, 0.0).astype(np.float64)
    features = np.empty((len(PLANES), shape.levels, len(positions)), np.float32)
    offsets = shape.offsets
    for level, (resolution, side) in enumerate(zip(shape.resolutions, shape.sides, strict=True)):
        at = unit * (resolution - 1.0) + 0.5
        cell = np.minimum(at.astype(np.int64), side - 2)
        part = (at - cell).astype(np.float32)
        for plane, (i, j) in enumerate(PLANES):
            table = grid[plane, offsets[level] : offsets[level + 1]]
            corner = cell[:, i] + cell[:, j] * side
            x, y = part[:, i], part[:, j]
            low = table[corner] * (1 - x) + table[corner + 1] * x
            high = table[corner + side] * (1 - x) + table[corner + side + 1] * x
            features[plane, level] = low * (1 - y) + high * y
    return np.ascontiguousarray(features.reshape(shape.features, len(positions)).T) * inside[:, None]
