# SPDX-License-Identifier: GPL-3.0-or-later
"""The posing loop in Numba: one pass over a range of Gaussians, float32, without the GIL.

Plain nogil functions on a thread pool rather than parallel=True: the latter's thread layers do not bear being called
from several threads of a host application.
"""

from __future__ import annotations

import math

import numba as nb
import numpy as np

from .sh import C0 as _C0
from .sh import C1 as _C1
from .sh import C2 as _C2

F = np.float32
C0, C1 = F(_C0), F(_C1)
C20, C21, C22, C23 = F(_C2[0]), F(_C2[1]), F(_C2[2]), F(_C2[3])
ZERO, HALF, ONE, TWO, TINY = F(0), F(0.5), F(1), F(2), F(1e-24)


@nb.njit(nogil=True, cache=True, fastmath={"contract", "nsz", "arcp"}, error_model="numpy")
def pose_rows(
    start,  # first Gaussian
    stop,  # one past the last
    means,  # [N,3]
    raw_scales,  # [N,3]
    quaternions,  # [N,4]
    sh,  # [N,3K] coefficient by coefficient, each red, green, blue
    head_weights,  # [N]
    offsets,  # [N,3] or [N,10]
    common,  # [25] R row by row, t, pivot, camera, camera in the head, q_R
    out_means,  # [N,3]
    out_quaternions,  # [N,4]
    out_scales,  # [N,3]
    out_colors,  # [N,3]
):
    """Writes rows start..stop of the four outputs; see posing.pose_reference for the maths."""
    deformed = offsets.shape[1] == 10
    coefficients = sh.shape[1]
    r00, r01, r02, r10, r11, r12, r20, r21, r22 = (
        common[0], common[1], common[2], common[3], common[4], common[5], common[6], common[7], common[8],
    )  # fmt: skip
    px, py, pz = common[12], common[13], common[14]
    tx, ty, tz = px + common[9], py + common[10], pz + common[11]
    cx, cy, cz = common[15], common[16], common[17]
    hx, hy, hz = common[18], common[19], common[20]
    turn_w, turn_x, turn_y, turn_z = common[21], common[22], common[23], common[24]

    for i in range(start, stop):
        w = head_weights[i]
        v = ONE - w
        x = means[i, 0] + offsets[i, 0]
        y = means[i, 1] + offsets[i, 1]
        z = means[i, 2] + offsets[i, 2]

        dx = x - (v * cx + w * hx)
        dy = y - (v * cy + w * hy)
        dz = z - (v * cz + w * hz)
        length = ONE / math.sqrt(max(dx * dx + dy * dy + dz * dz, TINY))
        dx *= length
        dy *= length
        dz *= length
        red = HALF + C0 * sh[i, 0]
        green = HALF + C0 * sh[i, 1]
        blue = HALF + C0 * sh[i, 2]
        if coefficients >= 12:
            b1, b2, b3 = -C1 * dy, C1 * dz, -C1 * dx
            red += b1 * sh[i, 3] + b2 * sh[i, 6] + b3 * sh[i, 9]
            green += b1 * sh[i, 4] + b2 * sh[i, 7] + b3 * sh[i, 10]
            blue += b1 * sh[i, 5] + b2 * sh[i, 8] + b3 * sh[i, 11]
        if coefficients >= 27:
            b4 = C23 * (TWO * dx * dy)
            b5 = -C20 * (dy * dz)
            b6 = C21 * (dz * dz) - C22
            b7 = -C20 * (dx * dz)
            b8 = C23 * (dx * dx - dy * dy)
            red += b4 * sh[i, 12] + b5 * sh[i, 15] + b6 * sh[i, 18] + b7 * sh[i, 21] + b8 * sh[i, 24]
            green += b4 * sh[i, 13] + b5 * sh[i, 16] + b6 * sh[i, 19] + b7 * sh[i, 22] + b8 * sh[i, 25]
            blue += b4 * sh[i, 14] + b5 * sh[i, 17] + b6 * sh[i, 20] + b7 * sh[i, 23] + b8 * sh[i, 26]
        out_colors[i, 0] = max(red, ZERO)
        out_colors[i, 1] = max(green, ZERO)
        out_colors[i, 2] = max(blue, ZERO)

        mx, my, mz = x - px, y - py, z - pz
        out_means[i, 0] = v * x + w * (r00 * mx + r01 * my + r02 * mz + tx)
        out_means[i, 1] = v * y + w * (r10 * mx + r11 * my + r12 * mz + ty)
        out_means[i, 2] = v * z + w * (r20 * mx + r21 * my + r22 * mz + tz)

        bw, bx, by, bz = quaternions[i, 0], quaternions[i, 1], quaternions[i, 2], quaternions[i, 3]
        if deformed:
            bw += offsets[i, 3]
            bx += offsets[i, 4]
            by += offsets[i, 5]
            bz += offsets[i, 6]
        aw, ax, ay, az = v + w * turn_w, w * turn_x, w * turn_y, w * turn_z
        scale = ONE / math.sqrt(
            max((aw * aw + ax * ax + ay * ay + az * az) * (bw * bw + bx * bx + by * by + bz * bz), TINY)
        )
        out_quaternions[i, 0] = scale * (aw * bw - ax * bx - ay * by - az * bz)
        out_quaternions[i, 1] = scale * (aw * bx + ax * bw + ay * bz - az * by)
        out_quaternions[i, 2] = scale * (aw * by - ax * bz + ay * bw + az * bx)
        out_quaternions[i, 3] = scale * (aw * bz + ax * by - ay * bx + az * bw)

        for k in range(3):
            raw = raw_scales[i, k]
            if deformed:
                raw += offsets[i, 7 + k]
            out_scales[i, k] = max(raw, ZERO) + math.log1p(math.exp(-abs(raw)))
