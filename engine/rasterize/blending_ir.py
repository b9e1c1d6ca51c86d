# SPDX-License-Identifier: GPL-3.0-or-later
"""The innermost blending loops as explicit 16-lane LLVM IR.

The forward loop takes one 4x4-pixel block of a tile through a list of splats with the block's state in registers; the
backward step takes one splat to one block. Writing the vectors out (instead of hoping for LLVM's auto-vectoriser) keeps
the speed the same over LLVM versions; ``<16 x float>`` legalises to one AVX-512, two AVX2, four SSE or NEON registers.
All arithmetic is plain IEEE apart from ``fmuladd``, which fuses where the CPU can.

State of a block (float32, 16 lanes each, lane = 4*row + column)::

    forward:  T | alpha | r | g | b (| depth)
    backward: T | S | dL/dr | dL/dg | dL/db

T is the transmittance in front of the next splat; it becomes 0 once the pixel has stopped. S is what the splats behind
and the background still contribute to the loss. The readable statement of the same maths is ``reference.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .lanes import INT32, INT64, Lanes
from .record import BLUE, DEPTH, GREEN, LOG_OPACITY, RECORD, RED, TOP_LEFT_U, TOP_LEFT_V, P, Q, R, X, Y
from .vector_ir import pointer_to

LANES = 16
SUM_LANES = 8
"""The backward pass adds the two halves of a block before it accumulates."""
FORWARD_STRIDE = 5 * LANES
DEPTH_STRIDE = 6 * LANES
BACKWARD_STRIDE = 5 * LANES
SUMS = 9
"""Per-splat sums of the backward pass: u, u dx, u dy, u dx dx, u dx dy, u dy dy, w dL/dr, w dL/dg, w dL/db."""

EIGHTHS = 8.0
"""Exponents are kept in eighths, because 2^x is computed as (2^(x/8))^8: on -1..0 a short polynomial is enough."""
LOG_ALPHA_MIN = float(-np.log2(255.0)) / EIGHTHS
"""log2 of the smallest alpha that is drawn, 1/255 (gsplat 1.5.3, RasterizeToPixels3DGSFwd.cu:148-151), in eighths."""
TRANSMITTANCE_STOP = 1e-4
"""A pixel stops before the splat that would bring T to this or below (RasterizeToPixels3DGSFwd.cu:153-157)."""

_float = types.float32
_BLOCKS_ACROSS = 8


class _Block:
    """The pixels of one block, and what one splat does to them."""

    def __init__(self, builder: Any, block: Any) -> None:
        self.lanes = lanes = Lanes(builder, LANES)
        column = builder.and_(block, ir.Constant(INT64, _BLOCKS_ACROSS - 1))
        row = builder.lshr(block, ir.Constant(INT64, 3))
        self.x, self.y = (
            builder.fadd(
                lanes.splat(builder.uitofp(builder.mul(place, ir.Constant(INT64, 4)), ir.FloatType())),
                lanes.per_lane(within),
            )
            for place, within in ((column, lambda k: k & 3), (row, lambda k: k >> 2))
        )

    def field(self, splat: Any, column: int) -> Any:
        """One number of the splat's record in every lane."""
        return self.lanes.splat(self.lanes.b.load(self.lanes.at(splat, column)))

    def alpha(self, splat: Any, alpha_max: Any) -> tuple[Any, Any]:
        """(uncapped alpha, alpha): the second is capped, and 0 below 1/255. The first is garbage there."""
        lanes, b = self.lanes, self.lanes.b
        u = lanes.fma(self.field(splat, Q), self.y, self.field(splat, TOP_LEFT_U))
        u = lanes.fma(self.field(splat, P), self.x, u)
        v = lanes.fma(self.field(splat, R), self.y, self.field(splat, TOP_LEFT_V))
        exponent = lanes.fma(lanes.neg(u), u, self.field(splat, LOG_OPACITY))
        exponent = lanes.fma(lanes.neg(v), v, exponent)
        uncapped = lanes.exp2_of_eighths(exponent)
        seen = b.fcmp_ordered(">=", exponent, lanes.const(LOG_ALPHA_MIN))
        return uncapped, b.select(seen, lanes.minimum(uncapped, alpha_max), lanes.const(0.0))

    def passed(self, t: Any, alpha: Any) -> tuple[Any, Any]:
        """(T behind a splat, whether the pixel still takes it). T falls, so a pixel that has stopped never resumes."""
        behind = self.lanes.fma(self.lanes.neg(alpha), t, t)
        return behind, self.lanes.b.fcmp_ordered(">", behind, self.lanes.const(TRANSMITTANCE_STOP))


