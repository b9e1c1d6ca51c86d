# SPDX-License-Identifier: GPL-3.0-or-later
"""Vector arithmetic for LLVM IR that is written by hand: thin expressions over an llvmlite builder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils

FLOAT = ir.FloatType()
INT32 = ir.IntType(32)
INT64 = ir.IntType(64)

# 2^x on -1..0, degree 5, relative error 7e-8: enough for an error of 2e-6 after three squarings in float32.
_EXP2 = (9.387805264e-4, 9.188590691e-3, 5.527970246e-2, 2.401721813e-1, 6.931422516e-1, 9.999999251e-1)


class Lanes:
    """Vector expressions over an llvmlite builder."""

    def __init__(self, builder: Any, count: int) -> None:
        self.b = builder
        self.count = count
        self.floats = ir.VectorType(FLOAT, count)
        self.integers = ir.VectorType(INT32, count)

    def const(self, x: float) -> Any:
        return self.per_lane(lambda _: float(np.float32(x)))

    def per_lane(self, f: Callable[[int], float]) -> Any:
        return ir.Constant(self.floats, [ir.Constant(FLOAT, float(f(lane))) for lane in range(self.count)])

    def whole(self, x: int) -> Any:
        return ir.Constant(self.integers, [ir.Constant(INT32, x)] * self.count)

    def splat(self, x: Any) -> Any:
        undefined = ir.Constant(self.floats, ir.Undefined)
        first = self.b.insert_element(undefined, x, ir.Constant(INT32, 0))
        return self.b.shuffle_vector(first, undefined, self.whole(0))

    def bits(self, x: Any) -> Any:
        """The bits of floats as integers."""
        return self.b.bitcast(x, self.integers)

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

    def minimum(self, x: Any, y: Any) -> Any:
        """y where x is not a number."""
        return self.b.select(self.b.fcmp_ordered("<", x, y), x, y)

    def maximum(self, x: Any, y: Any) -> Any:
        """x where y is not a number."""
        return self.b.select(self.b.fcmp_ordered("<", x, y), y, x)

    def exp2_of_eighths(self, x: Any) -> Any:
        """2**(8 x) for -1 <= x <= 0, too large a number above, garbage below."""
        p = self.const(_EXP2[0])
        for k in _EXP2[1:]:
            p = self.fma(p, x, self.const(k))
        for _ in range(3):
            p = self.b.fmul(p, p)
        return p

    def any(self, mask: Any) -> Any:
        """Whether a lane of a comparison is true, as one bit."""
        bits = self.b.bitcast(mask, ir.IntType(self.count))
        return self.b.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(self.count), 0))

    def at(self, pointer: Any, offset: int) -> Any:
        return self.b.gep(pointer, [ir.Constant(INT64, offset)])

    def load(self, pointer: Any) -> Any:
        return self.b.load(self.b.bitcast(pointer, self.floats.as_pointer()), align=4)

    def store(self, value: Any, pointer: Any) -> None:
        self.b.store(value, self.b.bitcast(pointer, self.floats.as_pointer()), align=4)

    def shuffle(self, x: Any, y: Any, lanes: Sequence[int]) -> Any:
        return self.b.shuffle_vector(x, y, ir.Constant(ir.VectorType(INT32, len(lanes)), list(lanes)))

    def halves(self, x: Any) -> tuple[Any, Any]:
        middle = self.count // 2
        return self.shuffle(x, x, range(middle)), self.shuffle(x, x, range(middle, self.count))

    def total4(self, vectors: list[Any]) -> Any:
        """The lane totals of four 8-lane vectors as one 4-lane vector (horizontal adds on x86)."""

        def fold(x: Any, y: Any) -> Any:
            even, odd = [0, 2, 8, 10, 4, 6, 12, 14], [1, 3, 9, 11, 5, 7, 13, 15]
            return self.b.fadd(self.shuffle(x, y, even), self.shuffle(x, y, odd))

        low, high = self.halves(fold(fold(*vectors[:2]), fold(*vectors[2:])))
        return self.b.fadd(low, high)
