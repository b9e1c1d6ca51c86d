# SPDX-License-Identifier: GPL-3.0-or-later
"""Functions that the C library has only for one number at a time, as polynomials: loops over them become vectors.

float32; the errors are measured over the whole range (tests/engine/test_rasterize_vector_math.py).
"""

from __future__ import annotations

import math

import numpy as np

from .compiled import inlined
from .vector_ir import float_from_bits

f4 = np.float32
i4 = np.int32
ZERO, ONE, HALF = f4(0), f4(1), f4(0.5)

_LOG2_E = f4(1.4426950408889634)
_MANTISSA_BITS, _EXPONENT_BIAS = i4(23), i4(127)
_SMALLEST_EXPONENT = f4(-126)
# 2^x - 1/2 <= x <= 1/2, relative error 2e-9 before rounding; highest power first, like the others.
_E6, _E5, _E4, _E3, _E2, _E1, _E0 = (
    f4(k) for k in (1.534832728e-4, 1.339990642e-3, 9.618479987e-3, 5.550328872e-2, 2.402264696e-1, 6.931472057e-1, 1.0)
)
# log(1 + x) / x on 0..1, 3e-8
_L8, _L7, _L6, _L5, _L4, _L3, _L2, _L1, _L0 = (
    f4(k)
    for k in (
        5.232853004e-3, -2.950591318e-2, 7.822710563e-2, -1.366334744e-1, 1.910605571e-1, -2.484299483e-1,
        3.331909838e-1, -4.999949321e-1, 9.999999699e-1,
    )
)  # fmt: skip
# x^4.8 where x = sqrt((v + 0.055) / 1.055) of 0.04045 <= v <= 1, absolute error 8e-9
_D7, _D6, _D5, _D4, _D3, _D2, _D1, _D0 = (
    f4(k)
    for k in (
        9.730004092e-3, -7.952556335e-2, 8.917540368e-1, 2.261280684e-1, -5.968095773e-2, 1.332524764e-2,
        -1.845411434e-3, 1.145831321e-4,
    )
)  # fmt: skip
_LINEAR_END, _LINEAR_SLOPE, _OFFSET, _SCALE = f4(0.04045), f4(1 / 12.92), f4(0.055), f4(1 / 1.055)


@inlined
def softplus(x):  # type: ignore[no-untyped-def]
    """log(1 + e^x); relative error 1e-6 at most for x >= -16, 4e-6 down to -80."""
    y = max(-abs(x) * _LOG2_E, _SMALLEST_EXPONENT)
    whole = i4(y - HALF)  # cut towards zero: the nearest, as y <= 0
    part = y - f4(whole)
    p = ((((((_E6 * part + _E5) * part + _E4) * part + _E3) * part) + _E2) * part + _E1) * part + _E0
    e = p * float_from_bits((whole + _EXPONENT_BIAS) << _MANTISSA_BITS)
    p = (((((((_L8 * e + _L7) * e + _L6) * e + _L5) * e + _L4) * e + _L3) * e + _L2) * e + _L1) * e + _L0
    return max(x, ZERO) + e * p


@inlined
def srgb_decoded(value):  # type: ignore[no-untyped-def]
    """colour.srgb_to_linear of a value in 0..1, error 6e-7 at most."""
    x = math.sqrt((value + _OFFSET) * _SCALE)
    p = ((((((_D7 * x + _D6) * x + _D5) * x + _D4) * x + _D3) * x + _D2) * x + _D1) * x + _D0
    return p if value > _LINEAR_END else value * _LINEAR_SLOPE
