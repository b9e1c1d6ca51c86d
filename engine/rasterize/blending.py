# SPDX-License-Identifier: GPL-3.0-or-later
"""Blending of one tile's splats front to back, forward and backward (Numba around the vector kernels).

Contract: gsplat 1.5.3, RasterizeToPixels3DGSFwd.cu:140-183 and RasterizeToPixels3DGSBwd.cu:193-243. The backward pass
walks front to back again instead of dividing transmittances back; it needs nothing per pixel but the forward image.
"""

from __future__ import annotations

import numpy as np

from .binning import BLOCKS, TILE, block_mask, u8
from .compiled import kernel
from .projection import (
    BLUE,
    CONIC_A,
    CONIC_B,
    CONIC_C,
    DEPTH,
    GREEN,
    LOG2_OPACITY,
    MEAN_X,
    MEAN_Y,
    ONE,
    RECORD,
    RED,
    ZERO,
    f4,
)
from .vector_ir import (
    BACKWARD_STRIDE,
    DEPTH_STRIDE,
    FORWARD_STRIDE,
    LANES,
    SUM_LANES,
    SUMS,
    any_positive,
    blend_block,
    blend_block_depth,
    copy_record,
    store_sums,
    take_next,
    trailing_zeros,
    unblend_block,
)

_BLOCK_COUNT = BLOCKS * BLOCKS
_BATCH = 16  # splats fetched together; between batches the mask of unfinished blocks is renewed
_TINY = f4(1e-10)  # floor of alpha in the expected depth (gsplat 1.5.3, rendering.py:760-768)


@kernel
def _aligned(n):  # type: ignore[no-untyped-def]
    """float32 scratch on a 64-byte boundary: no vector crosses a cache line."""
    buffer = np.empty(n + 16, np.float32)
    start = (16 - ((buffer.ctypes.data >> 2) & 15)) & 15
    return buffer[start : start + n]


