# SPDX-License-Identifier: GPL-3.0-or-later
"""The innermost blending kernels as explicit 16-lane LLVM IR.

One call handles one 4x4-pixel block of the tile for one splat. Writing the vectors out (instead of hoping for LLVM's
auto-vectoriser) keeps the speed the same over LLVM versions; ``<16 x float>`` legalises to one AVX-512, two AVX2, four
SSE or NEON registers. All arithmetic is plain IEEE apart from ``fmuladd``, which fuses where the CPU can.

State of a block (float32, 16 lanes each, lane = 4*row + column)::

    forward:  T | r | g | b (| depth)
    backward: T | S | dL/dr | dL/dg | dL/db

T is the transmittance in front of the next splat, stored negative once the pixel has stopped. S is what the splats
behind and the background still contribute to the loss.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .lanes import INT32, INT64, Lanes

LANES = 16
SUM_LANES = 8
"""The backward pass adds the two halves of a block before it accumulates."""
FORWARD_STRIDE = 4 * LANES
DEPTH_STRIDE = 5 * LANES
BACKWARD_STRIDE = 5 * LANES
SUMS = 9
"""Per-splat sums of the backward pass: u, u dx, u dy, u dx dx, u dx dy, u dy dy, w dL/dr, w dL/dg, w dL/db."""

LOG2_ALPHA_MIN = float(-np.log2(255.0))
"""log2 of the smallest alpha that is drawn, 1/255 (gsplat 1.5.3, RasterizeToPixels3DGSFwd.cu:148-151)."""
TRANSMITTANCE_STOP = 1e-4
"""A pixel stops before the splat that would bring T to this or below (RasterizeToPixels3DGSFwd.cu:153-157)."""

_float = types.float32


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [index])


def _alpha(lanes: Lanes, state: Any, corner: Any, values: list[Any]) -> tuple[Any, ...]:
    """Everything forward and backward share: dx, dy, T, uncapped alpha, alpha, 1 - alpha, w = alpha T, T to store."""
    b = lanes.b
    left, top, conic_a, conic_b, conic_c, log2_opacity, alpha_max = values
    # left + lane first: that part does not depend on the block and moves out of the loop over blocks.
    dx = b.fadd(lanes.splat(b.load(lanes.at(corner, 0))), b.fadd(lanes.per_lane(lambda k: k & 3), left))
    dy = b.fadd(lanes.splat(b.load(lanes.at(corner, 1))), b.fadd(lanes.per_lane(lambda k: k >> 2), top))
    across = lanes.fma(conic_a, dx, b.fmul(conic_b, dy))
    exponent = lanes.fma(lanes.neg(across), dx, lanes.fma(lanes.neg(b.fmul(conic_c, dy)), dy, log2_opacity))
    t = lanes.load(state)
    uncapped = lanes.exp2(exponent)
    seen = b.fcmp_ordered(">=", exponent, lanes.const(LOG2_ALPHA_MIN))
    alpha = b.select(seen, lanes.minimum(uncapped, alpha_max), lanes.const(0.0))
    # One comparison finds the pixels that stop now and those that have stopped (T < 0): an unfinished pixel has
    # T > 1e-4. No mask is combined with another, which would cost packing and unpacking on AVX2.
    t_next = b.fmul(t, b.fsub(lanes.const(1.0), alpha))
    stopped = b.fcmp_ordered("<=", t_next, lanes.const(TRANSMITTANCE_STOP))
    alpha = b.select(stopped, lanes.const(0.0), alpha)
    stored = b.select(stopped, lanes.negative(t), t_next)
    return dx, dy, t, uncapped, alpha, b.fsub(lanes.const(1.0), alpha), b.fmul(alpha, t), stored


def _block(context: Any, builder: Any, sig: Any, args: Any, stride: int) -> tuple[Any, Any]:
    """Pointers to the state of block args[2] and to its corner, from (state, corners, block, ...)."""
    state = _pointer(context, builder, sig.args[0], args[0], builder.mul(args[2], ir.Constant(INT64, stride)))
    corner = _pointer(context, builder, sig.args[1], args[1], builder.mul(args[2], ir.Constant(INT64, 2)))
    return state, corner


def _forward(context: Any, builder: Any, sig: Any, args: Any, channels: int) -> Any:
    lanes = Lanes(builder, LANES)
    state, corner = _block(context, builder, sig, args, (channels + 1) * LANES)
    values = [lanes.splat(x) for x in args[3:]]
    *_, weight, stored = _alpha(lanes, state, corner, values[:7])
    lanes.store(stored, state)
    # A stopped pixel has T < 0 and alpha 0: its weight is -0, which adds nothing.
    for k in range(channels):
        place = lanes.at(state, (k + 1) * LANES)
        lanes.store(lanes.fma(weight, values[7 + k], lanes.load(place)), place)
    return context.get_dummy_value()


@intrinsic
def blend_block(typing, state, corners, block, left, top, a, b, c, log2_opacity, alpha_max, red, green, blue):  # type: ignore[no-untyped-def]
    """Add one splat to a block of the tile.

    `corners` holds (x, y) of every block within the tile; (left, top) is the tile's first pixel minus the splat's
    centre; the conic (a, b, c) is scaled by log2 e.
    """

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        return _forward(context, builder, sig, args, 3)

    return types.void(state, corners, types.uint64, *[_float] * 10), codegen


@intrinsic
def blend_block_depth(typing, state, corners, block, left, top, a, b, c, log2_opacity, alpha_max, red, green, blue, z):  # type: ignore[no-untyped-def]
    """:func:`blend_block` with the depth as a fourth channel."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        return _forward(context, builder, sig, args, 4)

    return types.void(state, corners, types.uint64, *[_float] * 11), codegen


