# SPDX-License-Identifier: GPL-3.0-or-later
"""The posing loop in Numba: blocks of 32 Gaussians, float32, without the GIL.

Plain nogil functions on a thread pool rather than parallel=True: the latter's thread layers do not bear being called
from several threads of a host application. The readable statement of the maths is posing.pose_reference.
"""

from __future__ import annotations

import math

import numpy as np

from ..rasterize.compiled import kernel
from ..rasterize.splat_rows import BLOCK, COLOR, LOG_OPACITY, MEAN, QUATERNION, SCALE, u8
from ..rasterize.splat_rows import ROWS as SCREEN_END
from ..rasterize.vector_math import softplus
from .sh import C0 as _C0
from .sh import C1 as _C1
from .sh import C2 as _C2

F = np.float32
C0, C1 = F(_C0), F(_C1)
C20, C21, C22, C23 = F(_C2[0]), F(_C2[1]), F(_C2[2]), F(_C2[3])
ZERO, HALF, ONE, TWO, TINY = F(0), F(0.5), F(1), F(2), F(1e-24)

# What is known of a Gaussian before any motion: rows of a block, like those of splat_rows.
REST_MEAN, REST_QUATERNION, REST_SCALE, REST_WEIGHT, REST_LOG_OPACITY, REST_SH = 0, 3, 7, 10, 11, 12
# Rows of a block of splats that hold the motion of its Gaussians and what posing keeps in between.
OFFSET = SCREEN_END  # 10 rows: d_mu 3, d_q 4, d_s 3
DIRECTION = OFFSET + 10  # 3 rows
ROWS = DIRECTION + 3

COMMON = 28
"""R row by row 9, t 3, pivot 3, camera 3, camera in the head 3, q_R 4, shift of what does not follow the head 3."""


@kernel
def pose_block(rest, base, coefficients, common, rows):  # type: ignore[no-untyped-def]
    """The splat rows of a block from its offsets; see posing.pose_reference for the maths.

    rest: flat rows of the Gaussian's own numbers, the block's start at `base`; coefficients: rows of SH, 3, 12 or 27.
    """
    b = u8(BLOCK)
    at = u8(base)
    r00, r01, r02, r10, r11, r12, r20, r21, r22 = (
        common[0], common[1], common[2], common[3], common[4], common[5], common[6], common[7], common[8],
    )  # fmt: skip
    px, py, pz = common[12], common[13], common[14]
    tx, ty, tz = px + common[9], py + common[10], pz + common[11]
    cx, cy, cz = common[15], common[16], common[17]
    hx, hy, hz = common[18], common[19], common[20]
    turn_w, turn_x, turn_y, turn_z = common[21], common[22], common[23], common[24]
    shift_x, shift_y, shift_z = common[25], common[26], common[27]

    for i in range(b):
        w = rest[at + b * u8(REST_WEIGHT) + i]
        v = ONE - w
        x = rest[at + b * u8(REST_MEAN) + i] + (rows[b * u8(OFFSET) + i] + v * shift_x)
        y = rest[at + b * u8(REST_MEAN + 1) + i] + (rows[b * u8(OFFSET + 1) + i] + v * shift_y)
        z = rest[at + b * u8(REST_MEAN + 2) + i] + (rows[b * u8(OFFSET + 2) + i] + v * shift_z)

        dx = x - (v * cx + w * hx)
        dy = y - (v * cy + w * hy)
        dz = z - (v * cz + w * hz)
        length = ONE / math.sqrt(max(dx * dx + dy * dy + dz * dz, TINY))
        rows[b * u8(DIRECTION) + i] = dx * length
        rows[b * u8(DIRECTION + 1) + i] = dy * length
        rows[b * u8(DIRECTION + 2) + i] = dz * length

        mx, my, mz = x - px, y - py, z - pz
        rows[b * u8(MEAN) + i] = v * x + w * (r00 * mx + r01 * my + r02 * mz + tx)
        rows[b * u8(MEAN + 1) + i] = v * y + w * (r10 * mx + r11 * my + r12 * mz + ty)
        rows[b * u8(MEAN + 2) + i] = v * z + w * (r20 * mx + r21 * my + r22 * mz + tz)

        bw = rest[at + b * u8(REST_QUATERNION) + i] + rows[b * u8(OFFSET + 3) + i]
        bx = rest[at + b * u8(REST_QUATERNION + 1) + i] + rows[b * u8(OFFSET + 4) + i]
        by = rest[at + b * u8(REST_QUATERNION + 2) + i] + rows[b * u8(OFFSET + 5) + i]
        bz = rest[at + b * u8(REST_QUATERNION + 3) + i] + rows[b * u8(OFFSET + 6) + i]
        aw, ax, ay, az = v + w * turn_w, w * turn_x, w * turn_y, w * turn_z
        scale = ONE / math.sqrt(
            max((aw * aw + ax * ax + ay * ay + az * az) * (bw * bw + bx * bx + by * by + bz * bz), TINY)
        )
        rows[b * u8(QUATERNION) + i] = scale * (aw * bw - ax * bx - ay * by - az * bz)
        rows[b * u8(QUATERNION + 1) + i] = scale * (aw * bx + ax * bw + ay * bz - az * by)
        rows[b * u8(QUATERNION + 2) + i] = scale * (aw * by - ax * bz + ay * bw + az * bx)
        rows[b * u8(QUATERNION + 3) + i] = scale * (aw * bz + ax * by - ay * bx + az * bw)
        rows[b * u8(LOG_OPACITY) + i] = rest[at + b * u8(REST_LOG_OPACITY) + i]

    for k in range(u8(3)):
        for i in range(b):
            rows[b * (u8(SCALE) + k) + i] = softplus(
                rest[at + b * (u8(REST_SCALE) + k) + i] + rows[b * (u8(OFFSET + 7) + k) + i]
            )

    for k in range(u8(3)):
        sh = at + b * (u8(REST_SH) + k)
        if coefficients == 3:
            for i in range(b):
                rows[b * (u8(COLOR) + k) + i] = max(HALF + C0 * rest[sh + i], ZERO)
        else:
            second = coefficients >= 27
            for i in range(b):
                x, y, z = rows[b * u8(DIRECTION) + i], rows[b * u8(DIRECTION + 1) + i], rows[b * u8(DIRECTION + 2) + i]
                value = HALF + C0 * rest[sh + i]
                value += C1 * (
                    z * rest[sh + b * u8(6) + i] - y * rest[sh + b * u8(3) + i] - x * rest[sh + b * u8(9) + i]
                )
                if second:
                    value += C23 * (TWO * x * y) * rest[sh + b * u8(12) + i] - C20 * (y * z) * rest[sh + b * u8(15) + i]
                    value += (C21 * (z * z) - C22) * rest[sh + b * u8(18) + i]
                    value -= C20 * (x * z) * rest[sh + b * u8(21) + i]
                    value += C23 * (x * x - y * y) * rest[sh + b * u8(24) + i]
                rows[b * (u8(COLOR) + k) + i] = max(value, ZERO)


