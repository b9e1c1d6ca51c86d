# SPDX-License-Identifier: GPL-3.0-or-later
"""Which splats touch which tile, and which 4x4-pixel blocks of it (Numba).

Tiles are 32x32 pixels. The alpha = 1/255 ellipse is tested exactly, so the image does not depend on the tiling.

Every (splat, tile) hit is a *pair*. Pairs are grouped by tile in depth order (`pair_splat`, what the tiles walk along),
and every splat knows the places of its pairs there (its slots), so that its gradient sums are added in a fixed order
whichever worker took the tile.
"""

from __future__ import annotations

import math

import numpy as np

from .compiled import kernel
from .projection import (
    BOTTOM,
    CONIC_A,
    CONIC_B,
    CONIC_C,
    DISCRIMINANT,
    LEFT,
    LOG2_OPACITY,
    MEAN_X,
    MEAN_Y,
    NOT_DRAWN,
    ONE,
    RIGHT,
    TOP,
    TWO,
    ZERO,
    f4,
)
from .vector_ir import LOG2_ALPHA_MIN, ellipse_rows

TILE = 32
_TILE_SHIFT = 5
BLOCKS = TILE // 4
_LOG2_CUT = f4(LOG2_ALPHA_MIN)
u8 = np.uint64
_ALL = u8(0xFFFFFFFFFFFFFFFF)
_EVERY_ROW = u8(0x0101010101010101)
_ROUNDING = f4(1e-6)
_BLOCK_MARGIN = f4(0.0125)  # blocks; 0.05 px against rounding


@kernel
def _touches(r, x_tile, y_tile):  # type: ignore[no-untyped-def]
    """Whether the ellipse alpha >= 1/255 reaches a pixel of the tile at (x_tile, y_tile), or nearly so."""
    a, b, c = r[CONIC_A], r[CONIC_B], r[CONIC_C]
    x0 = f4(x_tile) - r[MEAN_X]
    y0 = f4(y_tile) - r[MEAN_Y]
    x1, y1 = x0 + f4(TILE - 1), y0 + f4(TILE - 1)
    in_x = x0 <= ZERO and x1 >= ZERO
    in_y = y0 <= ZERO and y1 >= ZERO
    if in_x and in_y:
        return True
    # The form's minimum over the tile lies on the edge or edges that face the centre.
    reach = (r[LOG2_OPACITY] - _LOG2_CUT) * f4(1.001) + f4(1e-3)
    if not in_x:
        x = x0 if x0 > ZERO else x1
        y = min(y1, max(y0, -b * x / (TWO * c)))
        if a * x * x + b * x * y + c * y * y <= reach + _ROUNDING * (a * x * x + c * y * y):
            return True
    if not in_y:
        y = y0 if y0 > ZERO else y1
        x = min(x1, max(x0, -b * y / (TWO * a)))
        if a * x * x + b * x * y + c * y * y <= reach + _ROUNDING * (a * x * x + c * y * y):
            return True
    return False


@kernel
def reserve_pairs(n, irecord, keys, splat_start):  # type: ignore[no-untyped-def]
    """Give each splat as many pair slots as its box touches tiles; returns the total. `splat_start`: int32 [n + 1]."""
    total = 0
    for i in range(n):
        splat_start[i] = total
        if keys[i] != NOT_DRAWN:
            q = irecord[i]
            across = ((q[RIGHT] - 1) >> _TILE_SHIFT) - (q[LEFT] >> _TILE_SHIFT) + 1
            down = ((q[BOTTOM] - 1) >> _TILE_SHIFT) - (q[TOP] >> _TILE_SHIFT) + 1
            total += across * down
    splat_start[n] = total
    return total


@kernel
def find_tiles(worker, workers, n, record, irecord, tiles_x, splat_start, slot_tile, histogram):  # type: ignore[no-untyped-def]
    """Write the tile of every pair slot, or -1 where the ellipse misses it, and count the pairs per tile."""
    row = histogram[worker]
    row[:] = 0
    for i in range(n * worker // workers, n * (worker + 1) // workers):
        slot = splat_start[i]
        if splat_start[i + 1] == slot:
            continue
        q = irecord[i]
        bx0, bx1 = q[LEFT] >> _TILE_SHIFT, (q[RIGHT] - 1) >> _TILE_SHIFT
        by0, by1 = q[TOP] >> _TILE_SHIFT, (q[BOTTOM] - 1) >> _TILE_SHIFT
        exact = bx0 != bx1 and by0 != by1
        for by in range(by0, by1 + 1):
            for bx in range(bx0, bx1 + 1):
                tile = -1
                if not exact or _touches(record[i], bx * TILE, by * TILE):
                    tile = by * tiles_x + bx
                    row[tile] += 1
                slot_tile[slot] = tile
                slot += 1


@kernel
def place_pairs(drawn, order, splat_start, slot_tile, histogram, tile_start, pair_splat):  # type: ignore[no-untyped-def]
    """Group the pairs by tile, nearest first; returns how many there are. `tile_start`: int32 [tiles + 1].

    In `slot_tile` the tile of each pair gives way to the pair's place in `pair_splat`.

    One thread does this: with the tiles known it is a single quick walk, and splitting it would need a second one.
    """
    total = 0
    cursor = histogram[0]
    for t in range(histogram.shape[1]):
        tile_start[t] = total
        pairs = 0
        for k in range(histogram.shape[0]):
            pairs += histogram[k, t]
        cursor[t] = total
        total += pairs
    tile_start[histogram.shape[1]] = total
    for rank in range(drawn):
        i = order[rank]
        for slot in range(splat_start[i], splat_start[i + 1]):
            t = slot_tile[slot]
            if t >= 0:
                place = cursor[t]
                cursor[t] = place + 1
                pair_splat[place] = i
                slot_tile[slot] = place
    return total


@kernel
def block_mask(r, q, x_tile, y_tile):  # type: ignore[no-untyped-def]
    """64-bit mask (bit 8*row + column) of the tile's 4x4-pixel blocks that the ellipse alpha >= 1/255 touches."""
    first_x = max(0, q[LEFT] - x_tile) >> 2
    last_x = (min(TILE, q[RIGHT] - x_tile) - 1) >> 2
    first_y = max(0, q[TOP] - y_tile) >> 2
    last_y = (min(TILE, q[BOTTOM] - y_tile) - 1) >> 2
    rows = (_ALL << u8(8 * first_y)) & (_ALL >> u8(56 - 8 * last_y))
    if last_x - first_x < 2 or last_y - first_y < 2:
        return ((u8(2) << u8(last_x)) - (u8(1) << u8(first_x))) * _EVERY_ROW & rows
    # In each row of blocks, the ellipse's leftmost and rightmost points between its first and last pixel row.
    a, b, c, disc = r[CONIC_A], r[CONIC_B], r[CONIC_C], r[DISCRIMINANT]
    reach = r[LOG2_OPACITY] - _LOG2_CUT
    to_x, to_y = f4(x_tile) - r[MEAN_X], f4(y_tile) - r[MEAN_Y]
    y_right = -b * math.sqrt(reach / (c * disc))  # where the ellipse is rightmost; leftmost at -y_right
    shift = f4(-0.25) * to_x
    mask = ellipse_rows(
        to_y,
        y_right,
        f4(4) * a * reach,
        disc,
        b,
        f4(0.125) / a,
        shift - _BLOCK_MARGIN,
        shift + ONE + _BLOCK_MARGIN,
        f4(first_x),
        f4(last_x + 1),
    )
    return mask & rows
