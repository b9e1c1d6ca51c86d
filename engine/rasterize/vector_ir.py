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

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16
FORWARD_STRIDE = 4 * LANES
DEPTH_STRIDE = 5 * LANES
BACKWARD_STRIDE = 5 * LANES
SUMS = 9
"""Per-splat sums of the backward pass: u, u dx, u dy, u dx dx, u dx dy, u dy dy, w dL/dr, w dL/dg, w dL/db."""

LOG2_ALPHA_MIN = float(-np.log2(255.0))
"""log2 of the smallest alpha that is drawn, 1/255 (gsplat 1.5.3, RasterizeToPixels3DGSFwd.cu:148-151)."""
TRANSMITTANCE_STOP = 1e-4
"""A pixel stops before the splat that would bring T to this or below (RasterizeToPixels3DGSFwd.cu:153-157)."""

_F32 = ir.FloatType()
_I32 = ir.IntType(32)
_I64 = ir.IntType(64)
_float = types.float32

# 2^f on [-1/2, 1/2], degree 5, relative error about 1e-7.
_EXP2 = (1.32764720e-3, 9.67151672e-3, 5.55071327e-2, 2.40222257e-1, 6.93147187e-1, 1.0)
_ROUND = 12582912.0  # 1.5 * 2^23: adding it leaves the nearest integer in the low mantissa bits


class _Lanes:
    """Vector expressions over an llvmlite builder."""

    def __init__(self, builder: Any, count: int = LANES) -> None:
        self.b = builder
        self.count = count
        self.floats = ir.VectorType(_F32, count)
        self.integers = ir.VectorType(_I32, count)

    def const(self, x: float) -> Any:
        return self.per_lane(lambda _: float(np.float32(x)))

    def per_lane(self, f: Callable[[int], float]) -> Any:
        return ir.Constant(self.floats, [ir.Constant(_F32, float(f(lane))) for lane in range(self.count)])

    def _integer(self, x: int) -> Any:
        return ir.Constant(self.integers, [ir.Constant(_I32, x)] * self.count)

    def splat(self, x: Any) -> Any:
        undefined = ir.Constant(self.floats, ir.Undefined)
        first = self.b.insert_element(undefined, x, ir.Constant(_I32, 0))
        return self.b.shuffle_vector(first, undefined, self._integer(0))

    def _call(self, name: str, *args: Any) -> Any:
        kind = ir.FunctionType(self.floats, [self.floats] * len(args))
        name = f"llvm.{name}.v{self.count}f32"
        return self.b.call(cgutils.get_or_insert_function(self.b.module, kind, name), args)

    def fma(self, x: Any, y: Any, z: Any) -> Any:
        return self._call("fmuladd", x, y, z)

    def sqrt(self, x: Any) -> Any:
        return self._call("sqrt", x)

    def neg(self, x: Any) -> Any:
        return self.b.fsub(self.const(-0.0), x)

    def negative(self, x: Any) -> Any:
        """-abs(x)"""
        return self.b.bitcast(self.b.or_(self.b.bitcast(x, self.integers), self._integer(-(1 << 31))), self.floats)

    def minimum(self, x: Any, y: Any) -> Any:
        """y where x is not a number."""
        return self.b.select(self.b.fcmp_ordered("<", x, y), x, y)

    def maximum(self, x: Any, y: Any) -> Any:
        """x where y is not a number."""
        return self.b.select(self.b.fcmp_ordered("<", x, y), y, x)

    def exp2(self, x: Any) -> Any:
        """2**x for |x| < 2**22; anything outside is garbage that the caller masks."""
        b = self.b
        shifted = b.fadd(x, self.const(_ROUND))
        fraction = b.fsub(x, b.fsub(shifted, self.const(_ROUND)))
        p = self.const(_EXP2[0])
        for k in _EXP2[1:]:
            p = self.fma(p, fraction, self.const(k))
        exponent = b.shl(b.bitcast(shifted, self.integers), self._integer(23))
        return b.bitcast(b.add(b.bitcast(p, self.integers), exponent), self.floats)

    def at(self, pointer: Any, offset: int) -> Any:
        return self.b.gep(pointer, [ir.Constant(_I64, offset)])

    def load(self, pointer: Any) -> Any:
        return self.b.load(self.b.bitcast(pointer, self.floats.as_pointer()), align=4)

    def store(self, value: Any, pointer: Any) -> None:
        self.b.store(value, self.b.bitcast(pointer, self.floats.as_pointer()), align=4)

    def total(self, v: Any) -> Any:
        """Sum of the lanes, halving the vector four times."""
        n = self.count
        while n > 1:
            n //= 2
            undefined = ir.Constant(v.type, ir.Undefined)
            low, high = (
                self.b.shuffle_vector(v, undefined, ir.Constant(ir.VectorType(_I32, n), list(range(o, o + n))))
                for o in (0, n)
            )
            v = self.b.fadd(low, high)
        return self.b.extract_element(v, ir.Constant(_I32, 0))


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [index])


