# SPDX-License-Identifier: GPL-3.0-or-later
"""Deformation fields as Numba kernels: condition vectors to offsets of 32 Gaussians at a time, without the GIL.

Canonical positions do not move, so everything that depends on them alone is folded into per-Gaussian constants; what
is left per frame is three small dense layers. Constants lie feature-major in blocks of 32 Gaussians. The dense layer
is written in vector instructions, because compilers do not keep the accumulators of such a loop in registers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

BLOCK = 32
"""Gaussians per block."""

ROWS = 4
"""Layer outputs computed together: 4 rows by 16 Gaussians are 8 AVX2 registers, enough to hide the latency of FMA."""

LANES = 8
"""Floats per vector instruction in the code; LLVM splits it for narrower machines."""

STRIP = 16
"""Gaussians per inner loop: two vectors."""

FACE_HIDDEN = 64
FACE_CONSTANTS = 128
"""Per face Gaussian: first layer's constant part 64, upper attention 32, lower attention 32."""
FACE_OUTPUTS = 10
MOUTH_HIDDEN = 32
MOUTH_OUTPUTS = 3

_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "boundscheck": False}
_FLOAT = ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, LANES)
_INT64 = ir.IntType(64)


def _splat(builder: Any, value: Any) -> Any:
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    single = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(single, undefined, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [index])


def _load(builder: Any, pointer: Any) -> Any:
    return builder.load(builder.bitcast(pointer, _VECTOR.as_pointer()), align=4)


def _store(builder: Any, vector: Any, pointer: Any) -> None:
    builder.store(vector, builder.bitcast(pointer, _VECTOR.as_pointer()), align=4)


def _dense_strip(rectified: bool) -> Any:
    """Make the intrinsic that computes ROWS outputs of a dense layer for STRIP Gaussians."""

    @intrinsic
    def dense(typing_context, w, w_at, inputs, x, x_at, b, b_at, b_step, y, y_at):  # type: ignore[no-untyped-def]
        """y[y_at + BLOCK*j + l] = act(b[b_at + b_step*j + l] + sum_k w[w_at + ROWS*k + j] * x[x_at + BLOCK*k + l])."""
        index = types.int64
        signature = types.void(w, index, index, x, index, b, index, index, y, index)

        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            weights = _pointer(context, builder, sig.args[0], args[0], args[1])
            source = _pointer(context, builder, sig.args[3], args[3], args[4])
            start = _pointer(context, builder, sig.args[5], args[5], args[6])
            target = _pointer(context, builder, sig.args[8], args[8], args[9])
            multiply_add = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fmuladd.v{LANES}f32"
            )
            places = [(row, lane) for row in range(ROWS) for lane in range(0, STRIP, LANES)]
            sums = {place: cgutils.alloca_once(builder, _VECTOR) for place in places}
            for row, lane in places:
                offset = builder.add(builder.mul(args[7], _INT64(row)), _INT64(lane))
                builder.store(_load(builder, builder.gep(start, [offset])), sums[row, lane])
            with cgutils.for_range(builder, args[2], intp=_INT64) as loop:
                column = builder.gep(weights, [builder.mul(loop.index, _INT64(ROWS))])
                values = builder.gep(source, [builder.mul(loop.index, _INT64(BLOCK))])
                lanes = {lane: _load(builder, builder.gep(values, [_INT64(lane)])) for lane in range(0, STRIP, LANES)}
                for row in range(ROWS):
                    weight = _splat(builder, builder.load(builder.gep(column, [_INT64(row)])))
                    for lane, value in lanes.items():
                        total = builder.load(sums[row, lane])
                        builder.store(builder.call(multiply_add, [weight, value, total]), sums[row, lane])
            zero = ir.Constant(_VECTOR, [ir.Constant(_FLOAT, 0.0)] * LANES)
            for row, lane in places:
                total = builder.load(sums[row, lane])
                if rectified:
                    total = builder.select(builder.fcmp_ordered(">", total, zero), total, zero)
                _store(builder, total, builder.gep(target, [_INT64(row * BLOCK + lane)]))
            return context.get_dummy_value()

        return signature, generate

    return dense


_dense_relu = _dense_strip(rectified=True)
_dense_plain = _dense_strip(rectified=False)


@njit(**_OPTIONS)
def _layer_relu(w, inputs, outputs, x, x_at, b, b_at, b_step, y):  # type: ignore[no-untyped-def]
    for row in range(0, outputs, ROWS):
        for lane in range(0, BLOCK, STRIP):
            start = b_at + row * b_step + (lane if b_step == BLOCK else 0)
            _dense_relu(w, row * inputs, inputs, x, x_at + lane, b, start, b_step, y, row * BLOCK + lane)


@njit(**_OPTIONS)
def _layer_plain(w, inputs, outputs, x, b, y):  # type: ignore[no-untyped-def]
    for row in range(0, outputs, ROWS):
        for lane in range(0, BLOCK, STRIP):
            _dense_plain(w, row * inputs, inputs, x, lane, b, row * BLOCK + lane, BLOCK, y, row * BLOCK + lane)