def _forward(context: Any, builder: Any, sig: Any, args: Any, channels: tuple[int, ...]) -> Any:
    """Loop over the set bits of a mask, lowest first, with the state in registers."""
    block = _Block(builder, args[1])
    lanes = block.lanes
    zero, one, nothing = ir.Constant(INT64, 0), ir.Constant(INT64, 1), lanes.const(0.0)
    stride = ir.Constant(INT64, (2 + len(channels)) * LANES)
    state = pointer_to(context, builder, sig.args[0], args[0], builder.mul(args[1], stride))
    batch = pointer_to(context, builder, sig.args[3], args[3], zero)
    alpha_max = lanes.splat(args[4])
    kept = [cgutils.alloca_once(builder, lanes.floats) for _ in range(2 + len(channels))]
    for k, place in enumerate(kept):
        builder.store(lanes.load(lanes.at(state, k * LANES)), place)
    left = cgutils.alloca_once_value(builder, args[2])
    alive = cgutils.alloca_once_value(builder, ir.Constant(ir.IntType(1), 1))
    loop, after = builder.append_basic_block("splat"), builder.append_basic_block("block_done")
    builder.cbranch(builder.icmp_unsigned("!=", args[2], zero), loop, after)

    builder.position_at_end(loop)
    mask = builder.load(left)
    place = builder.cttz(mask, ir.Constant(ir.IntType(1), 1))
    mask = builder.and_(mask, builder.sub(mask, one))
    builder.store(mask, left)
    splat = builder.gep(batch, [builder.mul(place, ir.Constant(INT64, RECORD))])
    _, alpha = block.alpha(splat, alpha_max)
    t = builder.load(kept[0])
    behind, takes = block.passed(t, alpha)
    weight = builder.select(takes, builder.fmul(alpha, t), nothing)
    builder.store(builder.select(takes, behind, nothing), kept[0])
    builder.store(builder.fadd(builder.load(kept[1]), weight), kept[1])
    for k, channel in enumerate(channels):
        total = lanes.fma(weight, block.field(splat, channel), builder.load(kept[2 + k]))
        builder.store(total, kept[2 + k])
    any_takes = lanes.any(takes)
    builder.store(any_takes, alive)
    builder.cbranch(builder.and_(any_takes, builder.icmp_unsigned("!=", mask, zero)), loop, after)

    builder.position_at_end(after)
    for k, place in enumerate(kept):
        lanes.store(builder.load(place), lanes.at(state, k * LANES))
    return builder.load(alive)


@intrinsic
def blend_block(typing, state, block, mask, batch, alpha_max):  # type: ignore[no-untyped-def]
    """Add the splats batch[j], j the set bits of `mask`, to a block of the tile. False once all its pixels stopped."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        return _forward(context, builder, sig, args, (RED, GREEN, BLUE))

    return types.boolean(state, types.uint64, types.uint64, batch, _float), codegen


@intrinsic
def blend_block_depth(typing, state, block, mask, batch, alpha_max):  # type: ignore[no-untyped-def]
    """:func:`blend_block` with the depth as a fourth channel."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        return _forward(context, builder, sig, args, (RED, GREEN, BLUE, DEPTH))

    return types.boolean(state, types.uint64, types.uint64, batch, _float), codegen


