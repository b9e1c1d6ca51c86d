# SPDX-License-Identifier: GPL-3.0-or-later
"""From a tile's splats to its finished pixels: face, mouth behind it, and out into the frame's colours (Numba)."""

from __future__ import annotations

import numpy as np

from ..composite import linear_pixel, srgb8_pixel
from ..rasterize.binning import TILE, u8
from ..rasterize.blending import blend_list
from ..rasterize.blending_ir import DEPTH_STRIDE, FORWARD_STRIDE, LANES
from ..rasterize.compiled import kernel
from ..rasterize.projection import ZERO
from ..rasterize.record import RECORD
from ..rasterize.tile_blocks import BATCH, BLOCK_COUNT, aligned, start_tile
from ..rasterize.vector_ir import any_positive, store_row, take_next

_ALPHA, _RED, _GREEN, _BLUE, _DEPTH = (np.uint64(k * LANES) for k in range(1, 6))  # in the state of a block
_PIXEL = 5 * LANES


@kernel
def _shade_linear(face, mouth, base, pixels):  # type: ignore[no-untyped-def]
    """The 16 pixels of a block: rows r, g, b, a, depth of `pixels`."""
    for lane in range(u8(LANES)):
        o = u8(base) + lane
        r, g, b, a, z = linear_pixel(
            face[o + _ALPHA], face[o + _RED], face[o + _GREEN], face[o + _BLUE], face[o + _DEPTH],
            mouth[o + _ALPHA], mouth[o + _RED], mouth[o + _GREEN], mouth[o + _BLUE], mouth[o + _DEPTH],
        )  # fmt: skip
        pixels[lane], pixels[u8(LANES) + lane], pixels[u8(2 * LANES) + lane] = r, g, b
        pixels[u8(3 * LANES) + lane], pixels[u8(4 * LANES) + lane] = a, z


@kernel
def _shade_srgb8(face, mouth, base, pixels):  # type: ignore[no-untyped-def]
    for lane in range(u8(LANES)):
        o = u8(base) + lane
        r, g, b, a = srgb8_pixel(
            face[o + _ALPHA], face[o + _RED], face[o + _GREEN], face[o + _BLUE],
            mouth[o + _ALPHA], mouth[o + _RED], mouth[o + _GREEN], mouth[o + _BLUE],
        )  # fmt: skip
        pixels[lane], pixels[u8(LANES) + lane], pixels[u8(2 * LANES) + lane] = r, g, b
        pixels[u8(3 * LANES) + lane] = a


@kernel
def _store_block(pixels, x, y, across, down, rgba, depth):  # type: ignore[no-untyped-def]
    """Bring 16 pixels into the picture, where they lie inside it; `depth` [H,W] or None."""
    width = u8(rgba.shape[1])
    if across == 4 and down == 4:
        for row in range(u8(4)):
            at = (u8(y) + row) * width + u8(x)
            store_row(pixels, row * u8(4), rgba, at * u8(4))
            if depth is not None:
                for column in range(u8(4)):
                    depth[u8(y) + row, u8(x) + column] = pixels[u8(4 * LANES) + row * u8(4) + column]
        return
    for row in range(u8(down)):
        for column in range(u8(across)):
            lane = row * u8(4) + column
            for channel in range(u8(4)):
                rgba[u8(y) + row, u8(x) + column, channel] = pixels[channel * u8(LANES) + lane]
            if depth is not None:
                depth[u8(y) + row, u8(x) + column] = pixels[u8(4 * LANES) + lane]


@kernel
def draw(worker, workers, counter, order, tiles_x, tile_start, pair_splat, record, alpha_max, rgba, depth, pixel):  # type: ignore[no-untyped-def]
    """Finish tiles, in this order, until none is left.

    tile_start holds the face's lists of all tiles, then the mouth's. With depth float32 [H,W] (metres), rgba is float32
    [H,W,4], premultiplied linear; without (None), uint8 [H,W,4], straight alpha, sRGB-encoded. pixel: [1] of rgba's
    type.
    """
    height, width = rgba.shape[:2]
    tiles = order.shape[0]
    stride = FORWARD_STRIDE if depth is None else DEPTH_STRIDE
    face, mouth = aligned(BLOCK_COUNT * stride), aligned(BLOCK_COUNT * stride)
    batch, masks = aligned(BATCH * RECORD).reshape(BATCH, RECORD), np.empty(BATCH, np.uint64)
    pixels, rows = np.zeros(_PIXEL, pixel.dtype), rgba.reshape(height, 4 * width)
    mouth[:] = ZERO
    while True:
        j = take_next(counter)
        if j >= tiles:
            break
        tile = order[j]
        x_tile, y_tile = (tile % tiles_x) * TILE, (tile // tiles_x) * TILE
        w, h = min(TILE, width - x_tile), min(TILE, height - y_tile)
        face_from, face_to = tile_start[tile], tile_start[tile + 1]
        mouth_from, mouth_to = tile_start[tiles + tile], tile_start[tiles + tile + 1]
        if face_from == face_to and mouth_from == mouth_to:
            for row in range(u8(y_tile), u8(y_tile + h)):
                for column in range(u8(4 * x_tile), u8(4 * (x_tile + w))):
                    rows[row, column] = pixel[0]
                if depth is not None:
                    for column in range(u8(x_tile), u8(x_tile + w)):
                        depth[row, column] = ZERO
            continue
        deep = depth is not None
        live = start_tile(face, stride, w, h)
        blend_list(face_from, face_to, pair_splat, record, x_tile, y_tile, alpha_max, live, face, batch, masks, deep)
        live = start_tile(mouth, stride, w, h)
        blend_list(mouth_from, mouth_to, pair_splat, record, x_tile, y_tile, alpha_max, live, mouth, batch, masks, deep)
        for block in range(u8(BLOCK_COUNT)):
            x, y = (block & u8(7)) << u8(2), (block >> u8(3)) << u8(2)
            if x >= u8(w) or y >= u8(h):
                continue
            base = block * u8(stride)
            if any_positive(face, base + _ALPHA) or any_positive(mouth, base + _ALPHA):
                if depth is None:
                    _shade_srgb8(face, mouth, base, pixels)
                else:
                    _shade_linear(face, mouth, base, pixels)
            else:
                pixels[:] = pixel[0]
            across, down = min(u8(4), u8(w) - x), min(u8(4), u8(h) - y)
            _store_block(pixels, x + u8(x_tile), y + u8(y_tile), across, down, rgba, depth)