@intrinsic
def unblend_block(typing, state, corners, block, left, top, a, b, c, log2_opacity, alpha_max, red, green, blue, sums):  # type: ignore[no-untyped-def]
    """Walk one splat of the block again, front to back, and add its gradients to `sums` (SUMS x SUM_LANES).

    dL/dalpha = T (c . g) - S / (1 - alpha); u = alpha dL/dalpha, zero where the alpha cap was active
    (gsplat 1.5.3, RasterizeToPixels3DGSBwd.cu:193-243).
    """

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        lanes = Lanes(builder, LANES)
        state, corner = _block(context, builder, sig, args, BACKWARD_STRIDE)
        values = [lanes.splat(x) for x in args[3:13]]
        out = _pointer(context, builder, sig.args[13], args[13], ir.Constant(INT64, 0))
        dx, dy, t, uncapped, alpha, rest, weight, stored = _alpha(lanes, state, corner, values[:7])
        lanes.store(stored, state)
        g0, g1, g2 = (lanes.load(lanes.at(state, k * LANES)) for k in (2, 3, 4))
        shade = lanes.fma(values[7], g0, lanes.fma(values[8], g1, builder.fmul(values[9], g2)))
        behind_at = lanes.at(state, LANES)
        behind = lanes.fma(lanes.neg(weight), shade, lanes.load(behind_at))
        lanes.store(behind, behind_at)
        u = builder.fmul(builder.fsub(builder.fmul(t, shade), builder.fdiv(behind, rest)), alpha)
        u = builder.select(builder.fcmp_ordered("<=", uncapped, values[6]), u, lanes.const(0.0))
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

    return types.void(state, corners, types.uint64, *[_float] * 10, sums), codegen


