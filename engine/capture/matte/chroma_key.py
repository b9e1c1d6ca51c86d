# SPDX-License-Identifier: GPL-3.0-or-later
"""A chroma key: the person's soft alpha and own colours from a frame in front of a known blue or green screen.

Where the screen is known, a mixed pixel I = alpha F + (1 - alpha) B has one unknown less than in matting at large: F is
taken from the opaque inside next to it, and alpha is the projection of I - B on F - B (Ruzon and Tomasi, "Alpha
estimation in natural images", CVPR 2000, with B given). Only pixels near the visible screen can be mixed, so
everything further in is opaque whatever its colour.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..errors import CaptureError
from .despill import foreground_colours
from .screen_model import ScreenModel, colour_distance, ycrcb
from .smooth_fill import extend

LUMA = 1.0
"""Weight of luma against chroma: it is sharp where chroma is subsampled, but light varies more than hue."""
BAND = 0.022
"""How far from the visible screen a pixel may be mixed, as a share of the longer side."""
CLEAN = (0.2, 0.84)
"""Estimated alpha that becomes 0 and 1: what is outside these is noise and the bleeding chroma of the coding."""


@dataclass(frozen=True)
class Matte:
    """alpha: float32 [H,W] in 0..1. foreground: float32 [H,W,3] straight sRGB 0..1, screen taken out at the edges."""

    alpha: np.ndarray
    foreground: np.ndarray


def key(frame: np.ndarray, screen: ScreenModel) -> Matte:
    """Key `frame` (uint8 [H,W,3] sRGB) against `screen`. Raises CaptureError when their sizes differ."""
    if frame.shape != screen.plate.shape:
        raise CaptureError("The frame's size is not the screen's: key the clips of another size by themselves.")
    top, bottom, left, right = screen.trim
    height, width = frame.shape[:2]
    scene = (slice(top, height - bottom), slice(left, width - right))
    matte = _key_scene(frame[scene], screen.plate[scene], screen)
    if not any(screen.trim):
        return matte
    return Matte(*(cv2.copyMakeBorder(x, *screen.trim, cv2.BORDER_REPLICATE) for x in (matte.alpha, matte.foreground)))


def _key_scene(frame: np.ndarray, plate_rgb: np.ndarray, screen: ScreenModel) -> Matte:
    image = _smooth_chroma(ycrcb(frame))
    plate = cv2.cvtColor(np.ascontiguousarray(plate_rgb), cv2.COLOR_RGB2YCrCb)
    strength = np.maximum(np.hypot(plate[..., 1] - 0.5, plate[..., 2] - 0.5), 0.5 * screen.evidence.chroma)
    loose = _amount_of_screen(image, plate, strength) > 0.75
    plate = _lit_as_now(image, plate, loose)
    distance = colour_distance(image, plate) / strength
    tight = float(np.clip(4.5 * screen.noise / screen.evidence.chroma, 0.12, 0.3))
    empty = loose & (distance < tight)
    empty, filled = _without_holes(empty, distance, tight)

    band = max(3.0, BAND * max(frame.shape[:2]))
    far = cv2.distanceTransform((~empty).astype(np.uint8), cv2.DIST_L2, 5) if empty.any() else np.full(empty.shape, 1e6)
    solid = _solid(far, image, plate, strength, band)
    if solid.sum() < 0.002 * solid.size:
        return Matte(np.zeros(empty.shape, np.float32), ycc_to_rgb(image))
    inside = extend(image, solid)
    alpha = _projected(image, plate, inside, distance)
    alpha = np.clip((alpha - CLEAN[0]) / (CLEAN[1] - CLEAN[0]), 0, 1)
    alpha[empty & (distance < 0.6 * tight)] = 0
    # Opacity is certain in the depth of the silhouette, and comes in gradually before that.
    sure = np.clip((far - 0.6 * band) / (0.4 * band), 0, 1)
    alpha = np.maximum(alpha, np.where(filled, 1, sure)).astype(np.float32)
    alpha = _person_only(alpha, band)
    colours = ycc_to_rgb(foreground_colours(image, plate, alpha, inside))
    return Matte(alpha, colours)


def ycc_to_rgb(image: np.ndarray) -> np.ndarray:
    """float32 sRGB 0..1 of Y, Cr, Cb."""
    return np.clip(cv2.cvtColor(np.ascontiguousarray(image, np.float32), cv2.COLOR_YCrCb2RGB), 0, 1)


def _smooth_chroma(image: np.ndarray) -> np.ndarray:
    """Chroma that a decoder merely repeated over 2 x 2 pixels, interpolated; any other is returned as it is."""
    chroma = image[..., 1:]
    height, width = (size // 2 * 2 for size in chroma.shape[:2])
    steps = np.abs(np.diff(chroma[:height, :width], axis=1)).mean((0, 2))
    if steps[0::2].mean() > 0.4 * steps[1::2].mean():
        return image
    small = chroma[:height, :width].reshape(height // 2, 2, width // 2, 2, 2).mean((1, 3))
    smooth = cv2.resize(np.ascontiguousarray(small), (width, height), interpolation=cv2.INTER_LINEAR)
    result = image.copy()
    result[:height, :width, 1:] = smooth
    return result


def _amount_of_screen(image: np.ndarray, plate: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """About 1 on the screen, 0 for grey and for other hues: chroma along the screen's, less half of that across."""
    a, b = image[..., 1:] - 0.5, plate[..., 1:] - 0.5
    along = (a * b).sum(-1)
    across = np.abs(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])
    return (along - 0.5 * across) / (strength * strength)


