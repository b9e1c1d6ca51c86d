# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures as the rasterizer samples them: sRGB bytes with mip levels, many in one flat array."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

LEVELS = 9
LARGEST = 1024
"""Pixels along a side; larger pictures are reduced."""
_CODES = np.arange(256) / 255
LINEAR = np.where(_CODES <= 0.04045, _CODES / 12.92, ((_CODES + 0.055) / 1.055) ** 2.4).astype(np.float32)
"""float32 [256]: sRGB code to linear light."""


def read_picture(path: Path) -> np.ndarray:
    """uint8 [h,w,4] RGBA, reduced to `LARGEST`. Raises OSError where there is no picture."""
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise OSError(f"the picture '{path}' cannot be read")
    if picture.ndim == 2:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    if picture.dtype != np.uint8:
        picture = (picture >> 8).astype(np.uint8)
    code = cv2.COLOR_BGRA2RGBA if picture.shape[2] == 4 else cv2.COLOR_BGR2RGBA
    picture = cv2.cvtColor(picture, code)
    while max(picture.shape[:2]) > LARGEST:
        picture = halve(picture)
    return picture


def halve(picture: np.ndarray) -> np.ndarray:
    """Half the size; colours are averaged by opacity, so that what is cut out does not darken edges."""
    height, width = max(picture.shape[0] // 2, 1), max(picture.shape[1] // 2, 1)
    values = picture.astype(np.float32)
    values[..., :3] *= values[..., 3:] / 255
    small = cv2.resize(values, (width, height), interpolation=cv2.INTER_AREA)
    small[..., :3] /= np.maximum(small[..., 3:] / 255, 1e-3)
    return np.clip(small + 0.5, 0, 255).astype(np.uint8)


def spread_colour(picture: np.ndarray) -> np.ndarray:
    """Fill transparent texels with the colour of their opaque neighbours."""
    weight = (picture[..., 3:].astype(np.float32) / 255) ** 2 + 1e-6
    values = picture[..., :3].astype(np.float32) * weight
    for radius in (3, 15, 63):
        w = cv2.blur(weight, (radius, radius))[..., None]
        blurred = cv2.blur(values, (radius, radius))
        empty = weight < 0.02
        values = np.where(empty, blurred, values)
        weight = np.where(empty, w, weight)
    out = picture.copy()
    out[..., :3] = np.clip(values / weight, 0, 255)
    return out


class Texture:
    """One picture with its mip levels: texels uint8 [N,4], sizes [LEVELS,3] (start, width, height; 0 where none)."""

    def __init__(self, picture: np.ndarray) -> None:
        levels, sizes, start = [], np.zeros((LEVELS, 3), np.int64), 0
        for level in range(LEVELS):
            height, width = picture.shape[:2]
            sizes[level] = start, width, height
            levels.append(picture.reshape(-1, 4))
            start += width * height
            if min(height, width) <= 4:
                break
            picture = halve(picture)
        self.texels, self.sizes = np.concatenate(levels), sizes


@lru_cache(maxsize=64)
def load_texture(path: Path, cut_out: bool = False) -> Texture:
    """Read once. cut_out: its opacity counts, so the colour is spread under what is transparent."""
    picture = read_picture(path)
    if cut_out:
        picture = spread_colour(picture)
    return Texture(picture)


def plain_texture(red: float, green: float, blue: float) -> Texture:
    """One colour, sRGB 0..1."""
    return Texture(np.full((4, 4, 4), [*(round(255 * c) for c in (red, green, blue)), 255], np.uint8))


def pack(textures: Sequence[Texture]) -> tuple[np.ndarray, np.ndarray]:
    """All texels [N,4] and the table [textures, LEVELS, 3] that finds them."""
    table = np.stack([texture.sizes for texture in textures])
    starts = np.cumsum([0, *(len(texture.texels) for texture in textures[:-1])])
    table[..., 0] += starts[:, None]
    return np.concatenate([texture.texels for texture in textures]), table
