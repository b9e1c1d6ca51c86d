# SPDX-License-Identifier: GPL-3.0-or-later
"""The person's own colours at soft edges: the background is taken out of mixed pixels, and its glow off the rim.

All colours are Y, Cr, Cb. What needs only the pixel itself takes any [H,W,3], also a column of pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from .cut_out import OpenPixels, to_bytes, ycrcb
from .smooth_fill import extend

REACH = 0.012
"""How far from the soft edge the glow of the background is removed, as a share of the longer side."""
BLUE_OVER_GREEN = np.array([0.714, 2.116], np.float32)
"""Cr and Cb of blue minus green (BT.601)."""
BLUER = 0.02
"""By how much more the rim may be blue than green, next to the person's own: what exceeds it is a magenta line."""


def foreground_of(
    frame: np.ndarray, alpha: np.ndarray, small: tuple[np.ndarray, np.ndarray], own: np.ndarray, back: np.ndarray
) -> np.ndarray:
    """uint8 [H,W,3]: the straight colours of the person with `alpha` [H,W] in `frame` (uint8 [H,W,3]).

    small: the frame (Y, Cr, Cb) and alpha on the picture [h,w], which may be smaller, on which the colours of the
    person, `own`, and of the background, `back`, are extended over each other.
    """
    image, alpha_small = small
    opaque, empty = alpha_small >= 1, alpha_small <= 0
    around = np.ones((3, 3), np.uint8)
    settled = [cv2.erode(x.astype(np.uint8), around) > 0 for x in (opaque, empty)]
    edge = ~(settled[0] | settled[1])
    colours = image.copy()
    pixels = OpenPixels(edge, (image.shape[0], image.shape[1]))
    pixels.put(colours, solved_colours(*(pixels.of(value) for value in (image, back, alpha_small, own))))
    glow = glow_of(colours, alpha_small)

    size = frame.shape[1], frame.shape[0]
    out = frame.copy()
    spread = cv2.resize(to_bytes(own), size, interpolation=cv2.INTER_LINEAR)
    cv2.copyTo(spread, cv2.resize(empty.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST), out)
    pixels = OpenPixels(edge if glow is None else edge | ((glow.rim > 0) & ~empty), (size[1], size[0]))
    here = pixels.of(image) if pixels.same else ycrcb(pixels.of(frame))
    behind = pixels.sample(back)
    values = solved_colours(here, behind, pixels.of(alpha), pixels.sample(own))
    if glow is not None:
        values = without_glow(values, behind, Glow(pixels.sample(glow.own), pixels.sample(glow.rim)))
    pixels.put(out, to_bytes(values))
    return out


def solved_colours(image: np.ndarray, plate: np.ndarray, alpha: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """float32 [H,W,3]: the person's straight colours; those extended from the inside where alpha is 0.

    image, plate: frame and empty background. alpha: [H,W]. inside: float32 [H,W,3], the colours of the opaque inside
    extended outwards. Far from the edge the image is returned as it is, so a blue shirt stays blue.
    """
    cover = alpha[..., None]
    # Solving the mixture for the person divides noise by alpha: thin pixels take the colour of the nearest inside.
    solved = (image - (1 - cover) * plate) / np.maximum(cover, 0.1)
    # Sharpening in cameras draws bright and dark lines along the outline.
    luma = np.clip(solved[..., :1], inside[..., :1] - 0.2, inside[..., :1] + 0.06)
    solved[..., :1] = np.where(cover < 0.98, luma, solved[..., :1])
    trust = np.clip((cover - 0.2) / 0.6, 0, 1)
    trust = trust * trust * (3 - 2 * trust)
    return inside + trust * (solved - inside)


class Glow(NamedTuple):
    """own: float32 [H,W,2], the chroma of the person a little further in. rim: float32 [H,W], 1 at the edge, 0 deep."""

    own: np.ndarray
    rim: np.ndarray


def glow_of(colour: np.ndarray, alpha: np.ndarray) -> Glow | None:
    """Where the background may glow on the person, of straight colours [H,W,3]; None if there is no edge or no depth.

    Chroma of video is half as sharp as its luma, so the background bleeds into pixels that are all person.
    """
    reach = max(2.5, REACH * max(alpha.shape))
    opaque = (alpha > 0.98).astype(np.uint8)
    if opaque.all() or not opaque.any():
        return None
    depth = cv2.distanceTransform(opaque, cv2.DIST_L2, 3)
    deep = (depth > reach).astype(np.float32)
    if not deep.any():
        return None
    return Glow(extend(np.ascontiguousarray(colour[..., 1:]), deep, step=1), np.clip(2 - depth / reach, 0, 1))


def without_glow(colour: np.ndarray, plate: np.ndarray, glow: Glow) -> np.ndarray:
    """Chroma at the rim moved back from the background's to the person's own; luma is kept.

    Before a blue screen, blue is then limited by green: where a channel of the screen is clipped, or an ear lets light
    through, mixed pixels are off the line between the two colours, and what is left of them is magenta.
    """
    towards = plate[..., 1:] - glow.own
    away = colour[..., 1:] - glow.own
    length = (towards[..., 0] * towards[..., 0] + towards[..., 1] * towards[..., 1])[..., None]
    along = (away[..., 0] * towards[..., 0] + away[..., 1] * towards[..., 1])[..., None]
    result = colour.copy()
    result[..., 1:] -= np.clip(along / np.maximum(length, 1e-3), 0, 1) * glow.rim[..., None] * towards
    bluer = (result[..., 1:] - glow.own) @ BLUE_OVER_GREEN - BLUER
    screen_is = np.maximum(towards @ BLUE_OVER_GREEN, 0)
    result[..., 2] -= np.clip(bluer, 0, screen_is) * glow.rim / BLUE_OVER_GREEN[1]
    return result
