# SPDX-License-Identifier: GPL-3.0-or-later
"""Depth order: a stable radix sort of the float bits of z (Numba).

Positive floats order like their bits; ties keep the splats' own order (gsplat 1.5.3, IntersectTile.cu:98-113).
"""

from __future__ import annotations

import numpy as np

from .compiled import kernel
from .projection import NOT_DRAWN

_DIGIT_BITS = 11


@kernel
def depth_sort(keys, order, scratch_keys, scratch_order, spare_keys):  # type: ignore[no-untyped-def]
    """Write the indices of the drawn splats, nearest first, into `order`; return how many there are.

    All arrays are int32 [N]; the scratch ones are overwritten. Two or three passes are enough in practice, because only
    the range of depths that occurs is sorted.
    """
    count = 0
    low = np.int32(0x7FFFFFFF)
    high = np.int32(0)
    for i in range(keys.shape[0]):
        key = keys[i]
        if key != NOT_DRAWN:
            spare_keys[count] = key
            order[count] = i
            count += 1
            low = min(low, key)
            high = max(high, key)
    if count == 0:
        return 0
    bits = 1
    while ((high - low) >> bits) > 0:
        bits += 1
    passes = (bits + _DIGIT_BITS - 1) // _DIGIT_BITS
    digit = (bits + passes - 1) // passes
    mask = (1 << digit) - 1
    starts = np.empty((1 << digit) + 1, np.int32)
    keys_from, keys_to, order_from, order_to = spare_keys, scratch_keys, order, scratch_order
    for p in range(passes):
        shift = p * digit
        starts[:] = 0
        for i in range(count):
            starts[(((keys_from[i] - low) >> shift) & mask) + 1] += 1
        for d in range(mask + 1):
            starts[d + 1] += starts[d]
        for i in range(count):
            d = ((keys_from[i] - low) >> shift) & mask
            place = starts[d]
            starts[d] = place + 1
            keys_to[place] = keys_from[i]
            order_to[place] = order_from[i]
        keys_from, keys_to = keys_to, keys_from
        order_from, order_to = order_to, order_from
    if passes % 2 == 1:
        for i in range(count):
            order[i] = scratch_order[i]
    return count
