# SPDX-License-Identifier: GPL-3.0-or-later
"""Face over mouth, and out into the colours of a frame, in Numba.

arXiv 2508.10566, Eq (10) without the background: I = Cf + (1 - Af) Cm, A = Af + (1 - Af) Am. The conversions are
those of colour.py, with the decoding curve as a polynomial.
"""

from __future__ import annotations

import numpy as np

from .colour import ALPHA_MINIMUM
from .rasterize.compiled import inlined, kernel
from .rasterize.vector_math import srgb_decoded

ZERO, ONE, HALF, WHITE = (np.float32(value) for value in (0.0, 1.0, 0.5, 255.0))


@inlined
def _limit(value):  # type: ignore[no-untyped-def]
    return min(max(value, ZERO), ONE)


@inlined
def linear_pixel(face_a, face_r, face_g, face_b, face_z, mouth_a, mouth_r, mouth_g, mouth_b, mouth_z):  # type: ignore[no-untyped-def]
    """(r, g, b, alpha) premultiplied linear and depth in metres, all 0 where there is nothing.

    In: both layers' alpha, premultiplied encoded colour, and depth times alpha.
    """
    through = ONE - face_a
    alpha = face_a + through * mouth_a
    there = alpha >= ALPHA_MINIMUM
    scale = ONE / (alpha if there else ONE)
    clean = min(alpha, ONE) if there else ZERO
    r = clean * srgb_decoded(_limit((face_r + through * mouth_r) * scale))
    g = clean * srgb_decoded(_limit((face_g + through * mouth_g) * scale))
    b = clean * srgb_decoded(_limit((face_b + through * mouth_b) * scale))
    z = (face_z + through * mouth_z) * scale
    return r, g, b, clean, z if there else ZERO


@inlined
def srgb8_pixel(face_a, face_r, face_g, face_b, mouth_a, mouth_r, mouth_g, mouth_b):  # type: ignore[no-untyped-def]
    """(r, g, b, alpha) as 0..255: straight alpha, sRGB-encoded. In: as for linear_pixel."""
    through = ONE - face_a
    alpha = face_a + through * mouth_a
    there = alpha >= ALPHA_MINIMUM
    scale = WHITE / (alpha if there else ONE) if there else ZERO
    r = min(max((face_r + through * mouth_r) * scale, ZERO), WHITE)
    g = min(max((face_g + through * mouth_g) * scale, ZERO), WHITE)
    b = min(max((face_b + through * mouth_b) * scale, ZERO), WHITE)
    a = min(alpha, ONE) * WHITE if there else ZERO
    return np.uint8(r + HALF), np.uint8(g + HALF), np.uint8(b + HALF), np.uint8(a + HALF)


@kernel
def linear_rows(start, stop, face_rgb, face_alpha, face_depth, mouth_rgb, mouth_alpha, mouth_depth, rgba, depth):  # type: ignore[no-untyped-def]
    """Rows start..stop of rgba [H,W,4] (premultiplied linear) and depth [H,W] (metres, 0 where there is nothing)."""
    for i in range(start, stop):
        for j in range(rgba.shape[1]):
            af, am = face_alpha[i, j], mouth_alpha[i, j]
            r, g, b, a, z = linear_pixel(
                af, face_rgb[i, j, 0], face_rgb[i, j, 1], face_rgb[i, j, 2], af * face_depth[i, j],
                am, mouth_rgb[i, j, 0], mouth_rgb[i, j, 1], mouth_rgb[i, j, 2], am * mouth_depth[i, j],
            )  # fmt: skip
            rgba[i, j, 0], rgba[i, j, 1], rgba[i, j, 2], rgba[i, j, 3], depth[i, j] = r, g, b, a, z


@kernel
def srgb8_rows(start, stop, face_rgb, face_alpha, mouth_rgb, mouth_alpha, rgba):  # type: ignore[no-untyped-def]
    """Rows start..stop of rgba uint8 [H,W,4]: straight alpha, sRGB-encoded."""
    for i in range(start, stop):
        for j in range(rgba.shape[1]):
            r, g, b, a = srgb8_pixel(
                face_alpha[i, j], face_rgb[i, j, 0], face_rgb[i, j, 1], face_rgb[i, j, 2],
                mouth_alpha[i, j], mouth_rgb[i, j, 0], mouth_rgb[i, j, 1], mouth_rgb[i, j, 2],
            )  # fmt: skip
            rgba[i, j, 0], rgba[i, j, 1], rgba[i, j, 2], rgba[i, j, 3] = r, g, b, a
