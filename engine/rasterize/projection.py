# SPDX-License-Identifier: GPL-3.0-or-later
"""EWA projection of the splats to the screen (Numba), a block of 32 at a time.

Constants and conventions: gsplat 1.5.3, ProjectionEWA3DGSFused.cu:72-198 and Utils.cuh:142-222, 380-388, 498-615. The
readable statement of the same maths is ``reference.py``.

The 2D covariance is built from the two rows P = J R diag(s)-scaled rotation, so that its determinant can be had without
cancellation (Lagrange: |p|^2 |q|^2 - (p.q)^2 = |p x q|^2); needle-shaped splats stay exact in float32.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .blending_ir import EIGHTHS
from .compiled import kernel
from .record import (
    BLUE,
    BOTTOM,
    DEPTH,
    GREEN,
    LEFT,
    LOG_OPACITY,
    RED,
    RIGHT,
    TOP,
    P,
    Q,
    R,
    X,
    Y,
)
from .splat_rows import (
    BLOCK,
    BOX_BOTTOM,
    BOX_LEFT,
    BOX_RIGHT,
    BOX_TOP,
    CAMERA_Z,
    COLOR,
    FACTOR_P,
    FACTOR_Q,
    FACTOR_R,
    MEAN,
    QUATERNION,
    RADIUS,
    SCALE,
    SCREEN_X,
    SCREEN_Y,
    load_splats,
    u8,
)
from .splat_rows import LOG_OPACITY as LOG_OPACITY_ROW
from .splat_rows import ROWS as SPLAT_ROWS
from .vector_ir import float_bits

if TYPE_CHECKING:
    from ..camera import Camera

f4 = np.float32
i4 = np.int32

NEAR = f4(0.01)
FAR = f4(1e10)
BLUR = f4(0.3)
"""eps2d: added to the diagonal of the 2D covariance, pixels^2."""
LOG2_255 = f4(np.log2(255.0))
MAX_EXTENT = f4(3.33)
"""Standard deviations that a splat reaches at most; more than sqrt(2 ln 255), so it cuts nothing off."""
CLAMP_MARGIN = 0.3
"""How far outside the picture, in half widths, the Jacobian still follows the splat."""

LN_2 = f4(0.6931471805599453)
ZERO, ONE, TWO, HALF = f4(0), f4(1), f4(2), f4(0.5)
_TWO_LN_2 = f4(2 * 0.6931471805599453)
_FACTOR = f4(0.5 * 1.4426950408889634 / EIGHTHS)
"""sigma is half a quadratic form and e^-sigma is asked for; exponents are in eighths, to base 2."""
_LARGEST = f4(1e9)

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
def rotation(q0, q1, q2, q3):  # type: ignore[no-untyped-def]
    """Row-major rotation matrix of a quaternion (w, x, y, z) of any length."""
    s = TWO / (q0 * q0 + q1 * q1 + q2 * q2 + q3 * q3)
    xx, yy, zz = q1 * q1 * s, q2 * q2 * s, q3 * q3 * s
    xy, xz, yz = q1 * q2 * s, q1 * q3 * s, q2 * q3 * s
    wx, wy, wz = q0 * q1 * s, q0 * q2 * s, q0 * q3 * s
    return ONE - (yy + zz), xy - wz, xz + wy, xy + wz, ONE - (xx + zz), yz - wx, xz - wy, yz + wx, ONE - (xx + yy)


@kernel
def jacobian_rows(x, y, z, cam):  # type: ignore[no-untyped-def]
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
def _floor_within(x, limit):  # type: ignore[no-untyped-def]
    """floor(x) within 0..limit. Cutting off does it, as nothing is negative; numbers too large are kept out first."""
    return f4(i4(min(max(x, ZERO), limit)))


@kernel
def _ceil(x):  # type: ignore[no-untyped-def]
    """ceil(x) of 0 <= x <= 1e9."""
    whole = f4(i4(x))
    return whole + ONE if whole < x else whole


@kernel
def _ceil_within(x, limit):  # type: ignore[no-untyped-def]
    return _ceil(min(max(x, ZERO), limit))


@kernel
def project_rows(rows, camera, width, height):  # type: ignore[no-untyped-def]
    """Fill the screen rows of a block from its splat rows. No branches: this loop becomes vector instructions."""
    b = u8(BLOCK)
    cam = (
        camera[0], camera[1], camera[2], camera[3], camera[4], camera[5], camera[6], camera[7], camera[8], camera[9],
        camera[10], camera[11], camera[12], camera[13], camera[14], camera[15], camera[16], camera[17], camera[18],
        camera[19],
    )  # fmt: skip
    w, h = f4(width), f4(height)
    for i in range(b):
        mx, my, mz = rows[b * u8(MEAN) + i], rows[b * u8(MEAN + 1) + i], rows[b * u8(MEAN + 2) + i]
        s0, s1, s2 = rows[b * u8(SCALE) + i], rows[b * u8(SCALE + 1) + i], rows[b * u8(SCALE + 2) + i]
        log_opacity = rows[b * u8(LOG_OPACITY_ROW) + i]
        x = cam[0] * mx + cam[1] * my + cam[2] * mz + cam[9]
        y = cam[3] * mx + cam[4] * my + cam[5] * mz + cam[10]
        z = cam[6] * mx + cam[7] * my + cam[8] * mz + cam[11]
        a, c, _, _ = jacobian_rows(x, y, z, cam)
        m00, m01, m02, m10, m11, m12, m20, m21, m22 = rotation(
            rows[b * u8(QUATERNION) + i],
            rows[b * u8(QUATERNION + 1) + i],
            rows[b * u8(QUATERNION + 2) + i],
            rows[b * u8(QUATERNION + 3) + i],
        )
        p0 = (a[0] * m00 + a[1] * m10 + a[2] * m20) * s0
        p1 = (a[0] * m01 + a[1] * m11 + a[2] * m21) * s1
        p2 = (a[0] * m02 + a[1] * m12 + a[2] * m22) * s2
        q0 = (c[0] * m00 + c[1] * m10 + c[2] * m20) * s0
        q1 = (c[0] * m01 + c[1] * m11 + c[2] * m21) * s1
        q2 = (c[0] * m02 + c[1] * m12 + c[2] * m22) * s2
        xx = p0 * p0 + p1 * p1 + p2 * p2
        yy = q0 * q0 + q1 * q1 + q2 * q2
        xy = p0 * q0 + p1 * q1 + p2 * q2
        n0, n1, n2 = p1 * q2 - p2 * q1, p2 * q0 - p0 * q2, p0 * q1 - p1 * q0
        determinant = n0 * n0 + n1 * n1 + n2 * n2 + BLUR * (xx + yy) + BLUR * BLUR
        xx += BLUR
        yy += BLUR
        u = cam[12] * x / z + cam[14]
        v = cam[13] * y / z + cam[15]
        reach = math.sqrt(max(_TWO_LN_2 * (LOG2_255 + log_opacity), ZERO))  # of alpha = 1/255, standard deviations
        deviation_x, deviation_y = math.sqrt(xx), math.sqrt(yy)
        extent = min(MAX_EXTENT, reach)
        radius_x = _ceil(min(extent * deviation_x, _LARGEST))
        radius_y = _ceil(min(extent * deviation_y, _LARGEST))
        px, py = u + HALF, v + HALF
        # The exact box of alpha >= 1/255, opened by float32 rounding.
        half_x, half_y = reach * deviation_x, reach * deviation_y
        half_x += f4(1e-3) + f4(1e-5) * half_x
        half_y += f4(1e-3) + f4(1e-5) * half_y
        left, right = _ceil_within(u - half_x, w), _floor_within(u + half_x + ONE, w)
        top, bottom = _ceil_within(v - half_y, h), _floor_within(v + half_y + ONE, h)
        seen = (z >= NEAR) & (z <= FAR) & (log_opacity >= -LOG2_255)
        seen &= _finite(determinant) & _finite(xx) & _finite(yy) & _finite(xy) & _finite(u) & _finite(v)
        seen &= _finite(rows[b * u8(COLOR) + i]) & _finite(rows[b * u8(COLOR + 1) + i])
        seen &= _finite(rows[b * u8(COLOR + 2) + i]) & _finite(log_opacity)
        seen &= (px + radius_x > ZERO) & (px - radius_x < w) & (py + radius_y > ZERO) & (py - radius_y < h)
        radius = max(radius_x, radius_y)
        rows[b * u8(RADIUS) + i] = radius if seen else ZERO
        rows[b * u8(SCREEN_X) + i] = u
        rows[b * u8(SCREEN_Y) + i] = v
        # The Cholesky factor of the conic, from the covariance: no difference, so nothing cancels.
        rows[b * u8(FACTOR_P) + i] = math.sqrt(_FACTOR * yy / determinant)
        rows[b * u8(FACTOR_Q) + i] = -xy * math.sqrt(_FACTOR / (yy * determinant))
        rows[b * u8(FACTOR_R) + i] = math.sqrt(_FACTOR / yy)
        rows[b * u8(CAMERA_Z) + i] = z
        rows[b * u8(BOX_LEFT) + i] = left
        rows[b * u8(BOX_RIGHT) + i] = right
        rows[b * u8(BOX_TOP) + i] = top
        rows[b * u8(BOX_BOTTOM) + i] = bottom


@kernel
def store_records(count, rows, start, index, first, record, irecord, radii, keys):  # type: ignore[no-untyped-def]
    """Write `count` splats of a block to the records from `start` on, and to their radii and sort keys.

    Those of splat l are at index[first + l]: blocks may hold splats in another order than the picture breaks ties in.
    """
    b = u8(BLOCK)
    for i in range(u8(count)):
        k, place = u8(start) + i, u8(index[u8(first) + i])
        radius = rows[b * u8(RADIUS) + i]
        left, right = i4(rows[b * u8(BOX_LEFT) + i]), i4(rows[b * u8(BOX_RIGHT) + i])
        top, bottom = i4(rows[b * u8(BOX_TOP) + i]), i4(rows[b * u8(BOX_BOTTOM) + i])
        radii[place] = i4(radius)
        if not (radius > ZERO and right > left and bottom > top):
            keys[place] = NOT_DRAWN
            irecord[k, LEFT], irecord[k, RIGHT] = 0, 0
            continue
        keys[place] = float_bits(rows[b * u8(CAMERA_Z) + i])
        record[k, X], record[k, Y] = rows[b * u8(SCREEN_X) + i], rows[b * u8(SCREEN_Y) + i]
        record[k, P], record[k, Q] = rows[b * u8(FACTOR_P) + i], rows[b * u8(FACTOR_Q) + i]
        record[k, R] = rows[b * u8(FACTOR_R) + i]
        record[k, LOG_OPACITY] = rows[b * u8(LOG_OPACITY_ROW) + i] / f4(EIGHTHS)
        record[k, RED], record[k, GREEN] = rows[b * u8(COLOR) + i], rows[b * u8(COLOR + 1) + i]
        record[k, BLUE], record[k, DEPTH] = rows[b * u8(COLOR + 2) + i], rows[b * u8(CAMERA_Z) + i]
        irecord[k, LEFT], irecord[k, RIGHT], irecord[k, TOP], irecord[k, BOTTOM] = left, right, top, bottom


@kernel
def project(
    worker, workers, means, quaternions, scales, log_opacities, colors, index, cam, width, height,
    record, irecord, radii, keys,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Fill `record` [N, 16] (and its int32 view), `radii` [N] and sort `keys` [N] for this worker's share of splats.

    log_opacities [N]: log2. index: int32 [N], 0..N-1.
    """
    n = means.shape[0]
    blocks = (n + BLOCK - 1) // BLOCK
    rows = np.zeros(SPLAT_ROWS * BLOCK, np.float32)
    for block in range(blocks * worker // workers, blocks * (worker + 1) // workers):
        first = block * BLOCK
        last = min(n, first + BLOCK)
        load_splats(first, last, means, quaternions, scales, colors, log_opacities, rows)
        project_rows(rows, cam, width, height)
        store_records(last - first, rows, first, index, first, record, irecord, radii, keys)
