# SPDX-License-Identifier: GPL-3.0-or-later
"""The working set of one tile: the pixels' state, and the splats that are fetched for it 64 at a time (Numba)."""

from __future__ import annotations

import numpy as np

from .binning import BLOCKS, block_mask, u8
from .blending_ir import LANES
from .compiled import kernel
from .projection import ONE, ZERO, f4
from .record import BOTTOM, LEFT, LOG_OPACITY, RIGHT, TOP, TOP_LEFT_U, TOP_LEFT_V, P, Q, R, X, Y
from .vector_ir import any_positive, copy_record, trailing_zeros

BLOCK_COUNT = BLOCKS * BLOCKS
BATCH = 64
"""Splats fetched together: as many as a word has bits."""


@kernel
def aligned(n):  # type: ignore[no-untyped-def]
    """float32 scratch on a 64-byte boundary: no vector crosses a cache line."""
    buffer = np.empty(n + 16, np.float32)
    first = (16 - ((buffer.ctypes.data >> 2) & 15)) & 15
    return buffer[first : first + n]


@kernel
def start_tile(state, stride, w, h):  # type: ignore[no-untyped-def]
    """Clear a tile of w x h pixels: T = 1 inside the picture, stopped outside. Returns the mask of live blocks."""
    state[:] = ZERO
    live = u8(0)
    for k in range(u8(BLOCK_COUNT)):
        px, py = (k & u8(7)) << u8(2), (k >> u8(3)) << u8(2)
        if px < u8(w) and py < u8(h):
            live |= u8(1) << u8(k)
            for lane in range(u8(LANES)):
                state[k * u8(stride) + lane] = ONE
            if px + u8(4) > u8(w) or py + u8(4) > u8(h):
                for lane in range(u8(LANES)):
                    if px + (lane & u8(3)) >= u8(w) or py + (lane >> u8(2)) >= u8(h):
                        state[k * u8(stride) + lane] = ZERO
    return live


@kernel
def fetch(first, last, pair_splat, record, x_tile, y_tile, batch, masks):  # type: ignore[no-untyped-def]
    """Copy the records of pairs first..last next to each other and find which blocks they touch.

    They are scattered over memory; fetching a batch at once lets the processor wait for many of them together.
    """
    count = u8(last - first)
    for j in range(count):
        copy_record(record, u8(pair_splat[u8(first) + j]), batch, j)
    boxes = batch.view(np.int32)
    for j in range(count):
        p, q, r = batch[j, P], batch[j, Q], batch[j, R]
        x, y = f4(x_tile) - batch[j, X], f4(y_tile) - batch[j, Y]
        batch[j, TOP_LEFT_U] = p * x + q * y
        batch[j, TOP_LEFT_V] = r * y
        left, right = boxes[j, LEFT] - x_tile, boxes[j, RIGHT] - x_tile
        top, bottom = boxes[j, TOP] - y_tile, boxes[j, BOTTOM] - y_tile
        masks[j] = block_mask(left, right, top, bottom, x, y, p, q, r, batch[j, LOG_OPACITY])
    for j in range(count, u8(BATCH)):
        masks[j] = u8(0)


@kernel
def transpose(masks):  # type: ignore[no-untyped-def]
    """From "which blocks does splat j touch" to "which splats touch block k": a 64 x 64 bit matrix, in place.

    Ever smaller squares off the diagonal are swapped (Hacker's Delight, 7-3).
    """
    width, kept = u8(32), u8(0x00000000FFFFFFFF)
    while width != u8(0):
        for start in range(u8(0), u8(64), width + width):
            for k in range(start, start + width):
                swapped = ((masks[k] >> width) ^ masks[k + width]) & kept
                masks[k + width] ^= swapped
                masks[k] ^= swapped << width
        width >>= u8(1)
        kept ^= kept << width


@kernel
def refresh(live, state, stride):  # type: ignore[no-untyped-def]
    """`live` without the blocks whose pixels have all stopped."""
    m = live
    while m != u8(0):
        k = trailing_zeros(m)
        m &= m - u8(1)
        if not any_positive(state, k * u8(stride)):
            live &= ~(u8(1) << k)
    return live
