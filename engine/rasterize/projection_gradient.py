# SPDX-License-Identifier: GPL-3.0-or-later
"""The gradient of the projection (Numba): from the screen to a splat's centre, rotation and scales."""

from __future__ import annotations

import math

from .blending_ir import EIGHTHS
from .compiled import kernel
from .projection import HALF, LN_2, ONE, TWO, f4, jacobian_rows, rotation
from .record import P, Q, R

_CONIC = f4(2 * EIGHTHS) * LN_2


@kernel
def conic(record, i):  # type: ignore[no-untyped-def]
    """(a, b, c) of sigma = (a dx^2 + c dy^2) / 2 + b dx dy, from the factor that the record holds."""
    p, q, r = record[i, P], record[i, Q], record[i, R]
    return _CONIC * p * p, _CONIC * p * q, _CONIC * (q * q + r * r)


@kernel
def _column_gradient(r0, r1, r2, a, b, scale, v_xx, v_xy, v_yy):  # type: ignore[no-untyped-def]
    """Gradient through one column (r0, r1, r2) of the rotation.

    Returns d scale, d column (3 values), and dp, dq with respect to the products before scaling.
    """
    p = a[0] * r0 + a[1] * r1 + a[2] * r2
    q = b[0] * r0 + b[1] * r1 + b[2] * r2
    dp = (TWO * v_xx * p + v_xy * q) * scale  # d/d(scaled p)
    dq = (v_xy * p + TWO * v_yy * q) * scale
    d_scale = dp * p + dq * q
    dp *= scale
    dq *= scale
    return d_scale, dp * a[0] + dq * b[0], dp * a[1] + dq * b[1], dp * a[2] + dq * b[2], dp, dq


@kernel
def project_backward(i, screen, means, quaternions, scales, record, cam, d_means, d_quaternions, d_scales):  # type: ignore[no-untyped-def]
    """Carry the screen gradients of splat i to its 3D parameters.

    `screen`: dL/d(mean2d x, mean2d y, conic a, b, c), where sigma = (a dx^2 + c dy^2) / 2 + b dx dy.
    """
    mx, my, mz = means[i, 0], means[i, 1], means[i, 2]
    x = cam[0] * mx + cam[1] * my + cam[2] * mz + cam[9]
    y = cam[3] * mx + cam[4] * my + cam[5] * mz + cam[10]
    z = cam[6] * mx + cam[7] * my + cam[8] * mz + cam[11]
    fx, fy, iz = cam[12], cam[13], ONE / z
    a, b, u, v = jacobian_rows(x, y, z, cam)
    w, i_, j_, k_ = quaternions[i, 0], quaternions[i, 1], quaternions[i, 2], quaternions[i, 3]
    m00, m01, m02, m10, m11, m12, m20, m21, m22 = rotation(w, i_, j_, k_)

    # Covariance: dL/dSigma = -C G C, C the conic and G = [[da, db/2], [db/2, dc]].
    ca, cb, cc = conic(record, i)
    ga, gb, gc = screen[2], HALF * screen[3], screen[4]
    h00, h01 = ca * ga + cb * gb, ca * gb + cb * gc
    h10, h11 = cb * ga + cc * gb, cb * gb + cc * gc
    v_xx = -(h00 * ca + h01 * cb)
    v_xy = -TWO * (h00 * cb + h01 * cc)
    v_yy = -(h10 * cb + h11 * cc)

    ds0, g00, g10, g20, dp0, dq0 = _column_gradient(m00, m10, m20, a, b, scales[i, 0], v_xx, v_xy, v_yy)
    ds1, g01, g11, g21, dp1, dq1 = _column_gradient(m01, m11, m21, a, b, scales[i, 1], v_xx, v_xy, v_yy)
    ds2, g02, g12, g22, dp2, dq2 = _column_gradient(m02, m12, m22, a, b, scales[i, 2], v_xx, v_xy, v_yy)
    d_scales[i, 0], d_scales[i, 1], d_scales[i, 2] = ds0, ds1, ds2

    # Quaternion: through the unit quaternion, then minus the part along it.
    inverse_norm = ONE / math.sqrt(w * w + i_ * i_ + j_ * j_ + k_ * k_)
    w, i_, j_, k_ = w * inverse_norm, i_ * inverse_norm, j_ * inverse_norm, k_ * inverse_norm
    dw = TWO * (i_ * (g21 - g12) + j_ * (g02 - g20) + k_ * (g10 - g01))
    di = TWO * (-TWO * i_ * (g11 + g22) + j_ * (g01 + g10) + k_ * (g02 + g20) + w * (g21 - g12))
    dj = TWO * (i_ * (g01 + g10) - TWO * j_ * (g00 + g22) + k_ * (g12 + g21) + w * (g02 - g20))
    dk = TWO * (i_ * (g02 + g20) + j_ * (g12 + g21) - TWO * k_ * (g00 + g11) + w * (g10 - g01))
    along = dw * w + di * i_ + dj * j_ + dk * k_
    d_quaternions[i, 0] = (dw - along * w) * inverse_norm
    d_quaternions[i, 1] = (di - along * i_) * inverse_norm
    d_quaternions[i, 2] = (dj - along * j_) * inverse_norm
    d_quaternions[i, 3] = (dk - along * k_) * inverse_norm

    # Rows of J R, then J = [[ja, 0, jb], [0, jc, jd]]; a clamped axis sends its gradient to z only (Utils.cuh:602-615).
    da0, da1, da2 = (
        dp0 * m00 + dp1 * m01 + dp2 * m02,
        dp0 * m10 + dp1 * m11 + dp2 * m12,
        dp0 * m20 + dp1 * m21 + dp2 * m22,
    )
    db0, db1, db2 = (
        dq0 * m00 + dq1 * m01 + dq2 * m02,
        dq0 * m10 + dq1 * m11 + dq2 * m12,
        dq0 * m20 + dq1 * m21 + dq2 * m22,
    )
    d_ja = da0 * cam[0] + da1 * cam[1] + da2 * cam[2]
    d_jb = da0 * cam[6] + da1 * cam[7] + da2 * cam[8]
    d_jc = db0 * cam[3] + db1 * cam[4] + db2 * cam[5]
    d_jd = db0 * cam[6] + db1 * cam[7] + db2 * cam[8]
    iz2 = iz * iz
    dx = fx * iz * screen[0]
    dy = fy * iz * screen[1]
    dz = -(fx * x * screen[0] + fy * y * screen[1]) * iz2 - (fx * d_ja + fy * d_jc) * iz2
    if x * iz == u:
        dx -= fx * iz2 * d_jb
        dz += TWO * fx * u * iz2 * d_jb
    else:
        dz += fx * u * iz2 * d_jb
    if y * iz == v:
        dy -= fy * iz2 * d_jd
        dz += TWO * fy * v * iz2 * d_jd
    else:
        dz += fy * v * iz2 * d_jd
    d_means[i, 0] = cam[0] * dx + cam[3] * dy + cam[6] * dz
    d_means[i, 1] = cam[1] * dx + cam[4] * dy + cam[7] * dz
    d_means[i, 2] = cam[2] * dx + cam[5] * dy + cam[8] * dz
