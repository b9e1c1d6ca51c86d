# SPDX-License-Identifier: GPL-3.0-or-later
"""The person's own colours at soft edges: the screen is taken out of mixed pixels, and its glow off the rim."""

from __future__ import annotations

import cv2
import numpy as np

from .smooth_fill import extend

REACH = 0.012
"""How far from the soft edge the glow of the screen is removed, as a share of the longer side."""


def foreground_colours(image: np.ndarray, plate: np.ndarray, alpha: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """float32 [H,W,3]: the person's straight Y, Cr, Cb, extended outwards where alpha is 0.

    image, plate: Y, Cr, Cb of frame and empty screen. alpha: [H,W]. inside: float32 [H,W,3], the colours of the opaque
    inside extended outwards. Far from the edge the image is returned as it is, so a blue shirt stays blue.
    """
    cover = alpha[..., None]
    # Solving the mixture for the person divides noise by alpha: thin pixels take the colour of the nearest inside.
    solved = (image - (1 - cover) * plate) / np.maximum(cover, 0.1)
    # Sharpening in cameras draws bright and dark lines along the outline.
    luma = np.clip(solved[..., :1], inside[..., :1] - 0.2, inside[..., :1] + 0.06)
    solved[..., :1] = np.where(cover < 0.98, luma, solved[..., :1])
    trust = np.clip((cover - 0.2) / 0.6, 0, 1)
    trust = trust * trust * (3 - 2 * trust)
    colour = trust * solved + (1 - trust) * inside
    return _without_glow(colour, plate, alpha)


def _without_glow(colour: np.ndarray, plate: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Chroma at the rim moved back from the screen's to what the person shows a little further in; luma is kept.

    Chroma of video is half as sharp as its luma, so the screen bleeds into pixels that are all person.
    """
    reach = max(2.5, REACH * max(alpha.shape))
    opaque = (alpha > 0.98).astype(np.uint8)
    if opaque.all() or not opaque.any():
        return colour
    depth = cv2.distanceTransform(opaque, cv2.DIST_L2, 3)
    deep = (depth > reach).astype(np.float32)
    if not deep.any():
        return colour
    rim = np.clip(2 - depth / reach, 0, 1)[..., None]
    own = extend(colour[..., 1:], deep)
    towards = plate[..., 1:] - own
    length = (towards * towards).sum(-1, keepdims=True)
    share = ((colour[..., 1:] - own) * towards).sum(-1, keepdims=True) / np.maximum(length, 1e-3)
    result = colour.copy()
    result[..., 1:] -= np.clip(share, 0, 1) * rim * towards
    return result
