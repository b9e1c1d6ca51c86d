# SPDX-License-Identifier: GPL-3.0-or-later
"""The tiny avatar with the set `extended` and weights set by hand: what pulls on one side moves that side alone.

Every muscle of the lower face lifts the skin by a millimetre an intensity: one of a side on its own side, the others
everywhere. The voice asks for lips that are always a little rounded, and rounder the louder it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tiny_avatar import make_tiny_avatar

LIFT = 1.0e-3
"""Metres that an intensity of 1 lifts the skin."""
_SCALE = 0.01  # metres per unit of the network's output: config.OFFSET_SCALE
LEFT, RIGHT = 0, 1


def make_sided_avatar(engine: str = "hmtalker", **options: Any) -> Any:
    """An Avatar of the package `engine`; see `make_tiny_avatar`. The person's left is at x > 0."""
    avatar = make_tiny_avatar(engine, unit_set="extended", fusion="explicit", **options)
    config, weights = avatar.motion_config, avatar.motion
    lower = config.units.lower
    first = config.lower_channels.start
    for name, value in weights.items():
        if name.startswith(("face_field.", "face_condition.", "upper_encoder")) and not name.endswith(
            (".center", ".half_extent")
        ):
            value[:] = 0
    # Two features say on which side a place is: planes xy and xz, first level, one side of their x each.
    shape = config.face_shape
    for side, plane in ((LEFT, 0), (RIGHT, 2)):
        table = weights["face_field.encoding.grid"][plane, : shape.sides[0] ** 2].reshape(shape.sides[0], -1)
        middle = (shape.resolutions[0] - 1) / 2 + 0.5
        across = np.arange(shape.sides[0]) - middle
        table[:] = (across > 0) if side == LEFT else (across < 0)
    hidden = weights["face_field.lower_attention.hidden.weight"]
    hidden[LEFT, 0], hidden[RIGHT, 2 * shape.levels] = 1, 1
    attention = weights["face_field.lower_attention.output.weight"]
    deformation = [weights[f"face_field.deformation.{layer}.weight"] for layer in range(3)]
    for index, code in enumerate(lower):
        attention[first + index, LEFT] = not code.endswith("R")
        attention[first + index, RIGHT] = not code.endswith("L")
        deformation[0][index, shape.features + 32 + first + index] = 1
        deformation[1][index, index] = 1
        deformation[2][1, index] = LIFT / _SCALE
    heard = weights["face_condition.a2am.layers.0.weight"]
    heard[0, :], heard[1, :] = 1, -1
    for row in (0, 1):
        weights["face_condition.a2am.layers.1.weight"][row, row] = 1
        weights["face_condition.a2am.layers.2.weight"][first + lower.index("AU18"), row] = 4
    weights["face_condition.a2am.layers.2.bias"][first + lower.index("AU18")] = 0.5
    return avatar