@intrinsic
def unblend_block(typing, state, block, batch, j, left, top, alpha_max, sums):  # type: ignore[no-untyped-def]
    """Walk splat batch[j] over the block again, front to back, and add its gradients to `sums` (SUMS x SUM_LANES).

    (left, top): the tile's first pixel. dL/dalpha = T (c . g) - S / (1 - alpha); u = alpha dL/dalpha, zero where the
    alpha cap was active (gsplat 1.5.3, RasterizeToPixels3DGSBwd.cu:193-243).
    """

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        block = _Block(builder, args[1])
        lanes = block.lanes
        offset = builder.mul(args[1], ir.Constant(INT64, BACKWARD_STRIDE))
        state = pointer_to(context, builder, sig.args[0], args[0], offset)
        record = builder.mul(args[3], ir.Constant(INT64, RECORD))
        splat = pointer_to(context, builder, sig.args[2], args[2], record)
        out = pointer_to(context, builder, sig.args[7], args[7], ir.Constant(INT64, 0))
        alpha_max = lanes.splat(args[6])
        dx = builder.fadd(block.x, builder.fsub(lanes.splat(args[4]), block.field(splat, X)))
        dy = builder.fadd(block.y, builder.fsub(lanes.splat(args[5]), block.field(splat, Y)))
        t = lanes.load(state)
        uncapped, alpha = block.alpha(splat, alpha_max)
        next_t, takes = block.passed(t, alpha)
        nothing = lanes.const(0.0)
        lanes.store(builder.select(takes, next_t, nothing), state)
        alpha = builder.select(takes, alpha, nothing)
        weight, rest = builder.fmul(alpha, t), builder.fsub(lanes.const(1.0), alpha)
        g0, g1, g2 = (lanes.load(lanes.at(state, k * LANES)) for k in (2, 3, 4))
        red, green, blue = (block.field(splat, column) for column in (RED, GREEN, BLUE))
        shade = lanes.fma(red, g0, lanes.fma(green, g1, builder.fmul(blue, g2)))
        behind_at = lanes.at(state, LANES)
        behind = lanes.fma(lanes.neg(weight), shade, lanes.load(behind_at))
        lanes.store(behind, behind_at)
        u = builder.fmul(builder.fsub(builder.fmul(t, shade), builder.fdiv(behind, rest)), alpha)
        u = builder.select(builder.fcmp_ordered("<=", uncapped, alpha_max), u, nothing)
        # dx is the same in the upper and the lower two rows of the block, so those are added before anything else.
        half = Lanes(builder, SUM_LANES)
        (u0, u1), (y0, y1), (w0, w1) = lanes.halves(u), lanes.halves(dy), lanes.halves(weight)
        x = lanes.halves(dx)[0]
        uy0, uy1 = builder.fmul(u0, y0), builder.fmul(u1, y1)
        sum_u, sum_uy = builder.fadd(u0, u1), builder.fadd(uy0, uy1)
        sum_ux = builder.fmul(sum_u, x)
        terms = [sum_u, sum_ux, sum_uy, builder.fmul(sum_ux, x), builder.fmul(sum_uy, x)]
        terms.append(half.fma(uy0, y0, builder.fmul(uy1, y1)))
        for g in (g0, g1, g2):
            low, high = lanes.halves(g)
            terms.append(half.fma(w0, low, builder.fmul(w1, high)))
        for k, term in enumerate(terms):
            place = half.at(out, k * SUM_LANES)
            half.store(builder.fadd(half.load(place), term), place)
        return context.get_dummy_value()

    return types.void(state, types.uint64, batch, types.uint64, _float, _float, _float, sums), codegen


@intrinsic
def store_sums(typing, sums, out, start):  # type: ignore[no-untyped-def]
    """out[start : start + SUMS] = the lane totals of `sums`, which becomes zero."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        lanes, four = Lanes(builder, SUM_LANES), Lanes(builder, 4)
        source = pointer_to(context, builder, sig.args[0], args[0], ir.Constant(INT64, 0))
        target = pointer_to(context, builder, sig.args[1], args[1], args[2])
        v = [lanes.load(lanes.at(source, k * SUM_LANES)) for k in range(SUMS)]
        four.store(lanes.total4(v[0:4]), lanes.at(target, 0))
        four.store(lanes.total4(v[4:8]), lanes.at(target, 4))
        for k in range(SUMS):
            lanes.store(lanes.const(0.0), lanes.at(source, k * SUM_LANES))
        last = builder.extract_element(lanes.total4([v[8]] * 4), ir.Constant(INT32, 0))
        builder.store(last, lanes.at(target, 8))
        return context.get_dummy_value()

    return types.void(sums, out, types.uint64), codegen