def _lit_as_now(image: np.ndarray, plate: np.ndarray, loose: np.ndarray) -> np.ndarray:
    """The plate under the light of this frame: soft shadows, flicker and automatic exposure, as a smooth gain."""
    clean = cv2.erode(loose.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(np.float32)
    if not clean.any():
        return plate
    ratio = np.clip(image[..., 0] / np.maximum(plate[..., 0], 0.05), 0.6, 1.5)
    sigma = max(image.shape[:2]) / 40
    weight = cv2.GaussianBlur(clean, (0, 0), sigma)
    gain = cv2.GaussianBlur(clean * ratio, (0, 0), sigma) / np.maximum(weight, 1e-6)
    gain = np.clip(extend(gain, np.clip(4 * weight, 0, 1)), 0.75, 1.3)[..., None]
    lit = plate * gain
    lit[..., 1:] += 0.5 * (1 - gain)
    return lit


def _without_holes(empty: np.ndarray, distance: np.ndarray, tight: float) -> tuple[np.ndarray, np.ndarray]:
    """`empty` without patches inside the person that only resemble the screen, and bool [H,W] of those patches.

    The screen reaches the top or a side of the picture. What does not is a gap that one looks through (under the hair)
    if it is as near to the plate as the open screen is and near the outline; otherwise an eye, a button, a shirt.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(empty.astype(np.uint8), connectivity=8)
    filled = np.zeros_like(empty)
    if count < 2:
        return empty, filled
    height, width = empty.shape
    area = stats[:, cv2.CC_STAT_AREA]
    # A strip of open screen may be cut off by an arm, so every large piece at the sides or top counts as open.
    touches = np.zeros(count, bool)
    for line in (labels[0], labels[:, 0], labels[:, -1]):
        touches[np.unique(line)] = True
    is_open = touches & (area > max(4, 2e-4 * empty.size))
    is_open[0] = False
    outside = is_open[labels]
    if not outside.any():
        return empty, empty & ~outside
    depth = cv2.distanceTransform((~outside).astype(np.uint8), cv2.DIST_L2, 5)
    total = np.bincount(labels.ravel(), np.where(empty, distance, 0).ravel(), count)
    nearest = np.full(count, np.inf, np.float32)
    np.minimum.at(nearest, labels.ravel().astype(np.intp), depth.ravel())
    see_through = (total / np.maximum(area, 1) < 0.6 * tight) & (nearest < 0.07 * max(height, width))
    see_through &= area >= 3
    patches = ~is_open & ~see_through
    patches[0] = False
    filled = patches[labels]
    grown = cv2.dilate(filled.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    kept = empty & ~filled
    near_kept = cv2.dilate(kept.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    return kept, filled | (grown & ~near_kept)


def _solid(far: np.ndarray, image: np.ndarray, plate: np.ndarray, strength: np.ndarray, band: float) -> np.ndarray:
    """float32 [H,W]: 1 where the pixel is surely all person, for its colours to be taken from."""
    unlike = _amount_of_screen(image, plate, strength) < 0.15
    near = unlike & (far > max(2.5, 0.25 * band))
    return ((far > band) | near).astype(np.float32)


def _projected(image: np.ndarray, plate: np.ndarray, inside: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """float32 [H,W]: how far each pixel has gone from the screen's colour to the person's.

    Luma and chroma answer by themselves and are weighed by how much they tell the two apart: so an answer is bounded
    before it counts, and a highlight on hair or the soft chroma of video cannot outvote the other.
    """
    to_inside, to_image = inside - plate, image - plate
    length_luma = to_inside[..., 0] ** 2
    length_chroma = (to_inside[..., 1:] ** 2).sum(-1)
    by_luma = np.clip(to_image[..., 0] * to_inside[..., 0] / np.maximum(length_luma, 4e-4), 0, 1)
    by_chroma = np.clip((to_image * to_inside)[..., 1:].sum(-1) / np.maximum(length_chroma, 1e-4), 0, 1)
    length = LUMA * length_luma + length_chroma
    alpha = (LUMA * length_luma * by_luma + length_chroma * by_chroma) / np.maximum(length, 1e-6)
    # A person with nearly the colour of the screen gives no direction: there the distance alone has to do.
    doubt = np.clip((0.02 - length) / 0.015, 0, 1)
    return (alpha * (1 - doubt) + np.clip(distance, 0, 1) * doubt).astype(np.float32)


def _person_only(alpha: np.ndarray, band: float) -> np.ndarray:
    """`alpha` without specks: kept are the largest piece, pieces of a fiftieth of it, and loose hair close to them."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((alpha > 0.5).astype(np.uint8), connectivity=8)
    if count < 2:
        return np.zeros_like(alpha)
    area = stats[:, cv2.CC_STAT_AREA].copy()
    area[0] = 0
    body = (area >= max(0.02 * area.max(), 0.002 * alpha.size))[labels]
    if not body.any():
        return np.zeros_like(alpha)
    near = cv2.distanceTransform((~body).astype(np.uint8), cv2.DIST_L2, 5) <= band
    count, labels = cv2.connectedComponents((alpha > 0.02).astype(np.uint8), connectivity=8)
    linked = np.zeros(count, bool)
    linked[np.unique(labels[near])] = True
    linked[0] = False
    return np.where(linked[labels], alpha, 0).astype(np.float32)
