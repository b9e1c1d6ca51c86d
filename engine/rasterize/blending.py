# SPDX-License-Identifier: GPL-3.0-or-later
"""Blending of one tile's splats front to back, forward and backward (Numba around the vector kernels).

Contract: gsplat 1.5.3, RasterizeToPixels3DGSFwd.cu:140-183 and RasterizeToPixels3DGSBwd.cu:193-243. The backward pass
walks front to back again instead of dividing transmittances back; it needs nothing per pixel but the forward image.
"""

from __future__ import annotations

import numpy as np

from .binning import TILE, u8
from .blending_ir import (
    BACKWARD_STRIDE,
    DEPTH_STRIDE,
    FORWARD_STRIDE,
    SUM_LANES,
    SUMS,
    blend_block,
    blend_block_depth,
    store_sums,
    unblend_block,
)
from .compiled import kernel
from .projection import ONE, ZERO, f4
from .record import RECORD
from .tile_blocks import BATCH, BLOCK_COUNT, aligned, fetch, refresh, start_tile, transpose
from .vector_ir import take_next, trailing_zeros

_TINY = f4(1e-10)  # floor of alpha in the expected depth (gsplat 1.5.3, rendering.py:760-768)


@kernel
def blend_list(begin, end, pair_splat, record, x_tile, y_tile, alpha_max, live, state, batch, masks, depth):  # type: ignore[no-untyped-def]
    """Take the tile's `live` blocks through the pairs begin..end-1. `depth`: whether the state has a place for it.

    Splats come 64 at a time; each block then walks along those that touch it, with its pixels in registers.
    """
    for first in range(begin, end, BATCH):
        if live == u8(0):
            break
        fetch(first, min(end, first + BATCH), pair_splat, record, x_tile, y_tile, batch, masks)
        transpose(masks)
        todo = live
        while todo != u8(0):
            k = trailing_zeros(todo)
            bit = todo & (~todo + u8(1))
            todo ^= bit
            if depth:
                goes_on = blend_block_depth(state, k, masks[k], batch, alpha_max)
            else:
                goes_on = blend_block(state, k, masks[k], batch, alpha_max)
            if not goes_on:
                live ^= bit


@kernel
def _blend_tile(tile, tiles_x, tile_start, pair_splat, record, alpha_max, background, rgb, alpha, depth):  # type: ignore[no-untyped-def]
    height, width = alpha.shape
    x_tile, y_tile = (tile % tiles_x) * TILE, (tile // tiles_x) * TILE
    w, h = min(TILE, width - x_tile), min(TILE, height - y_tile)
    stride = FORWARD_STRIDE if depth is None else DEPTH_STRIDE
    state = aligned(BLOCK_COUNT * stride)
    live = start_tile(state, stride, w, h)
    batch, masks = aligned(BATCH * RECORD).reshape(BATCH, RECORD), np.empty(BATCH, np.uint64)
    begin, end = tile_start[tile], tile_start[tile + 1]
    blend_list(
        begin, end, pair_splat, record, x_tile, y_tile, alpha_max, live, state, batch, masks, depth is not None
    )  # fmt: skip
    bg0, bg1, bg2 = background[0], background[1], background[2]
    for yy in range(u8(h)):
        y = u8(y_tile) + yy
        for xx in range(u8(w)):
            o = ((yy >> u8(2)) * u8(8) + (xx >> u8(2))) * u8(stride) + ((yy & u8(3)) << u8(2)) + (xx & u8(3))
            x = u8(x_tile) + xx
            covered = state[o + u8(16)]
            t = ONE - covered
            rgb[y, x, 0] = state[o + u8(32)] + t * bg0
            rgb[y, x, 1] = state[o + u8(48)] + t * bg1
            rgb[y, x, 2] = state[o + u8(64)] + t * bg2
            alpha[y, x] = covered
            if depth is not None:
                depth[y, x] = state[o + u8(80)] / max(covered, _TINY)


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
    state = aligned(BLOCK_COUNT * stride)
    sums = aligned(SUMS * SUM_LANES)
    sums[:] = ZERO
    live = start_tile(state, stride, w, h)
    for yy in range(u8(h)):
        y = u8(y_tile) + yy
        for xx in range(u8(w)):
            o = ((yy >> u8(2)) * u8(8) + (xx >> u8(2))) * u8(stride) + ((yy & u8(3)) << u8(2)) + (xx & u8(3))
            x = u8(x_tile) + xx
            g0, g1, g2 = d_rgb[y, x, 0], d_rgb[y, x, 1], d_rgb[y, x, 2]
            shade = rgb[y, x, 0] * g0 + rgb[y, x, 1] * g1 + rgb[y, x, 2] * g2
            state[o + u8(16)] = shade - (ONE - alpha[y, x]) * d_alpha[y, x]
            state[o + u8(32)], state[o + u8(48)], state[o + u8(64)] = g0, g1, g2
    batch, masks = aligned(BATCH * RECORD).reshape(BATCH, RECORD), np.empty(BATCH, np.uint64)
    for first in range(begin, end, BATCH):
        last = min(end, first + BATCH)
        if live != u8(0):
            fetch(first, last, pair_splat, record, x_tile, y_tile, batch, masks)
        for j in range(u8(last - first)):
            m = masks[j] & live
            while m != u8(0):
                k = trailing_zeros(m)
                m &= m - u8(1)
                unblend_block(state, k, batch, j, f4(x_tile), f4(y_tile), alpha_max, sums)
            store_sums(sums, pair_sums, (u8(first) + j) * u8(SUMS))
        live = refresh(live, state, stride)


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
