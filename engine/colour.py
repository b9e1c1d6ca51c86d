# SPDX-License-Identifier: GPL-3.0-or-later
"""Colour: Gaussians are trained and blended in sRGB-encoded values; frames leave the engine premultiplied and linear.

A premultiplied encoded colour cannot be decoded as it is: the alpha must be divided out first.
"""

from __future__ import annotations

import numpy as np

ALPHA_MINIMUM = np.float32(1.0 / 255.0)
"""Below this nothing is drawn (gsplat 1.5.3, Common.h:54, for single splats): what remains is dust, and is removed."""


def srgb_to_linear(values: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1 decoding, 0..1 -> 0..1, any shape."""
    return np.where(values <= 0.04045, values / 12.92, ((np.maximum(values, 0.0) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(values: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1 encoding, 0..1 -> 0..1, any shape."""
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * np.maximum(values, 0.0) ** (1 / 2.4) - 0.055)


def straight(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Divide out the alpha: premultiplied rgb [H,W,3], alpha [H,W] -> [H,W,3] in 0..1, 0 where alpha is below 1/255."""
    safe = np.maximum(alpha, ALPHA_MINIMUM)[..., None]
    return np.where((alpha < ALPHA_MINIMUM)[..., None], 0.0, np.clip(rgb / safe, 0.0, 1.0)).astype(np.float32)


def clean_alpha(alpha: np.ndarray) -> np.ndarray:
    """alpha [H,W] -> 0..1, exactly 0 below 1/255."""
    return np.where(alpha < ALPHA_MINIMUM, 0.0, np.minimum(alpha, 1.0)).astype(np.float32)


def to_premultiplied_linear(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Premultiplied encoded rgb [H,W,3], alpha [H,W] -> premultiplied linear RGBA float32 [H,W,4]."""
    clean = clean_alpha(alpha)
    colour = srgb_to_linear(straight(rgb, alpha)) * clean[..., None]
    return np.concatenate([colour, clean[..., None]], axis=2).astype(np.float32)


def to_srgb8(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Premultiplied encoded rgb [H,W,3], alpha [H,W] -> straight-alpha encoded RGBA uint8 [H,W,4], for files."""
    values = np.concatenate([straight(rgb, alpha), clean_alpha(alpha)[..., None]], axis=2)
    return (values * 255.0 + 0.5).astype(np.uint8)
