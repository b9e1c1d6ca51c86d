# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks of splats on their way to the screen: each number of 32 splats side by side, so that loops become vectors.

A block is a flat float32 array of rows of 32 numbers; row k of splat l is ``rows[32 * k + l]``. Whoever poses splats
fills the first SPLAT_ROWS, the projection the others. One array holds them all, because the compiler then knows that
they do not overlap.
"""

from __future__ import annotations

import numpy as np

from .compiled import kernel

BLOCK = 32
"""Splats in a block."""

MEAN = 0  # 3 rows, metres, world
QUATERNION = 3  # 4 rows w, x, y, z of any length
SCALE = 7  # 3 rows, metres
COLOR = 10  # 3 rows
LOG_OPACITY = 13  # log2(opacity); -inf and NaN are not drawn
SPLAT_ROWS = 14

SCREEN_X, SCREEN_Y = 14, 15
FACTOR_P, FACTOR_Q, FACTOR_R = 16, 17, 18  # as in record.py
CAMERA_Z = 19
BOX_LEFT, BOX_RIGHT, BOX_TOP, BOX_BOTTOM = 20, 21, 22, 23  # whole numbers
RADIUS = 24  # pixels; 0 where the splat is not drawn
ROWS = 25

u8 = np.uint64


@kernel
def load_splats(first, last, means, quaternions, scales, colors, log_opacities, rows):  # type: ignore[no-untyped-def]
    """Splats first..last-1 into the first SPLAT_ROWS of a block; the other columns keep what they had."""
    for i in range(u8(first), u8(last)):
        column = i - u8(first)
        for k in range(u8(3)):
            rows[u8(BLOCK) * (u8(MEAN) + k) + column] = means[i, k]
            rows[u8(BLOCK) * (u8(SCALE) + k) + column] = scales[i, k]
            rows[u8(BLOCK) * (u8(COLOR) + k) + column] = colors[i, k]
        for k in range(u8(4)):
            rows[u8(BLOCK) * (u8(QUATERNION) + k) + column] = quaternions[i, k]
        rows[u8(BLOCK) * u8(LOG_OPACITY) + column] = log_opacities[i]
