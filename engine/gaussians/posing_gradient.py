# SPDX-License-Identifier: GPL-3.0-or-later
"""The gradient of the posing loop in Numba: twin of posing_kernel.pose_rows, for training on a CPU.

A step of training poses tens of thousands of Gaussians; as single torch operations that costs more than drawing them.
"""

from __future__ import annotations

import math

from ..rasterize.compiled import kernel
from .posing_kernel import C0, C1, C20, C21, C22, C23, HALF, ONE, TINY, TWO, ZERO


@kernel
def pose_gradient_rows(
    start,  # first Gaussian
    stop,  # one past the last
    means,  # [N,3]
    raw_scales,  # [N,3]
    quaternions,  # [N,4]
    opacities,  # [N] activated
    sh,  # [N,3K] coefficient by coefficient, each red, green, blue
    head_weights,  # [N]
    offsets,  # [N,3] or [N,10]
    common,  # [COMMON] as in posing_kernel.pose_rows
    d_means,  # [N,3] dLoss/d(posed means), and so on
    d_quaternions,  # [N,4]
    d_scales,  # [N,3]
    d_opacities,  # [N]
    d_colors,  # [N,3]
    out,  # [N,10] dLoss/d(offsets), which is also that of means, quaternions and raw scales
    out_opacities,  # [N] dLoss/d(raw opacities)
    out_sh,  # [N,3K]
):  # type: ignore[no-untyped-def]
    """Writes rows start..stop of the three outputs."""
    deformed = offsets.shape[1] == 10
    coefficients = sh.shape[1]
    r00, r01, r02, r10, r11, r12, r20, r21, r22 = (
        common[0], common[1], common[2], common[3], common[4], common[5], common[6], common[7], common[8],
    )  # fmt: skip
    cx, cy, cz = common[15], common[16], common[17]
    hx, hy, hz = common[18], common[19], common[20]
    turn_w, turn_x, turn_y, turn_z = common[21], common[22], common[23], common[24]

    for i in range(start, stop):
        w = head_weights[i]
        v = ONE - w
        x = means[i, 0] + offsets[i, 0] - (v * cx + w * hx)
        y = means[i, 1] + offsets[i, 1] - (v * cy + w * hy)
        z = means[i, 2] + offsets[i, 2] - (v * cz + w * hz)
        inverse = ONE / math.sqrt(max(x * x + y * y + z * z, TINY))
        x *= inverse
        y *= inverse
        z *= inverse

        # dLoss/d(direction), summed over the colour channels that are not clamped at black
        gx, gy, gz = ZERO, ZERO, ZERO
        b1, b2, b3 = -C1 * y, C1 * z, -C1 * x
        b4, b5, b6 = C23 * (TWO * x * y), -C20 * (y * z), C21 * (z * z) - C22
        b7, b8 = -C20 * (x * z), C23 * (x * x - y * y)
        for k in range(3):
            value = HALF + C0 * sh[i, k]
            if coefficients >= 12:
                value += b1 * sh[i, 3 + k] + b2 * sh[i, 6 + k] + b3 * sh[i, 9 + k]
            if coefficients >= 27:
                value += b4 * sh[i, 12 + k] + b5 * sh[i, 15 + k] + b6 * sh[i, 18 + k]
                value += b7 * sh[i, 21 + k] + b8 * sh[i, 24 + k]
            g = d_colors[i, k] if value > ZERO else ZERO
            out_sh[i, k] = C0 * g
            if coefficients >= 12:
                out_sh[i, 3 + k] = b1 * g
                out_sh[i, 6 + k] = b2 * g
                out_sh[i, 9 + k] = b3 * g
                gx -= C1 * g * sh[i, 9 + k]
                gy -= C1 * g * sh[i, 3 + k]
                gz += C1 * g * sh[i, 6 + k]
            if coefficients >= 27:
                out_sh[i, 12 + k] = b4 * g
                out_sh[i, 15 + k] = b5 * g
                out_sh[i, 18 + k] = b6 * g
                out_sh[i, 21 + k] = b7 * g
                out_sh[i, 24 + k] = b8 * g
                s4, s5, s6 = g * sh[i, 12 + k], g * sh[i, 15 + k], g * sh[i, 18 + k]
                s7, s8 = g * sh[i, 21 + k], g * sh[i, 24 + k]
                gx += TWO * C23 * (y * s4 + x * s8) - C20 * z * s7
                gy += TWO * C23 * (x * s4 - y * s8) - C20 * z * s5
                gz += TWO * C21 * z * s6 - C20 * (y * s5 + x * s7)
        along = x * gx + y * gy + z * gz

        mx, my, mz = d_means[i, 0], d_means[i, 1], d_means[i, 2]
        out[i, 0] = v * mx + w * (r00 * mx + r10 * my + r20 * mz) + inverse * (gx - along * x)
        out[i, 1] = v * my + w * (r01 * mx + r11 * my + r21 * mz) + inverse * (gy - along * y)
        out[i, 2] = v * mz + w * (r02 * mx + r12 * my + r22 * mz) + inverse * (gz - along * z)

        bw, bx, by, bz = quaternions[i, 0], quaternions[i, 1], quaternions[i, 2], quaternions[i, 3]
        if deformed:
            bw += offsets[i, 3]
            bx += offsets[i, 4]
            by += offsets[i, 5]
            bz += offsets[i, 6]
        length = ONE / math.sqrt(max(bw * bw + bx * bx + by * by + bz * bz, TINY))
        bw *= length
        bx *= length
        by *= length
        bz *= length
        aw, ax, ay, az = v + w * turn_w, w * turn_x, w * turn_y, w * turn_z
        scale = length / math.sqrt(max(aw * aw + ax * ax + ay * ay + az * az, TINY))
        # The transpose of multiplying by a from the left is multiplying by its conjugate.
        qw, qx, qy, qz = d_quaternions[i, 0], d_quaternions[i, 1], d_quaternions[i, 2], d_quaternions[i, 3]
        tw = scale * (aw * qw + ax * qx + ay * qy + az * qz)
        tx = scale * (aw * qx - ax * qw - ay * qz + az * qy)
        ty = scale * (aw * qy + ax * qz - ay * qw - az * qx)
        tz = scale * (aw * qz - ax * qy + ay * qx - az * qw)
        along = bw * tw + bx * tx + by * ty + bz * tz
        out[i, 3] = tw - along * bw
        out[i, 4] = tx - along * bx
        out[i, 5] = ty - along * by
        out[i, 6] = tz - along * bz

        for k in range(3):
            raw = raw_scales[i, k]
            if deformed:
                raw += offsets[i, 7 + k]
            out[i, 7 + k] = d_scales[i, k] / (ONE + math.exp(-raw))
        out_opacities[i] = d_opacities[i] * opacities[i] * (ONE - opacities[i])
