# SPDX-License-Identifier: GPL-3.0-or-later
"""EWA projection of the splats to the screen and its gradient (Numba).

Constants and conventions: gsplat 1.5.3, ProjectionEWA3DGSFused.cu:72-198 and Utils.cuh:142-222, 380-388, 498-615.

The 2D covariance is built from the two rows P = J R diag(s)-scaled rotation, so that its determinant can be had without
cancellation (Lagrange: |p|^2 |q|^2 - (p.q)^2 = |p x q|^2); needle-shaped splats stay exact in float32.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .compiled import kernel
from .vector_ir import float_bits

if TYPE_CHECKING:
    from ..camera import Camera

f4 = np.float32
i4 = np.int32

NEAR = f4(0.01)
FAR = f4(1e10)
BLUR = f4(0.3)
"""eps2d: added to the diagonal of the 2D covariance, pixels^2."""
ALPHA_MIN = f4(1.0 / 255.0)
MAX_EXTENT = f4(3.33)
"""Standard deviations that a splat reaches at most; more than sqrt(2 ln 255), so it cuts nothing off."""
CLAMP_MARGIN = 0.3
"""How far outside the picture, in half widths, the Jacobian still follows the splat."""

LOG2_E = f4(1.4426950408889634)
LN_2 = f4(0.6931471805599453)
LN_255 = f4(5.541263545158426)
ZERO, ONE, TWO, HALF = f4(0), f4(1), f4(2), f4(0.5)

# One record of 16 floats (a cache line) per splat. Columns:
MEAN_X, MEAN_Y = 0, 1  # relative to the centre of pixel (0, 0)
CONIC_A, CONIC_B, CONIC_C = 2, 3, 4  # alpha = 2^(LOG2_OPACITY - A dx^2 - B dx dy - C dy^2)
LOG2_OPACITY = 5
RED, GREEN, BLUE, DEPTH = 6, 7, 8, 9
LEFT, RIGHT, TOP, BOTTOM = 10, 11, 12, 13  # int32 bits: touched pixels, [LEFT, RIGHT) x [TOP, BOTTOM)
DISCRIMINANT = 14  # 4AC - B^2, computed without cancellation
RECORD = 16

NOT_DRAWN = i4(0x7FFFFFFF)
"""Sort key of a culled splat."""
_EXPONENT = i4(0x7F800000)


def camera_vector(camera: Camera) -> np.ndarray:
    """The camera as the 20 float32 that the kernels read.

    R (9, row major), t (3), fx, fy, cx - 1/2, cy - 1/2, then the limits that x/z and y/z are clamped to in the
    Jacobian: x low, x high, y low, y high (Utils.cuh:498-537).
    """
    k = np.asarray(camera.K, dtype=np.float64)
    view = np.asarray(camera.world_to_camera, dtype=np.float64)
    fx, fy, cx, cy = k[0, 0], k[1, 1], k[0, 2], k[1, 2]
    margin_x, margin_y = CLAMP_MARGIN * 0.5 * camera.width / fx, CLAMP_MARGIN * 0.5 * camera.height / fy
    limits = [
        -(cx / fx + margin_x),
        (camera.width - cx) / fx + margin_x,
        -(cy / fy + margin_y),
        (camera.height - cy) / fy + margin_y,
    ]
    return np.concatenate([view[:3, :3].ravel(), view[:3, 3], [fx, fy, cx - 0.5, cy - 0.5], limits]).astype(np.float32)


@kernel
def _finite(x):  # type: ignore[no-untyped-def]
    return (float_bits(x) & _EXPONENT) != _EXPONENT


@kernel
def _rotation(q0, q1, q2, q3):  # type: ignore[no-untyped-def]
    """Row-major rotation matrix of a quaternion (w, x, y, z) of any length."""
    s = TWO / (q0 * q0 + q1 * q1 + q2 * q2 + q3 * q3)
    xx, yy, zz = q1 * q1 * s, q2 * q2 * s, q3 * q3 * s
    xy, xz, yz = q1 * q2 * s, q1 * q3 * s, q2 * q3 * s
    wx, wy, wz = q0 * q1 * s, q0 * q2 * s, q0 * q3 * s
    return ONE - (yy + zz), xy - wz, xz + wy, xy + wz, ONE - (xx + zz), yz - wx, xz - wy, yz + wx, ONE - (xx + yy)


@kernel
def _jacobian_rows(x, y, z, cam):  # type: ignore[no-untyped-def]
    """The two rows of J R, and x/z, y/z clamped to the limits."""
    iz = ONE / z
    u = min(max(x * iz, cam[16]), cam[17])
    v = min(max(y * iz, cam[18]), cam[19])
    ja = cam[12] * iz
    jb = -ja * u
    jc = cam[13] * iz
    jd = -jc * v
    a = (ja * cam[0] + jb * cam[6], ja * cam[1] + jb * cam[7], ja * cam[2] + jb * cam[8])
    b = (jc * cam[3] + jd * cam[6], jc * cam[4] + jd * cam[7], jc * cam[5] + jd * cam[8])
    return a, b, u, v


@kernel
def _bound(x, limit):  # type: ignore[no-untyped-def]
    """A float pixel bound as an int within 0..limit."""
    return i4(min(max(x, ZERO), f4(limit)))


@kernel
def _project_one(i, means, quaternions, scales, opacities, colors, cam, width, height, record, irecord, radii):  # type: ignore[no-untyped-def]
    """Fill the record of splat i; return its sort key."""
    mx, my, mz = means[i, 0], means[i, 1], means[i, 2]
    q0, q1, q2, q3 = quaternions[i, 0], quaternions[i, 1], quaternions[i, 2], quaternions[i, 3]
    s0, s1, s2 = scales[i, 0], scales[i, 1], scales[i, 2]
    opacity = opacities[i]
    if not (_finite(opacity) and opacity >= ALPHA_MIN):
        return NOT_DRAWN
    z = cam[6] * mx + cam[7] * my + cam[8] * mz + cam[11]
    if not (_finite(z) and z >= NEAR and z <= FAR):
        return NOT_DRAWN
    if not (_finite(colors[i, 0]) and _finite(colors[i, 1]) and _finite(colors[i, 2])):
        return NOT_DRAWN
    x = cam[0] * mx + cam[1] * my + cam[2] * mz + cam[9]
    y = cam[3] * mx + cam[4] * my + cam[5] * mz + cam[10]
    a, b, _, _ = _jacobian_rows(x, y, z, cam)
    m00, m01, m02, m10, m11, m12, m20, m21, m22 = _rotation(q0, q1, q2, q3)
    p0 = (a[0] * m00 + a[1] * m10 + a[2] * m20) * s0
    p1 = (a[0] * m01 + a[1] * m11 + a[2] * m21) * s1
    p2 = (a[0] * m02 + a[1] * m12 + a[2] * m22) * s2
    q0 = (b[0] * m00 + b[1] * m10 + b[2] * m20) * s0
    q1 = (b[0] * m01 + b[1] * m11 + b[2] * m21) * s1
    q2 = (b[0] * m02 + b[1] * m12 + b[2] * m22) * s2
    xx = p0 * p0 + p1 * p1 + p2 * p2
    yy = q0 * q0 + q1 * q1 + q2 * q2
    xy = p0 * q0 + p1 * q1 + p2 * q2
    n0, n1, n2 = p1 * q2 - p2 * q1, p2 * q0 - p0 * q2, p0 * q1 - p1 * q0
    determinant = n0 * n0 + n1 * n1 + n2 * n2 + BLUR * (xx + yy) + BLUR * BLUR
    xx += BLUR
    yy += BLUR
    u = cam[12] * x / z + cam[14]
    v = cam[13] * y / z + cam[15]
    if not (_finite(determinant) and _finite(xx) and _finite(yy) and _finite(xy) and _finite(u) and _finite(v)):
        return NOT_DRAWN
    log_opacity = math.log(opacity)
    reach = math.sqrt(max(TWO * (LN_255 + log_opacity), ZERO))  # of alpha = 1/255, in standard deviations
    deviation_x, deviation_y = math.sqrt(xx), math.sqrt(yy)
    extent = min(MAX_EXTENT, reach)
    radius_x, radius_y = np.ceil(extent * deviation_x), np.ceil(extent * deviation_y)
    px, py = u + HALF, v + HALF
    misses_x = px + radius_x <= ZERO or px - radius_x >= f4(width)
    misses_y = py + radius_y <= ZERO or py - radius_y >= f4(height)
    if misses_x or misses_y or (radius_x <= ZERO and radius_y <= ZERO):
        return NOT_DRAWN
    radii[i] = i4(min(max(radius_x, radius_y), f4(1e9)))
    # The exact box of alpha >= 1/255, opened by float32 rounding.
    half_x, half_y = reach * deviation_x, reach * deviation_y
    half_x += f4(1e-3) + f4(1e-5) * half_x
    half_y += f4(1e-3) + f4(1e-5) * half_y
    left, right = _bound(np.ceil(u - half_x), width), _bound(np.floor(u + half_x) + ONE, width)
    top, bottom = _bound(np.ceil(v - half_y), height), _bound(np.floor(v + half_y) + ONE, height)
    if right <= left or bottom <= top:
        return NOT_DRAWN
    inverse = LOG2_E / determinant
    record[i, MEAN_X], record[i, MEAN_Y] = u, v
    record[i, CONIC_A], record[i, CONIC_B], record[i, CONIC_C] = HALF * yy * inverse, -xy * inverse, HALF * xx * inverse
    record[i, LOG2_OPACITY] = log_opacity * LOG2_E
    record[i, RED], record[i, GREEN], record[i, BLUE] = colors[i, 0], colors[i, 1], colors[i, 2]
    record[i, DEPTH] = z
    irecord[i, LEFT], irecord[i, RIGHT], irecord[i, TOP], irecord[i, BOTTOM] = left, right, top, bottom
    record[i, DISCRIMINANT] = inverse * LOG2_E
    return float_bits(z)


@kernel
def project(
    worker, workers, means, quaternions, scales, opacities, colors, cam, width, height, record, irecord, radii, keys
):  # type: ignore[no-untyped-def]
    """Fill `record` [N, 16] (and its int32 view), `radii` [N] and sort `keys` [N] for this worker's share of splats."""
    n = means.shape[0]
    for i in range(n * worker // workers, n * (worker + 1) // workers):
        radii[i] = 0
        keys[i] = _project_one(
            i, means, quaternions, scales, opacities, colors, cam, width, height, record, irecord, radii
        )


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
    a, b, u, v = _jacobian_rows(x, y, z, cam)
    w, i_, j_, k_ = quaternions[i, 0], quaternions[i, 1], quaternions[i, 2], quaternions[i, 3]
    m00, m01, m02, m10, m11, m12, m20, m21, m22 = _rotation(w, i_, j_, k_)

    # Covariance: dL/dSigma = -C G C, C the conic and G = [[da, db/2], [db/2, dc]].
    ca, cb, cc = TWO * LN_2 * record[i, CONIC_A], LN_2 * record[i, CONIC_B], TWO * LN_2 * record[i, CONIC_C]
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