def _alpha(lanes: _Lanes, state: Any, corner: Any, values: list[Any]) -> tuple[Any, ...]:
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
    state = _pointer(context, builder, sig.args[0], args[0], builder.mul(args[2], ir.Constant(_I64, stride)))
    corner = _pointer(context, builder, sig.args[1], args[1], builder.mul(args[2], ir.Constant(_I64, 2)))
    return state, corner


def _forward(context: Any, builder: Any, sig: Any, args: Any, channels: int) -> Any:
    lanes = _Lanes(builder)
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
    """Walk one splat of the block again, front to back, and add its gradients to `sums` (SUMS x 16 lanes).

    dL/dalpha = T (c . g) - S / (1 - alpha); u = alpha dL/dalpha, zero where the alpha cap was active
    (gsplat 1.5.3, RasterizeToPixels3DGSBwd.cu:193-243).
    """

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        lanes = _Lanes(builder)
        state, corner = _block(context, builder, sig, args, BACKWARD_STRIDE)
        values = [lanes.splat(x) for x in args[3:13]]
        out = _pointer(context, builder, sig.args[13], args[13], ir.Constant(_I64, 0))
        dx, dy, t, uncapped, alpha, rest, weight, stored = _alpha(lanes, state, corner, values[:7])
        lanes.store(stored, state)
        g0, g1, g2 = (lanes.load(lanes.at(state, k * LANES)) for k in (2, 3, 4))
        shade = lanes.fma(values[7], g0, lanes.fma(values[8], g1, builder.fmul(values[9], g2)))
        behind_at = lanes.at(state, LANES)
        behind = lanes.fma(lanes.neg(weight), shade, lanes.load(behind_at))
        lanes.store(behind, behind_at)
        u = builder.fmul(builder.fsub(builder.fmul(t, shade), builder.fdiv(behind, rest)), alpha)
        u = builder.select(builder.fcmp_ordered("<=", uncapped, values[6]), u, lanes.const(0.0))
        ux, uy = builder.fmul(u, dx), builder.fmul(u, dy)
        terms = (
            (u, None),
            (ux, None),
            (uy, None),
            (ux, dx),
            (ux, dy),
            (uy, dy),
            (weight, g0),
            (weight, g1),
            (weight, g2),
        )
        for k, (x, y) in enumerate(terms):
            place = lanes.at(out, k * LANES)
            old = lanes.load(place)
            lanes.store(builder.fadd(old, x) if y is None else lanes.fma(x, y, old), place)
        return context.get_dummy_value()

    return types.void(state, corners, types.uint64, *[_float] * 10, sums), codegen


@intrinsic
def store_sums(typing, sums, out, start):  # type: ignore[no-untyped-def]
    """out[start : start + SUMS] = the lane totals of `sums`."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        lanes = _Lanes(builder)
        source = _pointer(context, builder, sig.args[0], args[0], ir.Constant(_I64, 0))
        target = _pointer(context, builder, sig.args[1], args[1], args[2])
        for k in range(SUMS):
            builder.store(lanes.total(lanes.load(lanes.at(source, k * LANES))), lanes.at(target, k))
        return context.get_dummy_value()

    return types.void(sums, out, types.uint64), codegen


@intrinsic
def any_positive(typing, state, base):  # type: ignore[no-untyped-def]
    """Whether one of the 16 floats at `base` is > 0, i.e. a pixel of the block still takes splats."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        lanes = _Lanes(builder)
        state = _pointer(context, builder, sig.args[0], args[0], args[1])
        mask = builder.fcmp_ordered(">", lanes.load(state), lanes.const(0.0))
        bits = builder.bitcast(mask, ir.IntType(LANES))
        return builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(LANES), 0))

    return types.boolean(state, types.uint64), codegen


@intrinsic
def copy_record(typing, source, i, target, j):  # type: ignore[no-untyped-def]
    """target[j] = source[i] for rows of 16 floats."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        lanes = _Lanes(builder)
        start, end = (builder.mul(args[k], ir.Constant(_I64, LANES)) for k in (1, 3))
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
        e = _Lanes(builder, 8)
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
        ones = ir.Constant(e.integers, [ir.Constant(_I32, 1)] * 8)
        left = builder.select(builder.icmp_signed("<", left, right), left, right)
        bits = builder.sub(builder.shl(ones, right), builder.shl(ones, left))
        return builder.bitcast(builder.trunc(bits, ir.VectorType(ir.IntType(8), 8)), _I64)

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
        return builder.bitcast(args[0], _I32)

    return types.int32(types.float32), codegen


@intrinsic
def take_next(typing, counter):  # type: ignore[no-untyped-def]
    """Atomically fetch counter[0] and add one: how workers share a list of tiles."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        place = _pointer(context, builder, sig.args[0], args[0], ir.Constant(_I64, 0))
        return builder.atomic_rmw("add", place, ir.Constant(_I64, 1), "monotonic")

    return types.int64(counter), codegen
