# SPDX-License-Identifier: GPL-3.0-or-later
"""Small instructions that Numba has no words for, as LLVM IR."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .lanes import FLOAT, INT32, INT64, Lanes

LANES = 16
_float = types.float32


def pointer_to(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """Where element `index` of a contiguous array lies."""
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [index])


@intrinsic
def any_positive(typing, state, base):  # type: ignore[no-untyped-def]
    """Whether one of the 16 floats at `base` is > 0, i.e. a pixel of the block still takes splats."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        lanes = Lanes(builder, LANES)
        state = pointer_to(context, builder, sig.args[0], args[0], args[1])
        mask = builder.fcmp_ordered(">", lanes.load(state), lanes.const(0.0))
        return lanes.any(mask)

    return types.boolean(state, types.uint64), codegen


@intrinsic
def copy_record(typing, source, i, target, j):  # type: ignore[no-untyped-def]
    """target[j] = source[i] for rows of 16 floats."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        lanes = Lanes(builder, LANES)
        start, end = (builder.mul(args[k], ir.Constant(INT64, LANES)) for k in (1, 3))
        value = lanes.load(pointer_to(context, builder, sig.args[0], args[0], start))
        lanes.store(value, pointer_to(context, builder, sig.args[2], args[2], end))
        return context.get_dummy_value()

    return types.void(source, types.uint64, target, types.uint64), codegen


@intrinsic
def ellipse_rows(typing, top, y_right, reach, r_squared, q, to_blocks, left_shift, right_shift, low, high):  # type: ignore[no-untyped-def]
    """Bit mask (8 rows of 8) of the blocks between an ellipse's left and right edge, all rows at once.

    Row j covers the pixel rows top + 4j .. top + 4j + 3. At height y the edges are
    ``(+-sqrt(reach - r^2 y^2) - q y) to_blocks + shift``, in blocks, kept within low..high; the extremes lie at
    +-y_right or at the nearest pixel row to it.
    """

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        e = Lanes(builder, 8)
        tops, y_peak, reach_, r_squared_, q_, scale, left_at, right_at, low_, high_ = (e.splat(x) for x in args)
        first = builder.fadd(tops, e.per_lane(lambda j: 4.0 * j))
        last = builder.fadd(first, e.const(3.0))

        def edge(peak: Any, shift: Any, sign: float) -> Any:
            y = e.minimum(last, e.maximum(first, peak))
            square = e.fma(e.neg(builder.fmul(r_squared_, y)), y, reach_)
            root = builder.fmul(e.sqrt(e.maximum(e.const(0.0), square)), e.const(sign))
            x = e.fma(builder.fsub(root, builder.fmul(q_, y)), scale, shift)
            return builder.fptosi(e.minimum(e.maximum(low_, x), high_), e.integers)

        right, left = edge(y_peak, right_at, 1.0), edge(e.neg(y_peak), left_at, -1.0)
        ones = ir.Constant(e.integers, [ir.Constant(INT32, 1)] * 8)
        left = builder.select(builder.icmp_signed("<", left, right), left, right)
        bits = builder.sub(builder.shl(ones, right), builder.shl(ones, left))
        return builder.bitcast(builder.trunc(bits, ir.VectorType(ir.IntType(8), 8)), INT64)

    return types.uint64(*[_float] * 10), codegen


@intrinsic
def store_row(typing, planes, first, picture, start):  # type: ignore[no-untyped-def]
    """picture[start + 4 j + c] = planes[LANES c + first + j], j and c 0..3: four pixels, from planes to interleaved.

    planes and picture are contiguous arrays of the same type, whatever their shape.
    """

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        element = context.get_data_type(sig.args[0].dtype)
        source = pointer_to(context, builder, sig.args[0], args[0], args[1])
        target = pointer_to(context, builder, sig.args[2], args[2], args[3])
        four = ir.VectorType(element, 4).as_pointer()

        def joined(x: Any, y: Any) -> Any:
            count = x.type.count
            return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(INT32, 2 * count), list(range(2 * count))))

        planes = []
        for channel in range(4):
            place = builder.gep(source, [ir.Constant(INT64, channel * LANES)])
            planes.append(builder.load(builder.bitcast(place, four), align=1))
        whole = joined(joined(planes[0], planes[1]), joined(planes[2], planes[3]))
        order = ir.Constant(ir.VectorType(INT32, 16), [4 * channel + j for j in range(4) for channel in range(4)])
        pixels = builder.shuffle_vector(whole, whole, order)
        builder.store(pixels, builder.bitcast(target, pixels.type.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(planes, types.uint64, picture, types.uint64), codegen


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
def float_from_bits(typing, x):  # type: ignore[no-untyped-def]
    """The float32 that the bits of an int32 are."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        return builder.bitcast(args[0], FLOAT)

    return types.float32(types.int32), codegen


@intrinsic
def take_next(typing, counter):  # type: ignore[no-untyped-def]
    """Atomically fetch counter[0] and add one: how workers share a list of tiles."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        place = pointer_to(context, builder, sig.args[0], args[0], ir.Constant(INT64, 0))
        return builder.atomic_rmw("add", place, ir.Constant(INT64, 1), "monotonic")

    return types.int64(counter), codegen
