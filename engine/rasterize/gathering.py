# SPDX-License-Identifier: GPL-3.0-or-later
"""From the gradient sums that the tiles left behind to the gradient of every splat (Numba)."""

from __future__ import annotations

import numpy as np

from .binning import u8
from .blending_ir import SUMS
from .compiled import kernel
from .projection import HALF, ZERO
from .projection_gradient import conic, project_backward

_CHUNK = 64


@kernel
def gather(
    worker,
    workers,
    splat_start,
    slot_pair,
    pair_sums,
    record,
    means,
    quaternions,
    scales,
    opacities,
    cam,
    d_means,
    d_quaternions,
    d_scales,
    d_opacities,
    d_colors,
    d_means2d,
):  # type: ignore[no-untyped-def]
    """Sum the pairs of each drawn splat (always in the same order) and carry the sums to its parameters."""
    n = means.shape[0]
    begin, end = n * worker // workers, n * (worker + 1) // workers
    sums = np.empty((_CHUNK, SUMS), np.float32)
    screen = np.empty(5, np.float32)
    for start in range(begin, end, _CHUNK):
        stop = min(end, start + _CHUNK)
        # The pairs are scattered over memory. Adding up a chunk first, with nothing else to do in between, lets the
        # processor wait for many of them together.
        for i in range(start, stop):
            s = sums[i - start]
            for k in range(u8(SUMS)):
                s[k] = ZERO
            for slot in range(u8(splat_start[i]), u8(splat_start[i + 1])):
                pair = slot_pair[slot]
                if pair >= 0:
                    for k in range(u8(SUMS)):
                        s[k] += pair_sums[u8(pair) * u8(SUMS) + k]
        for i in range(start, stop):
            if splat_start[i] == splat_start[i + 1]:
                continue
            s = sums[i - start]
            a, b, c = conic(record, i)
            screen[0], screen[1] = a * s[1] + b * s[2], b * s[1] + c * s[2]
            screen[2], screen[3], screen[4] = -HALF * s[3], -s[4], -HALF * s[5]
            d_means2d[i, 0], d_means2d[i, 1] = screen[0], screen[1]
            d_opacities[i] = s[0] / opacities[i]
            d_colors[i, 0], d_colors[i, 1], d_colors[i, 2] = s[6], s[7], s[8]
            project_backward(i, screen, means, quaternions, scales, record, cam, d_means, d_quaternions, d_scales)