@njit(**_OPTIONS)
def face_blocks(first, last, constants, w1, w2, w3, scale, out):  # type: ignore[no-untyped-def]
    """Offsets of the Gaussians in blocks first..last-1.

    constants f32 [blocks * 128 * 32]; w1, w2, w3: packed layers (see pack_layer), w1 holding the frame's conditions;
    scale f32 [10]; out f32 [N,10]: only the rows of these blocks are written.
    """
    hidden = np.empty(FACE_HIDDEN * BLOCK, np.float32)
    second = np.empty(FACE_HIDDEN * BLOCK, np.float32)
    result = np.empty((FACE_OUTPUTS + ROWS) * BLOCK, np.float32)
    nothing = np.zeros((FACE_OUTPUTS + ROWS) * BLOCK, np.float32)
    zeros = np.zeros(FACE_HIDDEN * BLOCK, np.float32)
    count = out.shape[0]
    for block in range(first, last):
        base = block * FACE_CONSTANTS * BLOCK
        attention = base + FACE_HIDDEN * BLOCK
        _layer_relu(w1, FACE_HIDDEN, FACE_HIDDEN, constants, attention, constants, base, BLOCK, hidden)
        _layer_relu(w2, FACE_HIDDEN, FACE_HIDDEN, hidden, 0, zeros, 0, BLOCK, second)
        _layer_plain(w3, FACE_HIDDEN, FACE_OUTPUTS, second, nothing, result)
        for lane in range(min(BLOCK, count - block * BLOCK)):
            for k in range(FACE_OUTPUTS):
                out[block * BLOCK + lane, k] = result[k * BLOCK + lane] * scale[k]


@njit(**_OPTIONS)
def mouth_blocks(first, last, constants, bias, w2, w3, scale, out):  # type: ignore[no-untyped-def]
    """As face_blocks. constants f32 [blocks * 32 * 32]; bias f32 [32]: the condition through the first layer."""
    hidden = np.empty(MOUTH_HIDDEN * BLOCK, np.float32)
    second = np.empty(MOUTH_HIDDEN * BLOCK, np.float32)
    result = np.empty((MOUTH_OUTPUTS + ROWS) * BLOCK, np.float32)
    zeros = np.zeros(MOUTH_HIDDEN * BLOCK, np.float32)
    count = out.shape[0]
    for block in range(first, last):
        base = block * MOUTH_HIDDEN * BLOCK
        for k in range(MOUTH_HIDDEN):
            shift = bias[k]
            for lane in range(BLOCK):
                hidden[k * BLOCK + lane] = max(constants[base + k * BLOCK + lane] + shift, np.float32(0.0))
        _layer_relu(w2, MOUTH_HIDDEN, MOUTH_HIDDEN, hidden, 0, zeros, 0, BLOCK, second)
        _layer_plain(w3, MOUTH_HIDDEN, MOUTH_OUTPUTS, second, zeros, result)
        for lane in range(min(BLOCK, count - block * BLOCK)):
            for k in range(MOUTH_OUTPUTS):
                out[block * BLOCK + lane, k] = result[k * BLOCK + lane] * scale[k]


def pack_layer(weight: np.ndarray) -> np.ndarray:
    """A layer [out,in] in the order in which the kernels read it: ROWS outputs at a time, zero rows added to fill."""
    outputs, inputs = weight.shape
    padded = np.zeros((-(-outputs // ROWS) * ROWS, inputs), np.float32)
    padded[:outputs] = weight
    return np.ascontiguousarray(padded.reshape(-1, ROWS, inputs).transpose(0, 2, 1)).reshape(-1)


def pack_constants(values: np.ndarray) -> np.ndarray:
    """Per-Gaussian constants [N,C] as blocks: flat [blocks * C * 32], zeros after the last Gaussian."""
    count, channels = values.shape
    blocks = -(-count // BLOCK)
    padded = np.zeros((blocks * BLOCK, channels), np.float32)
    padded[:count] = values
    return np.ascontiguousarray(padded.reshape(blocks, BLOCK, channels).transpose(0, 2, 1)).reshape(-1)


def warm_up() -> None:
    """Compile both kernels, or load them from Numba's cache. Seconds the first time on a machine, then a moment."""
    inputs = np.zeros(FACE_CONSTANTS * BLOCK, np.float32)
    weights = np.zeros(FACE_HIDDEN * FACE_HIDDEN, np.float32)
    scale = np.ones(FACE_OUTPUTS, np.float32)
    face = np.empty((1, FACE_OUTPUTS), np.float32)
    mouth = np.empty((1, MOUTH_OUTPUTS), np.float32)
    face_blocks(0, 1, inputs, weights, weights, weights, scale, face)
    mouth_blocks(0, 1, inputs, inputs[:MOUTH_HIDDEN], weights, weights, scale, mouth)