@intrinsic
def store_sums(typing, sums, out, start):  # type: ignore[no-untyped-def]
    """out[start : start + SUMS] = the lane totals of `sums`, which becomes zero."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        lanes, four = Lanes(builder, SUM_LANES), Lanes(builder, 4)
        source = _pointer(context, builder, sig.args[0], args[0], ir.Constant(INT64, 0))
        target = _pointer(context, builder, sig.args[1], args[1], args[2])
        v = [lanes.load(lanes.at(source, k * SUM_LANES)) for k in range(SUMS)]
        four.store(lanes.total4(v[0:4]), lanes.at(target, 0))
        four.store(lanes.total4(v[4:8]), lanes.at(target, 4))
        for k in range(SUMS):
            lanes.store(lanes.const(0.0), lanes.at(source, k * SUM_LANES))
        last = builder.extract_element(lanes.total4([v[8]] * 4), ir.Constant(INT32, 0))
        builder.store(last, lanes.at(target, 8))
        return context.get_dummy_value()

    return types.void(sums, out, types.uint64), codegen


@intrinsic
def any_positive(typing, state, base):  # type: ignore[no-untyped-def]
    """Whether one of the 16 floats at `base` is > 0, i.e. a pixel of the block still takes splats."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        lanes = Lanes(builder, LANES)
        state = _pointer(context, builder, sig.args[0], args[0], args[1])
        mask = builder.fcmp_ordered(">", lanes.load(state), lanes.const(0.0))
        bits = builder.bitcast(mask, ir.IntType(LANES))
        return builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(LANES), 0))

    return types.boolean(state, types.uint64), codegen


@intrinsic
def copy_record(typing, source, i, target, j):  # type: ignore[no-untyped-def]
    """target[j] = source[i] for rows of 16 floats."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        lanes = Lanes(builder, LANES)
        start, end = (builder.mul(args[k], ir.Constant(INT64, LANES)) for k in (1, 3))
        value = lanes.load(_pointer(context, builder, sig.args[0], args[0], start))
        lanes.store(value, _pointer(context, builder, sig.args[2], args[2], end))
        return context.get_dummy_value()

    return types.void(source, types.uint64, target, types.uint64), codegen


@intrinsic
def ellipse_rows(typing, top, y_right, reach, disc, b, to_blocks, left_shift, right_shift, low, high):  # type: ignore[no-untyped-def]
    """Bit mask (8 rows of 8) of the blocks between an ellipse's left and right edge, all rows at once.

    Row j covers the pixel rows top + 4j .. top + 4j + 3. At height y the edges are
    ``(+-sqrt(reach - disc y^2) - b y) to_blocks + shift``, in blocks, kept within low..high; the extremes lie at
    +-y_right or at the nearest pixel row to it.
    """

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        e = Lanes(builder, 8)
        tops, y_peak, reach_, disc_, b_, scale, left_at, right_at, low_, high_ = (e.splat(x) for x in args)
        first = builder.fadd(tops, e.per_lane(lambda j: 4.0 * j))
        last = builder.fadd(first, e.const(3.0))

        def edge(peak: Any, shift: Any, sign: float) -> Any:
            y = e.minimum(last, e.maximum(first, peak))
            square = e.fma(e.neg(builder.fmul(disc_, y)), y, reach_)
            root = builder.fmul(e.sqrt(e.maximum(e.const(0.0), square)), e.const(sign))
            x = e.fma(builder.fsub(root, builder.fmul(b_, y)), scale, shift)
            return builder.fptosi(e.minimum(e.maximum(low_, x), high_), e.integers)

        right, left = edge(y_peak, right_at, 1.0), edge(e.neg(y_peak), left_at, -1.0)
        ones = ir.Constant(e.integers, [ir.Constant(INT32, 1)] * 8)
        left = builder.select(builder.icmp_signed("<", left, right), left, right)
        bits = builder.sub(builder.shl(ones, right), builder.shl(ones, left))
        return builder.bitcast(builder.trunc(bits, ir.VectorType(ir.IntType(8), 8)), INT64)

    return types.uint64(*[_float] * 10), codegen


@intrinsic
def trailing_zeros(typing, x):  # type: ignore[no-untyped-def]
    """Index of the lowest set bit of a non-zero uint64."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), codegen


@intrinsic
def float_bits(typing, x):  # type: ignore[no-untyped-def]
    """The bits of a float32 as int32."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        return builder.bitcast(args[0], INT32)

    return types.int32(types.float32), codegen


@intrinsic
def take_next(typing, counter):  # type: ignore[no-untyped-def]
    """Atomically fetch counter[0] and add one: how workers share a list of tiles."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        place = _pointer(context, builder, sig.args[0], args[0], ir.Constant(INT64, 0))
        return builder.atomic_rmw("add", place, ir.Constant(INT64, 1), "monotonic")

    return types.int64(counter), codegen
