# SPDX-License-Identifier: GPL-3.0-or-later
"""Known pixels extended smoothly over unknown ones."""

from __future__ import annotations

import cv2
import numpy as np


def extend(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """`values` [H,W] or [H,W,C] where `weight` [H,W] (0..1) is 1, extended smoothly over where it is 0.

    Push-pull on a Gaussian pyramid: an unknown pixel takes the finest scale on which anything is known around it.
    float32 of the shape of `values`; all zero when nothing is known.
    """
    flat = values.ndim == 2
    colour = values[..., None] if flat else values
    weight = weight.astype(np.float32)
    if not weight.any():
        return np.zeros(values.shape, np.float32)
    # Extended a mean at a time: what is known lies in a narrow range around it, so rounding stays small.
    packed = np.concatenate([colour * weight[..., None], weight[..., None]], 2).astype(np.float32)
    levels = [packed]
    while min(levels[-1].shape[:2]) > 1:
        levels.append(_at_least_3d(cv2.pyrDown(levels[-1])))
    total = levels[-1].reshape(-1, packed.shape[2]).sum(0)
    filled = np.broadcast_to(
        packed[..., :-1].sum((0, 1)) / max(float(packed[..., -1].sum()), 1e-12)
        if total[-1] < 1e-6
        else total[:-1] / total[-1],
        (*levels[-1].shape[:2], packed.shape[2] - 1),
    ).astype(np.float32)
    for level in reversed(levels):
        height, width = level.shape[:2]
        coarse = _at_least_3d(cv2.resize(np.ascontiguousarray(filled), (width, height), interpolation=cv2.INTER_LINEAR))
        known = level[..., -1:]
        trust = np.clip(known * 4, 0, 1)
        filled = (trust * level[..., :-1] / np.maximum(known, 1e-6) + (1 - trust) * coarse).astype(np.float32)
    return filled[..., 0] if flat else filled


def _at_least_3d(array: np.ndarray) -> np.ndarray:
    return array[..., None] if array.ndim == 2 else array
