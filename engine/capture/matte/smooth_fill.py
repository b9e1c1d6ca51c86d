# SPDX-License-Identifier: GPL-3.0-or-later
"""Known pixels extended smoothly over unknown ones."""

from __future__ import annotations

import cv2
import numpy as np


def extend(values: np.ndarray, weight: np.ndarray, step: int = 0) -> np.ndarray:
    """`values` [H,W] or [H,W,C] where `weight` [H,W] (0..1) is 1, extended smoothly over where it is 0.

    Push-pull on a Gaussian pyramid: an unknown pixel takes the finest scale on which anything is known around it.
    float32 of the shape of `values`; all zero when nothing is known. step: how often the picture is halved before
    anything is extended, which saves time where it need not be sharp.
    """
    flat = values.ndim == 2
    colour = values[..., None] if flat else values
    weight = weight.astype(np.float32)
    if not weight.any():
        return np.zeros(values.shape, np.float32)
    channels, (height, width) = colour.shape[2], weight.shape
    weights = _repeated(weight, channels)
    # Extended a mean at a time: what is known lies in a narrow range around it, so rounding stays small.
    packed = cv2.merge([*cv2.split((colour * weights).astype(np.float32)), weight])
    if step:
        size = (max(1, width >> step), max(1, height >> step))
        packed = cv2.resize(packed, size, interpolation=cv2.INTER_AREA)
    levels = [packed]
    while min(levels[-1].shape[:2]) > 1:
        levels.append(cv2.pyrDown(levels[-1]))
    total = levels[-1].reshape(-1, channels + 1).sum(0)
    filled = np.broadcast_to(
        packed[..., :-1].sum((0, 1)) / max(float(packed[..., -1].sum()), 1e-12)
        if total[-1] < 1e-6
        else total[:-1] / total[-1],
        (*levels[-1].shape[:2], channels),
    ).astype(np.float32)
    for level in reversed(levels):
        coarse = _enlarged(filled, (level.shape[0], level.shape[1]))
        *parts, known = cv2.split(level)
        share = _repeated(np.minimum(known * 4, 1) / np.maximum(known, 1e-6), channels)
        rest = _repeated(1 - np.minimum(known * 4, 1), channels)
        filled = share * _at_least_3d(cv2.merge(parts)) + rest * coarse
    if step:
        coarse = _enlarged(filled, (height, width))
        filled = coarse + weights * (colour - coarse)
    return filled[..., 0] if flat else filled


def _repeated(value: np.ndarray, channels: int) -> np.ndarray:
    """[H,W,channels]: the same in each; numpy would be slow at sharing one among so few."""
    return _at_least_3d(cv2.merge([value] * channels))


def _enlarged(value: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    size = shape[1], shape[0]
    return _at_least_3d(cv2.resize(np.ascontiguousarray(value), size, interpolation=cv2.INTER_LINEAR))


def _at_least_3d(array: np.ndarray) -> np.ndarray:
    return array[..., None] if array.ndim == 2 else array
