# SPDX-License-Identifier: GPL-3.0-or-later
"""Face over mouth, and out into the colours of a frame: one pass over the pixels, in Numba, on threads.

arXiv 2508.10566, Eq (10) without the background: I = Cf + (1 - Af) Cm, A = Af + (1 - Af) Am. The conversions are
those of colour.py, with the decoding curve looked up in a table.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

from .colour import ALPHA_MINIMUM, srgb_to_linear

STEPS = 4096
TABLE = srgb_to_linear(np.linspace(0.0, 1.0, STEPS + 1)).astype(np.float32)
"""sRGB decoding at STEPS + 1 even places; interpolated between them the error stays below 2e-7."""
LAST = np.int64(STEPS - 1)
F_STEPS, ZERO, ONE, HALF, WHITE = (np.float32(value) for value in (STEPS, 0.0, 1.0, 0.5, 255.0))

OPTIONS: dict[str, Any] = {
    "nogil": True,
    "cache": True,
    "fastmath": {"contract", "nsz", "arcp"},
    "error_model": "numpy",
}


@nb.njit(inline="always")
def _decode(value, table):
    place = value * F_STEPS
    index = min(np.int64(place), LAST)
    return table[index] + (place - np.float32(index)) * (table[index + 1] - table[index])


@nb.njit(inline="always")
def _limit(value):
    return min(max(value, ZERO), ONE)


@nb.njit(**OPTIONS)
def linear_rows(start, stop, face_rgb, face_alpha, face_depth, mouth_rgb, mouth_alpha, mouth_depth, table, rgba, depth):
    """Rows start..stop of rgba [H,W,4] (premultiplied linear) and depth [H,W] (metres, 0 where there is nothing)."""
    for i in range(start, stop):
        for j in range(rgba.shape[1]):
            through = ONE - face_alpha[i, j]
            behind = through * mouth_alpha[i, j]
            alpha = face_alpha[i, j] + behind
            if alpha < ALPHA_MINIMUM:
                for k in range(4):
                    rgba[i, j, k] = ZERO
                depth[i, j] = ZERO
                continue
            scale = ONE / alpha
            clean = min(alpha, ONE)
            for k in range(3):
                value = _limit((face_rgb[i, j, k] + through * mouth_rgb[i, j, k]) * scale)
                rgba[i, j, k] = clean * _decode(value, table)
            rgba[i, j, 3] = clean
            depth[i, j] = scale * (face_alpha[i, j] * face_depth[i, j] + behind * mouth_depth[i, j])


@nb.njit(**OPTIONS)
def srgb8_rows(start, stop, face_rgb, face_alpha, mouth_rgb, mouth_alpha, rgba):
    """Rows start..stop of rgba uint8 [H,W,4]: straight alpha, sRGB-encoded."""
    for i in range(start, stop):
        for j in range(rgba.shape[1]):
            through = ONE - face_alpha[i, j]
            alpha = face_alpha[i, j] + through * mouth_alpha[i, j]
            if alpha < ALPHA_MINIMUM:
                for k in range(4):
                    rgba[i, j, k] = 0
                continue
            scale = ONE / alpha
            for k in range(3):
                value = _limit((face_rgb[i, j, k] + through * mouth_rgb[i, j, k]) * scale)
                rgba[i, j, k] = np.uint8(value * WHITE + HALF)
            rgba[i, j, 3] = np.uint8(min(alpha, ONE) * WHITE + HALF)