@kernel
def pose_rows(
    start,  # first Gaussian
    stop,  # one past the last
    means,  # [N,3]
    raw_scales,  # [N,3]
    quaternions,  # [N,4]
    sh,  # [N,3K] coefficient by coefficient, each red, green, blue
    head_weights,  # [N]
    offsets,  # [N,3] or [N,10]
    common,  # [COMMON]
    out_means,  # [N,3]
    out_quaternions,  # [N,4]
    out_scales,  # [N,3]
    out_colors,  # [N,3]
):  # type: ignore[no-untyped-def]
    """Writes rows start..stop of the four outputs."""
    b = u8(BLOCK)
    coefficients, deformed = sh.shape[1], offsets.shape[1]
    rest = np.zeros((REST_SH + coefficients) * BLOCK, np.float32)
    rows = np.zeros(ROWS * BLOCK, np.float32)
    for first in range(start, stop, BLOCK):
        count = u8(min(BLOCK, stop - first))
        for i in range(count):
            g = u8(first) + i
            for k in range(u8(3)):
                rest[b * (u8(REST_MEAN) + k) + i] = means[g, k]
                rest[b * (u8(REST_SCALE) + k) + i] = raw_scales[g, k]
            for k in range(u8(4)):
                rest[b * (u8(REST_QUATERNION) + k) + i] = quaternions[g, k]
            rest[b * u8(REST_WEIGHT) + i] = head_weights[g]
            for k in range(u8(coefficients)):
                rest[b * (u8(REST_SH) + k) + i] = sh[g, k]
            for k in range(u8(deformed)):
                rows[b * (u8(OFFSET) + k) + i] = offsets[g, k]
        pose_block(rest, 0, coefficients, common, rows)
        for i in range(count):
            g = u8(first) + i
            for k in range(u8(3)):
                out_means[g, k] = rows[b * (u8(MEAN) + k) + i]
                out_scales[g, k] = rows[b * (u8(SCALE) + k) + i]
                out_colors[g, k] = rows[b * (u8(COLOR) + k) + i]
            for k in range(u8(4)):
                out_quaternions[g, k] = rows[b * (u8(QUATERNION) + k) + i]