@kernel
def _corners():  # type: ignore[no-untyped-def]
    """(x, y) of every block in the tile."""
    corners = np.empty(2 * _BLOCK_COUNT, np.float32)
    for k in range(_BLOCK_COUNT):
        corners[2 * k], corners[2 * k + 1] = f4(4 * (k % BLOCKS)), f4(4 * (k // BLOCKS))
    return corners


@kernel
def _fetch(first, last, pair_splat, record, x_tile, y_tile, batch, masks):  # type: ignore[no-untyped-def]
    """Copy the records of pairs first..last next to each other and find which blocks they touch.

    They are scattered over memory; fetching a batch at once lets the processor wait for many of them together.
    """
    for e in range(u8(first), u8(last)):
        copy_record(record, u8(pair_splat[e]), batch, e - u8(first))
    integers = batch.view(np.int32)
    for j in range(u8(last - first)):
        masks[j] = block_mask(batch[j], integers[j], x_tile, y_tile)


@kernel
def _refresh(live, state, stride):  # type: ignore[no-untyped-def]
    """`live` without the blocks whose pixels have all stopped."""
    m = live
    while m != u8(0):
        k = trailing_zeros(m)
        m &= m - u8(1)
        if not any_positive(state, k * u8(stride)):
            live &= ~(u8(1) << k)
    return live


@kernel
def _start(state, stride, w, h):  # type: ignore[no-untyped-def]
    """Clear a tile of w x h pixels: T = 1 inside the picture, stopped outside. Returns the mask of live blocks."""
    state[:] = ZERO
    live = u8(0)
    for k in range(u8(_BLOCK_COUNT)):
        px, py = (k & u8(7)) << u8(2), (k >> u8(3)) << u8(2)
        if px < u8(w) and py < u8(h):
            live |= u8(1) << k
        for lane in range(u8(LANES)):
            inside = px + (lane & u8(3)) < u8(w) and py + (lane >> u8(2)) < u8(h)
            state[k * u8(stride) + lane] = ONE if inside else -ONE
    return live


@kernel
def _blend_tile(tile, tiles_x, tile_start, pair_splat, record, alpha_max, background, rgb, alpha, depth):  # type: ignore[no-untyped-def]
    height, width = alpha.shape
    x_tile, y_tile = (tile % tiles_x) * TILE, (tile // tiles_x) * TILE
    w, h = min(TILE, width - x_tile), min(TILE, height - y_tile)
    stride = FORWARD_STRIDE if depth is None else DEPTH_STRIDE
    state = _aligned(_BLOCK_COUNT * stride)
    live = _start(state, stride, w, h)
    corners, batch, masks = _corners(), _aligned(_BATCH * RECORD).reshape(_BATCH, RECORD), np.empty(_BATCH, np.uint64)
    end = tile_start[tile + 1]
    for first in range(tile_start[tile], end, _BATCH):
        last = min(end, first + _BATCH)
        _fetch(first, last, pair_splat, record, x_tile, y_tile, batch, masks)
        for j in range(u8(last - first)):
            r = batch[j]
            m = masks[j] & live
            x, y = f4(x_tile) - r[MEAN_X], f4(y_tile) - r[MEAN_Y]
            a, b, c, opacity = r[CONIC_A], r[CONIC_B], r[CONIC_C], r[LOG2_OPACITY]
            red, green, blue, z = r[RED], r[GREEN], r[BLUE], r[DEPTH]
            while m != u8(0):
                k = trailing_zeros(m)
                m &= m - u8(1)
                if depth is None:
                    blend_block(state, corners, k, x, y, a, b, c, opacity, alpha_max, red, green, blue)
                else:
                    blend_block_depth(state, corners, k, x, y, a, b, c, opacity, alpha_max, red, green, blue, z)
        live = _refresh(live, state, stride)
        if live == u8(0):
            break
    bg0, bg1, bg2 = background[0], background[1], background[2]
    for yy in range(u8(h)):
        y = u8(y_tile) + yy
        for xx in range(u8(w)):
            o = ((yy >> u8(2)) * u8(8) + (xx >> u8(2))) * u8(stride) + ((yy & u8(3)) << u8(2)) + (xx & u8(3))
            x = u8(x_tile) + xx
            t = abs(state[o])
            rgb[y, x, 0] = state[o + u8(16)] + t * bg0
            rgb[y, x, 1] = state[o + u8(32)] + t * bg1
            rgb[y, x, 2] = state[o + u8(48)] + t * bg2
            alpha[y, x] = ONE - t
            if depth is not None:
                depth[y, x] = state[o + u8(64)] / max(ONE - t, _TINY)


@kernel
def blend(
    worker,
    workers,
    counter,
    tiles,
    tiles_x,
    tile_start,
    pair_splat,
    record,
    alpha_max,
    background,
    rgb,
    alpha,
    depth,
):  # type: ignore[no-untyped-def]
    """Render tiles until none is left; `tiles` is the order to take them in, `depth` [H, W] or None."""
    while True:
        j = take_next(counter)
        if j >= tiles.shape[0]:
            break
        _blend_tile(tiles[j], tiles_x, tile_start, pair_splat, record, alpha_max, background, rgb, alpha, depth)


@kernel
def _unblend_tile(tile, tiles_x, tile_start, pair_splat, record, alpha_max, rgb, alpha, d_rgb, d_alpha, pair_sums):  # type: ignore[no-untyped-def]
    height, width = alpha.shape
    begin, end = tile_start[tile], tile_start[tile + 1]
    if begin >= end:
        return
    x_tile, y_tile = (tile % tiles_x) * TILE, (tile // tiles_x) * TILE
    w, h = min(TILE, width - x_tile), min(TILE, height - y_tile)
    stride = BACKWARD_STRIDE
    state = _aligned(_BLOCK_COUNT * stride)
    sums = _aligned(SUMS * SUM_LANES)
    sums[:] = ZERO
    live = _start(state, stride, w, h)
    for yy in range(u8(h)):
        y = u8(y_tile) + yy
        for xx in range(u8(w)):
            o = ((yy >> u8(2)) * u8(8) + (xx >> u8(2))) * u8(stride) + ((yy & u8(3)) << u8(2)) + (xx & u8(3))
            x = u8(x_tile) + xx
            g0, g1, g2 = d_rgb[y, x, 0], d_rgb[y, x, 1], d_rgb[y, x, 2]
            shade = rgb[y, x, 0] * g0 + rgb[y, x, 1] * g1 + rgb[y, x, 2] * g2
            state[o + u8(16)] = shade - (ONE - alpha[y, x]) * d_alpha[y, x]
            state[o + u8(32)], state[o + u8(48)], state[o + u8(64)] = g0, g1, g2
    corners, batch, masks = _corners(), _aligned(_BATCH * RECORD).reshape(_BATCH, RECORD), np.empty(_BATCH, np.uint64)
    for first in range(begin, end, _BATCH):
        last = min(end, first + _BATCH)
        if live != u8(0):
            _fetch(first, last, pair_splat, record, x_tile, y_tile, batch, masks)
        for j in range(u8(last - first)):
            r = batch[j]
            m = masks[j] & live
            x, y = f4(x_tile) - r[MEAN_X], f4(y_tile) - r[MEAN_Y]
            a, b, c, opacity = r[CONIC_A], r[CONIC_B], r[CONIC_C], r[LOG2_OPACITY]
            red, green, blue = r[RED], r[GREEN], r[BLUE]
            while m != u8(0):
                k = trailing_zeros(m)
                m &= m - u8(1)
                unblend_block(state, corners, k, x, y, a, b, c, opacity, alpha_max, red, green, blue, sums)
            store_sums(sums, pair_sums, (u8(first) + j) * u8(SUMS))
        live = _refresh(live, state, stride)


@kernel
def unblend(
    worker,
    workers,
    counter,
    tiles,
    tiles_x,
    tile_start,
    pair_splat,
    record,
    alpha_max,
    rgb,
    alpha,
    d_rgb,
    d_alpha,
    pair_sums,
):  # type: ignore[no-untyped-def]
    """Gradient sums of every (splat, tile) pair into `pair_sums` [pairs * SUMS], tiles taken until none is left."""
    while True:
        j = take_next(counter)
        if j >= tiles.shape[0]:
            break
        _unblend_tile(
            tiles[j],
            tiles_x,
            tile_start,
            pair_splat,
            record,
            alpha_max,
            rgb,
            alpha,
            d_rgb,
            d_alpha,
            pair_sums,
        )
