# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tiles need to know of a projected splat: one record of 16 float32, a cache line.

The exponent of alpha is kept as a sum of two squares (the Cholesky factor of the conic)::

    alpha = 2^(8 (LOG_OPACITY - u^2 - v^2)),   u = P dx + Q dy,   v = R dy

Two multiply-adds for u and one for v are all that a pixel needs, and no needle-shaped splat can lose its sign.
"""

from __future__ import annotations

X, Y = 0, 1  # centre, pixels, relative to the centre of pixel (0, 0)
P, Q, R = 2, 3, 4
LOG_OPACITY = 5  # log2, in eighths
RED, GREEN, BLUE, DEPTH = 6, 7, 8, 9
LEFT, RIGHT, TOP, BOTTOM = 10, 11, 12, 13  # int32 bits: touched pixels, [LEFT, RIGHT) x [TOP, BOTTOM)
TOP_LEFT_U, TOP_LEFT_V = 14, 15  # u and v at a tile's first pixel; filled in where a tile fetches the record
RECORD = 16
