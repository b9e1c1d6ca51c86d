# SPDX-License-Identifier: GPL-3.0-or-later
"""A dense layer for 32 Gaussians as LLVM IR: some rows of outputs at a time, their sums in registers.

Compilers do not keep the accumulators of such a loop in registers. How many rows fit depends on the machine: with
AVX-512 eight rows by 32 Gaussians are 16 of 32 registers; elsewhere four rows by 16 Gaussians are 8 AVX2 registers of
16. Both are enough to hide the latency of FMA. The order of the sums, and so every bit of the result, is the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import binding
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic

from ..rasterize.lanes import INT64, Lanes
from ..rasterize.splat_rows import BLOCK
from ..rasterize.vector_ir import pointer_to


def _wide() -> bool:
    """Whether the machine that is compiled for, not necessarily this one, has AVX-512."""
    if config.CPU_FEATURES is not None:
        return "+avx512f" in config.CPU_FEATURES
    if config.CPU_NAME not in (None, "host"):
        return False
    return bool(binding.get_host_cpu_features().get("avx512f", False))


WIDE = _wide()
LANES = 16 if WIDE else 8
"""Floats per vector instruction; LLVM splits it for narrower machines."""
GROUP = 8 if WIDE else 4
"""Layer outputs computed together."""
STRIP = 2 * LANES
"""Gaussians computed together."""


def _dense(rectified: bool) -> Any:
    """Make the intrinsic that computes GROUP outputs of a dense layer for STRIP Gaussians."""

    @intrinsic
    def dense(typing_context, w, w_at, awake, inputs, x, x_at, b, b_at, y, y_at):  # type: ignore[no-untyped-def]
        """y[y_at + BLOCK*j + l] = act(b[b_at + BLOCK*j + l] + sum_k w[w_at + GROUP*k + j] * x[x_at + BLOCK*k + l]).

        k: the first `inputs` numbers of awake int64 [...].
        """
        index = types.int64
        signature = types.void(w, index, awake, index, x, index, b, index, y, index)

        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            lanes = Lanes(builder, LANES)
            weights = pointer_to(context, builder, sig.args[0], args[0], args[1])
            units = pointer_to(context, builder, sig.args[2], args[2], INT64(0))
            source = pointer_to(context, builder, sig.args[4], args[4], args[5])
            start = pointer_to(context, builder, sig.args[6], args[6], args[7])
            target = pointer_to(context, builder, sig.args[8], args[8], args[9])
            places = [(row, lane) for row in range(GROUP) for lane in range(0, STRIP, LANES)]
            sums = {place: cgutils.alloca_once(builder, lanes.floats) for place in places}
            for row, lane in places:
                builder.store(lanes.load(lanes.at(start, row * BLOCK + lane)), sums[row, lane])
            with cgutils.for_range(builder, args[3], intp=INT64) as loop:
                unit = builder.load(builder.gep(units, [loop.index]))
                column = builder.gep(weights, [builder.mul(unit, INT64(GROUP))])
                values = builder.gep(source, [builder.mul(unit, INT64(BLOCK))])
                inputs = {lane: lanes.load(lanes.at(values, lane)) for lane in range(0, STRIP, LANES)}
                for row in range(GROUP):
                    weight = lanes.splat(builder.load(lanes.at(column, row)))
                    for lane, value in inputs.items():
                        total = lanes.fma(weight, value, builder.load(sums[row, lane]))
                        builder.store(total, sums[row, lane])
            for row, lane in places:
                total = builder.load(sums[row, lane])
                if rectified:
                    total = lanes.maximum(lanes.const(0.0), total)
                lanes.store(total, lanes.at(target, row * BLOCK + lane))
            return context.get_dummy_value()

        return signature, generate

    return dense


dense_relu = _dense(rectified=True)
dense_plain = _dense(rectified=False)


@intrinsic
def any_awake(typing_context, x, at):  # type: ignore[no-untyped-def]
    """Whether one of the BLOCK floats from x[at] on is not 0."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        lanes = Lanes(builder, LANES)
        place = pointer_to(context, builder, sig.args[0], args[0], args[1])
        strips = [lanes.bits(lanes.load(lanes.at(place, lane))) for lane in range(0, BLOCK, LANES)]
        # The sign is shifted out: -0 is 0.
        together = strips[0]
        for strip in strips[1:]:
            together = builder.or_(together, strip)
        together = builder.shl(together, lanes.whole(1))
        return lanes.any(builder.icmp_signed("!=", together, lanes.whole(0)))

    return types.boolean(x, types.int64), generate


def padded(outputs: int) -> int:
    """Rows that a layer of so many outputs takes: whole groups."""
    return -(-outputs // GROUP) * GROUP


def pack_layer(weight: np.ndarray) -> np.ndarray:
    """A layer [out,in] in the order in which the kernels read it: GROUP outputs at a time, zero rows added to fill."""
    outputs, inputs = weight.shape
    rows = np.zeros((padded(outputs), inputs), np.float32)
    rows[:outputs] = weight
    return np.ascontiguousarray(rows.reshape(-1, GROUP, inputs).transpose(0, 2, 1)).reshape(-1)


def pack_rows(values: np.ndarray) -> np.ndarray:
    """Numbers of Gaussians [N,C] as blocks of rows: flat [blocks * C * 32], zeros after the last Gaussian."""
    count, channels = values.shape
    blocks = -(-count // BLOCK)
    filled = np.zeros((blocks * BLOCK, channels), np.float32)
    filled[:count] = values
    return np.ascontiguousarray(filled.reshape(blocks, BLOCK, channels).transpose(0, 2, 1)).reshape(-1)
