# SPDX-License-Identifier: GPL-3.0-or-later
"""EWA projection of the splats to the screen and its gradient (Numba).

Constants and conventions: gsplat 1.5.3, ProjectionEWA3DGSFused.cu:72-198 and Utils.cuh:142-222, 380-388, 498-615.

The 2D covariance is built from the two rows P = J R diag(s)-scaled rotation, so that its determinant can be had without
cancellation (Lagrange: |p|^2 |q|^2 - (p.q)^2 = |p x q|^2); needle-shaped splats stay exact in float32.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from .vector_ir import float_bits

if TYPE_CHECKING:
    from ..camera import Camera

# Neither nnan/ninf (splats that are not finite must be recognised) nor reassoc (results must not depend on the compiler).
NUMBA_OPTIONS: dict[str, Any] = dict(
    cache=True, nogil=True, fastmath={"contract", "nsz", "arcp"}, error_model="numpy", boundscheck=False
)

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


@njit(**NUMBA_OPTIONS)
def _finite(x):  # type: ignore[no-untyped-def]
    return (float_bits(x) & _EXPONENT) != _EXPONENT


@njit(**NUMBA_OPTIONS)
def _rotation(q0, q1, q2, q3):  # type: ignore[no-untyped-def]
    """Row-major rotation matrix of a quaternion (w, x, y, z) of any length."""
    s = TWO / (q0 * q0 + q1 * q1 + q2 * q2 + q3 * q3)
    xx, yy, zz = q1 * q1 * s, q2 * q2 * s, q3 * q3 * s
    xy, xz, yz = q1 * q2 * s, q1 * q3 * s, q2 * q3 * s
    wx, wy, wz = q0 * q1 * s, q0 * q2 * s, q0 * q3 * s
    return ONE - (yy + zz), xy - wz, xz + wy, xy + wz, ONE - (xx + zz), yz - wx, xz - wy, yz + wx, ONE - (xx + yy)


@njit(**NUMBA_OPTIONS)
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


@njit(**NUMBA_OPTIONS)
def _bound(x, limit):  # type: ignore[no-untyped-def]
    """A float pixel bound as an int within 0..limit."""
    return i4(min(max(x, ZERO), f4(limit)))


@njit(**NUMBA_OPTIONS)
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
    reach = TWO * math.log(f4(255.0) * opacity)  # squared, in standard deviations
    extent = min(MAX_EXTENT, math.sqrt(max(reach, ZERO)))
    radius_x, radius_y = np.ceil(extent * math.sqrt(xx)), np.ceil(extent * math.sqrt(yy))
    px, py = u + HALF, v + HALF
    outside = px + radius_x <= ZERO or px - radius_x >= f4(width) or py + radius_y <= ZERO or py - radius_y >= f4(height)
    if outside or (radius_x <= ZERO and radius_y <= ZERO):
        return NOT_DRAWN
    radii[i] = i4(min(max(radius_x, radius_y), f4(1e9)))
    # The exact box of alpha >= 1/255, opened by float32 rounding.
    half_x, half_y = math.sqrt(max(reach, ZERO) * xx), math.sqrt(max(reach, ZERO) * yy)
    half_x += f4(1e-3) + f4(1e-5) * half_x
    half_y += f4(1e-3) + f4(1e-5) * half_y
    left, right = _bound(np.ceil(u - half_x), width), _bound(np.floor(u + half_x) + ONE, width)
    top, bottom = _bound(np.ceil(v - half_y), height), _bound(np.floor(v + half_y) + ONE, height)
    if right <= left or bottom <= top:
        return NOT_DRAWN
    inverse = LOG2_E / determinant
    record[i, MEAN_X], record[i, MEAN_Y] = u, v
    record[i, CONIC_A], record[i, CONIC_B], record[i, CONIC_C] = HALF * yy * inverse, -xy * inverse, HALF * xx * inverse
    record[i, LOG2_OPACITY] = math.log(opacity) * LOG2_E
    record[i, RED], record[i, GREEN], record[i, BLUE] = colors[i, 0], colors[i, 1], colors[i, 2]
    record[i, DEPTH] = z
    irecord[i, LEFT], irecord[i, RIGHT], irecord[i, TOP], irecord[i, BOTTOM] = left, right, top, bottom
    record[i, DISCRIMINANT] = inverse * LOG2_E
    return float_bits(z)


@njit(**NUMBA_OPTIONS)
def project(worker, workers, means, quaternions, scales, opacities, colors, cam, width, height, record, irecord, radii, keys):  # type: ignore[no-untyped-def]
    """Fill `record` [N, 16] (and its int32 view), `radii` [N] and sort `keys` [N] for this worker's share of splats."""
    n = means.shape[0]
    for i in range(n * worker // workers, n * (worker + 1) // workers):
        radii[i] = 0
        keys[i] = _project_one(
            i, means, quaternions, scales, opacities, colors, cam, width, height, record, irecord, radii
        )


@njit(**NUMBA_OPTIONS)
def project_backward(i, d, means, quaternions, scales, cam, d_means, d_quaternions, d_scales):  # type: ignore[no-untyped-def]
    """Carry screen gradients of splat i to its 3D parameters.

    `d`: dL/d (mean2d x, y, conic a, b, c), for sigma = (a dx^2 + c dy^2) / 2 + b dx dy in natural units.
    """
    x = cam[0] * means[i, 0] + cam[1] * means[i, 1] + cam[2] * means[i, 2] + cam[9]
    y = cam[3] * means[i, 0] + cam[4] * means[i, 1] + cam[5] * means[i, 2] + cam[10]
    z = cam[6] * means[i, 0] + cam[7] * means[i, 1] + cam[8] * means[i, 2] + cam[11]
    fx, fy, iz = cam[12], cam[13], ONE / z
    a, b, u, v = _jacobian_rows(x, y, z, cam)
    w, qx, qy, qz = quaternions[i, 0], quaternions[i, 1], quaternions[i, 2], quaternions[i, 3]
    rotation = _rotation(w, qx, qy, qz)

    # 2D covariance again: rows p, q of J R M before scaling, then scaled.
    p = [ZERO, ZERO, ZERO]
    q = [ZERO, ZERO, ZERO]
    for k in range(3):
        p[k] = a[0] * rotation[k] + a[1] * rotation[3 + k] + a[2] * rotation[6 + k]
        q[k] = b[0] * rotation[k] + b[1] * rotation[3 + k] + b[2] * rotation[6 + k]
    return p, q, fx, fy, iz, u, v, d, scales, d_means, d_quaternions, d_scales
