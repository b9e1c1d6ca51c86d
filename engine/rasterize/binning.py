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

from .blending_ir import LOG_ALPHA_MIN
from .compiled import kernel
from .projection import ONE, ZERO, f4
from .record import BOTTOM, LEFT, LOG_OPACITY, RIGHT, TOP, P, Q, R, X, Y
from .vector_ir import ellipse_rows

TILE = 32
_TILE_SHIFT = 5
BLOCKS = TILE // 4
_LOG_CUT = f4(LOG_ALPHA_MIN)
u8 = np.uint64
_ALL = u8(0xFFFFFFFFFFFFFFFF)
_EVERY_ROW = u8(0x0101010101010101)
_ROUNDING = f4(1e-6)
_BLOCK_MARGIN = f4(0.0125)  # blocks; 0.05 px against rounding


# These take numbers and not rows of an array: a row that is handed to a function is counted, atomically, each time.
@kernel
def _touches(x0, y0, p, q, r, log_opacity):  # type: ignore[no-untyped-def]
    """Whether the ellipse alpha >= 1/255 reaches a pixel of the tile, or nearly so. (x0, y0): tile minus centre."""
    x1, y1 = x0 + f4(TILE - 1), y0 + f4(TILE - 1)
    in_x = x0 <= ZERO and x1 >= ZERO
    in_y = y0 <= ZERO and y1 >= ZERO
    if in_x and in_y:
        return True
    # The form pp x^2 + 2 pq x y + qr y^2 is smallest on the edge or edges that face the centre.
    pp, pq, qr = p * p, p * q, q * q + r * r
    reach = (log_opacity - _LOG_CUT) * f4(1.001) + f4(1e-4)
    if not in_x:
        x = x0 if x0 > ZERO else x1
        y = min(y1, max(y0, -pq * x / qr))
        u, v = p * x + q * y, r * y
        if u * u + v * v <= reach + _ROUNDING * (pp * x * x + qr * y * y):
            return True
    if not in_y:
        y = y0 if y0 > ZERO else y1
        x = min(x1, max(x0, -q * y / p))
        u, v = p * x + q * y, r * y
        if u * u + v * v <= reach + _ROUNDING * (pp * x * x + qr * y * y):
            return True
    return False


@kernel
def reserve_pairs(n, irecord, splat_start):  # type: ignore[no-untyped-def]
    """Give each splat as many pair slots as its box touches tiles; returns the total. `splat_start`: int32 [n + 1]."""
    total = 0
    for i in range(n):
        splat_start[i] = total
        if irecord[i, RIGHT] > irecord[i, LEFT]:
            across = ((irecord[i, RIGHT] - 1) >> _TILE_SHIFT) - (irecord[i, LEFT] >> _TILE_SHIFT) + 1
            down = ((irecord[i, BOTTOM] - 1) >> _TILE_SHIFT) - (irecord[i, TOP] >> _TILE_SHIFT) + 1
            total += across * down
    splat_start[n] = total
    return total


@kernel
def find_tiles(worker, workers, n, split, tiles, record, irecord, tiles_x, splat_start, slot_tile, histogram):  # type: ignore[no-untyped-def]
    """Write the tile of every pair slot, or -1 where the ellipse misses it, and count the pairs per tile.

    Splats from `split` on are another layer's: their tiles are counted from `tiles` on.
    """
    row = histogram[worker]
    row[:] = 0
    for i in range(n * worker // workers, n * (worker + 1) // workers):
        slot = splat_start[i]
        if splat_start[i + 1] == slot:
            continue
        bx0, bx1 = irecord[i, LEFT] >> _TILE_SHIFT, (irecord[i, RIGHT] - 1) >> _TILE_SHIFT
        by0, by1 = irecord[i, TOP] >> _TILE_SHIFT, (irecord[i, BOTTOM] - 1) >> _TILE_SHIFT
        layer = 0 if i < split else tiles
        x, y, log_opacity = record[i, X], record[i, Y], record[i, LOG_OPACITY]
        p, q, r = record[i, P], record[i, Q], record[i, R]
        exact = bx0 != bx1 and by0 != by1
        for by in range(by0, by1 + 1):
            for bx in range(bx0, bx1 + 1):
                tile = -1
                if not exact or _touches(f4(bx * TILE) - x, f4(by * TILE) - y, p, q, r, log_opacity):
                    tile = layer + by * tiles_x + bx
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
def block_mask(left, right, top, bottom, to_x, to_y, p, q, r, log_opacity):  # type: ignore[no-untyped-def]
    """64-bit mask (bit 8*row + column) of the tile's 4x4-pixel blocks that the ellipse alpha >= 1/255 touches.

    left, right, top, bottom: the splat's box, and (to_x, to_y) minus its centre, from the tile's first pixel.
    """
    first_x, last_x = max(0, left) >> 2, (min(TILE, right) - 1) >> 2
    first_y, last_y = max(0, top) >> 2, (min(TILE, bottom) - 1) >> 2
    rows = (_ALL << u8(8 * first_y)) & (_ALL >> u8(56 - 8 * last_y))
    if last_x - first_x < 2 or last_y - first_y < 2:
        return ((u8(2) << u8(last_x)) - (u8(1) << u8(first_x))) * _EVERY_ROW & rows
    # In each row of blocks, the ellipse's leftmost and rightmost points between its first and last pixel row.
    reach = log_opacity - _LOG_CUT
    y_right = -q / r * math.sqrt(reach / (q * q + r * r))  # where the ellipse is rightmost; leftmost at -y_right
    shift = f4(-0.25) * to_x
    mask = ellipse_rows(
        to_y,
        y_right,
        reach,
        r * r,
        q,
        f4(0.25) / p,
        shift - _BLOCK_MARGIN,
        shift + ONE + _BLOCK_MARGIN,
        f4(first_x),
        f4(last_x + 1),
    )
    return mask & rows
