# SPDX-License-Identifier: GPL-3.0-or-later
"""A deformation field with everything folded in that depends on the canonical positions alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..gaussians.spatial_order import spatial_order
from . import portable_fields as kernels
from .config import CONDITION, MOUTH_SIDEWAYS, OFFSET_SCALE, MotionConfig
from .dense_ir import pack_layer, pack_rows
from .portable_conditions import encode_positions, linear, relu

Weights = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class FoldedField:
    """What the kernels of portable_fields read. Blocks hold Gaussians in `order`: those that move first, neighbours
    together. A block of neighbours has many units that are asleep in all of it, which the kernels leave out."""

    order: np.ndarray
    """int32 [N]: which Gaussian is at each place of the blocks."""
    moving: int
    """How many of them the field can move at all: the others lie outside its box, and their offsets are exactly 0."""
    constants: np.ndarray
    """float32 blocks of the moving ones."""
    condition: np.ndarray
    """float32 [hidden, conditions] the first layer's part that the conditions go through."""
    second: np.ndarray
    third: np.ndarray
    scale: np.ndarray
    """float32 [outputs]"""

    @property
    def count(self) -> int:
        """N, all Gaussians."""
        return len(self.order)


def fold_face(weights: Weights, config: MotionConfig, means: np.ndarray) -> FoldedField:
    """means [N,3] metres. Raises KeyError or ValueError where the weights do not fit."""
    features = config.face_shape.features
    first, second, third = _layers(
        weights, "face_field", features, 2 * CONDITION, kernels.FACE_HIDDEN, kernels.FACE_OUTPUTS
    )
    encoding = encode_positions(weights, "face_field.encoding", config.face_shape, means)
    attention = [
        linear(weights, f"face_field.{name}.output", relu(linear(weights, f"face_field.{name}.hidden", encoding)))
        for name in ("upper_attention", "lower_attention")
    ]
    if not config.attention:
        attention = [np.tile((encoding != 0).any(1, keepdims=True), CONDITION).astype(np.float32)] * 2
    constants = np.concatenate([encoding @ first[:, :features].T, relu(attention[0]), attention[1]], axis=1)
    if constants.shape[1] != kernels.FACE_CONSTANTS:
        raise ValueError(f"region attention is {attention[0].shape[1]} wide, expected {CONDITION}")
    # No layer has a bias: where all constants are 0, so is every offset of every frame.
    moves = (constants != 0).any(1)
    order = spatial_order(means)
    order = np.concatenate([order[moves[order]], order[~moves[order]]])
    moving = int(moves.sum())
    return FoldedField(
        order,
        moving,
        pack_rows(constants[order[:moving]]),
        np.ascontiguousarray(first[:, features:]),
        pack_layer(second),
        pack_layer(third),
        np.array([OFFSET_SCALE] * 3 + [1.0] * 7, np.float32),
    )


def fold_mouth(weights: Weights, config: MotionConfig, means: np.ndarray) -> FoldedField:
    """As fold_face. The condition alone can move a mouth Gaussian, so all of them count as moving."""
    features = config.mouth_shape.features
    first, second, third = _layers(
        weights, "mouth_field", features, CONDITION, kernels.MOUTH_HIDDEN, kernels.MOUTH_OUTPUTS
    )
    encoding = encode_positions(weights, "mouth_field.encoding", config.mouth_shape, means)
    sideways = OFFSET_SCALE / MOUTH_SIDEWAYS
    order = spatial_order(means)
    return FoldedField(
        order,
        len(means),
        pack_rows((encoding @ first[:, :features].T)[order]),
        np.ascontiguousarray(first[:, features:]),
        pack_layer(second),
        pack_layer(third),
        np.array([sideways, OFFSET_SCALE, sideways], np.float32),
    )


def _layers(weights: Weights, field: str, features: int, condition: int, hidden: int, outputs: int) -> list[np.ndarray]:
    layers = [weights[f"{field}.deformation.{layer}.weight"] for layer in range(3)]
    expected = [(hidden, features + condition), (hidden, hidden), (outputs, hidden)]
    # The kernels do not check bounds: nothing of another shape may reach them.
    for layer, shape in zip(layers, expected, strict=True):
        if layer.shape != shape:
            raise ValueError(f"{field} has a layer of {layer.shape}, expected {shape}")
    return layers
