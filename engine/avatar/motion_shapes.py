# SPDX-License-Identifier: GPL-3.0-or-later
"""Name and shape of every motion weight that a configuration asks for: the state dict of motion.model.MotionModel."""

from __future__ import annotations

import itertools

from ..motion.config import CONDITION, OFFSETS, PLANES, GridShape, MotionConfig

Shapes = dict[str, tuple[int, ...]]

FACE_HIDDEN, MOUTH_HIDDEN, ATTENTION_HIDDEN, AU_HIDDEN, A2AM_HIDDEN, GATE_HIDDEN = 64, 32, 32, 32, 64, 32
CONVOLUTIONS = (32, 32, 64, 64)
"""Output channels of the speech network's strided convolutions."""
ATTENTION_CHANNELS = (32, 16, 8, 4, 2, 1)
CONTEXT = 8


def motion_shapes(config: MotionConfig) -> Shapes:
    """Weight name -> shape."""
    shapes: Shapes = {"null_implicit": (CONDITION,)}
    shapes |= _speech(config.feature_dimension, config.projection_dimension)
    shapes |= _au_encoder("upper_encoder", len(config.units.upper))
    for branch, fusion in (("face_condition", config.effective_fusion), ("mouth_condition", config.mouth_fusion)):
        shapes |= _au_encoder(f"{branch}.au_encoder", len(config.units.lower))
        shapes |= _linear(f"{branch}.a2am.layers.0", CONDITION, A2AM_HIDDEN)
        shapes |= _linear(f"{branch}.a2am.layers.1", A2AM_HIDDEN, A2AM_HIDDEN)
        shapes |= _linear(f"{branch}.a2am.layers.2", A2AM_HIDDEN, CONDITION)
        if fusion == "gate":
            shapes |= _linear(f"{branch}.fusion.hidden", 2 * CONDITION, GATE_HIDDEN)
            shapes |= _linear(f"{branch}.fusion.output", GATE_HIDDEN, CONDITION)
        elif fusion == "concat":
            shapes |= _linear(f"{branch}.fusion.output", 2 * CONDITION, CONDITION)
    shapes |= _field("face_field", config.face_shape, 2 * CONDITION, FACE_HIDDEN, OFFSETS)
    for name in ("lower_attention", "upper_attention"):
        shapes[f"face_field.{name}.hidden.weight"] = (ATTENTION_HIDDEN, config.face_shape.features)
        shapes[f"face_field.{name}.output.weight"] = (CONDITION, ATTENTION_HIDDEN)
    return shapes | _field("mouth_field", config.mouth_shape, CONDITION, MOUTH_HIDDEN, 3)


def _linear(name: str, inputs: int, outputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _au_encoder(name: str, action_units: int) -> Shapes:
    return {
        f"{name}.hidden.weight": (AU_HIDDEN, action_units),
        f"{name}.output.weight": (CONDITION - action_units, AU_HIDDEN),
    }


def _speech(features: int, projection: int) -> Shapes:
    shapes: Shapes = {
        "speech.projection.weight": (projection, features),
        "speech.projection.mean": (features,),
        "speech.projection.scale": (features,),
    }
    before = projection
    for layer, after in enumerate(CONVOLUTIONS):
        shapes[f"speech.audio_net.convolutions.{layer}.weight"] = (after, before, 3)
        shapes[f"speech.audio_net.convolutions.{layer}.bias"] = (after,)
        before = after
    shapes |= _linear("speech.audio_net.hidden", before, 64)
    shapes |= _linear("speech.audio_net.output", 64, CONDITION)
    for layer, (before, after) in enumerate(itertools.pairwise(ATTENTION_CHANNELS)):
        shapes[f"speech.attention.convolutions.{layer}.weight"] = (after, before, 3)
        shapes[f"speech.attention.convolutions.{layer}.bias"] = (after,)
    return shapes | _linear("speech.attention.output", CONTEXT, CONTEXT)


def _field(name: str, grid: GridShape, condition: int, hidden: int, outputs: int) -> Shapes:
    return {
        f"{name}.encoding.grid": (len(PLANES), grid.offsets[-1]),
        f"{name}.encoding.center": (3,),
        f"{name}.encoding.half_extent": (3,),
        f"{name}.deformation.0.weight": (hidden, grid.features + condition),
        f"{name}.deformation.1.weight": (hidden, hidden),
        f"{name}.deformation.2.weight": (outputs, hidden),
    }
