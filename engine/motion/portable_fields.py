# SPDX-License-Identifier: GPL-3.0-or-later
"""Deformation fields as Numba kernels: condition vectors to offsets of 32 Gaussians at a time, without the GIL.

Canonical positions do not move, so everything that depends on them alone is folded into per-Gaussian constants; what
is left per frame is three small dense layers. Constants lie feature by feature in blocks of 32 Gaussians.
"""

from __future__ import annotations

import numpy as np

from ..rasterize.compiled import kernel
from ..rasterize.splat_rows import BLOCK
from .dense_ir import GROUP, STRIP, any_awake, dense_plain, dense_relu

FACE_HIDDEN = 64
FACE_CONSTANTS = 128
"""Per face Gaussian: first layer's constant part 64, upper attention 32, lower attention 32."""
FACE_OUTPUTS = 10
MOUTH_HIDDEN = 32
MOUTH_OUTPUTS = 3
SCRATCH = (3 * FACE_HIDDEN) * BLOCK
"""Floats that a field needs to work in: two layers, and zeros to start sums from. Zero it before the first block."""


@kernel
def _layer(rectified, w, inputs, outputs, awake, x, x_at, b, b_at, y, y_at):  # type: ignore[no-untyped-def]
    """One dense layer. Inputs that are 0 for the whole block are left out: they add 0. awake: int64 [inputs + 1]."""
    used = 0
    for k in range(inputs):
        awake[used] = k
        used += 1 if any_awake(x, x_at + k * BLOCK) else 0
    for row in range(0, outputs, GROUP):
        for lane in range(0, BLOCK, STRIP):
            to = row * BLOCK + lane
            if rectified:
                dense_relu(w, row * inputs, awake, used, x, x_at + lane, b, b_at + to, y, y_at + to)
            else:
                dense_plain(w, row * inputs, awake, used, x, x_at + lane, b, b_at + to, y, y_at + to)


@kernel
def _scaled(scratch, at, outputs, scale, rows, rows_at):  # type: ignore[no-untyped-def]
    for k in range(outputs):
        for lane in range(BLOCK):
            rows[rows_at + k * BLOCK + lane] = scratch[at + k * BLOCK + lane] * scale[k]


@kernel
def face_block(block, constants, w1, w2, w3, scale, scratch, awake, rows, rows_at):  # type: ignore[no-untyped-def]
    """Offsets of the 32 Gaussians of a block into FACE_OUTPUTS rows of `rows`, from the index `rows_at` on.

    constants f32 [blocks * 128 * 32]; w1, w2, w3: packed layers (dense_ir.pack_layer), w1 holding the frame's
    conditions; scale f32 [10]; scratch f32 [SCRATCH]; awake int64 [FACE_HIDDEN + 1].
    """
    first, second, zeros = 0, FACE_HIDDEN * BLOCK, 2 * FACE_HIDDEN * BLOCK
    base = block * FACE_CONSTANTS * BLOCK
    attention = base + FACE_HIDDEN * BLOCK
    _layer(True, w1, FACE_HIDDEN, FACE_HIDDEN, awake, constants, attention, constants, base, scratch, first)
    _layer(True, w2, FACE_HIDDEN, FACE_HIDDEN, awake, scratch, first, scratch, zeros, scratch, second)
    _layer(False, w3, FACE_HIDDEN, FACE_OUTPUTS, awake, scratch, second, scratch, zeros, scratch, first)
    _scaled(scratch, first, FACE_OUTPUTS, scale, rows, rows_at)


@kernel
def mouth_block(block, constants, bias, w2, w3, scale, scratch, awake, rows, rows_at):  # type: ignore[no-untyped-def]
    """As face_block. constants f32 [blocks * 32 * 32]; bias f32 [32]: the condition through the first layer."""
    first, second, zeros = 0, FACE_HIDDEN * BLOCK, 2 * FACE_HIDDEN * BLOCK
    base = block * MOUTH_HIDDEN * BLOCK
    for k in range(MOUTH_HIDDEN):
        shift = bias[k]
        for lane in range(BLOCK):
            scratch[k * BLOCK + lane] = max(constants[base + k * BLOCK + lane] + shift, np.float32(0.0))
    _layer(True, w2, MOUTH_HIDDEN, MOUTH_HIDDEN, awake, scratch, first, scratch, zeros, scratch, second)
    _layer(False, w3, MOUTH_HIDDEN, MOUTH_OUTPUTS, awake, scratch, second, scratch, zeros, scratch, first)
    _scaled(scratch, first, MOUTH_OUTPUTS, scale, rows, rows_at)


@kernel
def _store(block, rows, outputs, index, out):  # type: ignore[no-untyped-def]
    first = block * BLOCK
    for lane in range(min(BLOCK, index.shape[0] - first)):
        for k in range(outputs):
            out[index[first + lane], k] = rows[k * BLOCK + lane]


@kernel
def face_blocks(first, last, constants, w1, w2, w3, scale, index, out):  # type: ignore[no-untyped-def]
    """Offsets of the Gaussians in blocks first..last-1 into the rows of out f32 [N,10] that `index` i32 gives them."""
    scratch, rows = np.zeros(SCRATCH, np.float32), np.empty(FACE_OUTPUTS * BLOCK, np.float32)
    awake = np.empty(FACE_HIDDEN + 1, np.int64)
    for block in range(first, last):
        face_block(block, constants, w1, w2, w3, scale, scratch, awake, rows, 0)
        _store(block, rows, FACE_OUTPUTS, index, out)


@kernel
def mouth_blocks(first, last, constants, bias, w2, w3, scale, index, out):  # type: ignore[no-untyped-def]
    """As face_blocks, out f32 [M,3]."""
    scratch, rows = np.zeros(SCRATCH, np.float32), np.empty(MOUTH_OUTPUTS * BLOCK, np.float32)
    awake = np.empty(FACE_HIDDEN + 1, np.int64)
    for block in range(first, last):
        mouth_block(block, constants, bias, w2, w3, scale, scratch, awake, rows, 0)
        _store(block, rows, MOUTH_OUTPUTS, index, out)
