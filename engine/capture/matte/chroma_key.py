# SPDX-License-Identifier: GPL-3.0-or-later
"""A chroma key: the person's soft alpha and own colours from a frame in front of a known blue or green screen.

Where the screen is known, a mixed pixel I = alpha F + (1 - alpha) B has one unknown less than in matting at large: F is
taken from the opaque inside next to it, and alpha is the projection of I - B on F - B (Ruzon and Tomasi, "Alpha
estimation in natural images", CVPR 2000, with B given). Only pixels near the visible screen can be mixed, so
everything further in is opaque whatever its colour.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np

from ..errors import CaptureError
from .cut_out import Matte, OpenPixels, ycrcb
from .despill import foreground_of
from .screen_model import ScreenModel, colour_distance
from .smooth_fill import extend

WORK = 640
"""Longer side, in pixels, above which all but the outline is looked at on a smaller picture."""
LUMA = 1.0
"""Weight of luma against chroma: it is sharp where chroma is subsampled, but light varies more than hue."""
BAND = 0.022
"""How far from the visible screen a pixel may be mixed, as a share of the longer side."""
GAP = 0.004
"""Share of the picture above which a patch of the screen's colour within the person is no gap but clothes."""
CLEAN = (0.2, 0.84)
"""Estimated alpha that becomes 0 and 1: what is outside these is noise and the bleeding chroma of the coding."""


def key(frame: np.ndarray, screen: ScreenModel, person: np.ndarray | None = None) -> Matte:
    """Key `frame` (uint8 [H,W,3] sRGB) against `screen`. Raises CaptureError when their sizes differ.

    person: bool [H,W], where the person is for sure, from elsewhere; large patches there are kept, even if they have
    the screen's colour, as a shirt may.
    """
    if frame.shape != screen.plate.shape:
        raise CaptureError("The frame's size is not the screen's: key the clips of another size by themselves.")
    top, bottom, left, right = screen.trim
    height, width = frame.shape[:2]
    scene = (slice(top, height - bottom), slice(left, width - right))
    matte = _key_scene(frame[scene], screen.plate[scene], screen, None if person is None else person[scene])
    if not any(screen.trim):
        return matte
    return Matte(*(cv2.copyMakeBorder(x, *screen.trim, cv2.BORDER_REPLICATE) for x in (matte.alpha, matte.foreground)))


def _key_scene(frame: np.ndarray, plate_rgb: np.ndarray, screen: ScreenModel, person: np.ndarray | None) -> Matte:
    shape = frame.shape[0], frame.shape[1]
    scale = min(1.0, WORK / max(shape))
    if scale < 1:
        size = (max(8, round(shape[1] * scale)), max(8, round(shape[0] * scale)))
        image = ycrcb(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))
        plate_rgb = cv2.resize(plate_rgb, size, interpolation=cv2.INTER_AREA)
    else:
        image = _smooth_chroma(ycrcb(frame))
    if person is not None:
        small = cv2.resize(person.astype(np.uint8), image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        person = small > 0
    seen = _seen(image, plate_rgb, screen, person)
    if seen is None:
        return Matte(np.zeros(shape, np.float32), frame)
    alpha = alpha_small = _alpha(image, seen)
    body = _person(alpha_small, seen.band)
    alpha_small *= body
    if scale < 1:
        # Only around the outline is there more to see at the full size.
        around = np.ones((5, 5), np.uint8)
        settled = [cv2.erode(x.astype(np.uint8), around) > 0 for x in (alpha_small >= 1, alpha_small <= 0)]
        pixels = OpenPixels(~(settled[0] | settled[1]), shape)
        alpha = cv2.resize(alpha_small, shape[::-1], interpolation=cv2.INTER_NEAREST)
        fine = _alpha(ycrcb(pixels.of(frame)), _Seen(*(_sampled(pixels, value) for value in seen)))
        pixels.put(alpha, fine * (pixels.sample(body.astype(np.float32)) > 0))
    return Matte(alpha, foreground_of(frame, alpha, (image, alpha_small), seen.inside, seen.plate))


class _Seen(NamedTuple):
    """What a look at the whole picture tells about each pixel, [H,W] or [H,W,3].

    plate: the empty screen in this frame's light. strength: of its colour. inside: the person's colours, extended.
    empty: where the screen shows. filled: patches inside the person that only resemble it. far: pixels to the nearest
    empty one. tight: distance within which a pixel is screen. band: how far off it a pixel may be mixed.
    """

    plate: np.ndarray
    strength: np.ndarray
    inside: np.ndarray
    empty: np.ndarray
    filled: np.ndarray
    far: np.ndarray
    tight: float
    band: float


def _sampled(pixels: OpenPixels, value: np.ndarray | float) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    return pixels.sample(value.astype(np.float32)) > 0.5 if value.dtype == bool else pixels.sample(value)


def _seen(image: np.ndarray, plate_rgb: np.ndarray, screen: ScreenModel, person: np.ndarray | None) -> _Seen | None:
    """None if nobody is in the picture."""
    plate = cv2.cvtColor(np.ascontiguousarray(plate_rgb), cv2.COLOR_RGB2YCrCb)
    strength = np.maximum(np.hypot(plate[..., 1] - 0.5, plate[..., 2] - 0.5), 0.5 * screen.evidence.chroma)
    loose = _amount_of_screen(image, plate, strength) > 0.75
    plate = _lit_as_now(image, plate, loose)
    distance = colour_distance(image, plate) / strength
    tight = float(np.clip(4.5 * screen.noise / screen.evidence.chroma, 0.12, 0.3))
    empty = loose & (distance < tight)
    kept = np.zeros_like(empty) if person is None else _large(empty & person)
    empty, filled = _without_holes(empty & ~kept, distance, tight)
    filled |= kept
    band = max(3.0, BAND * max(image.shape[:2]))
    far = np.full(empty.shape, 1e6, np.float32)
    if empty.any():
        far = np.asarray(cv2.distanceTransform((~empty).astype(np.uint8), cv2.DIST_L2, 5))
    solid = _solid(far, image, plate, strength, band)
    if solid.sum() < 0.002 * solid.size:
        return None
    return _Seen(plate, strength, extend(image, solid), empty, filled, far, tight, band)


def _alpha(image: np.ndarray, seen: _Seen) -> np.ndarray:
    """float32 [H,W] of an image in Y, Cr, Cb."""
    distance = colour_distance(image, seen.plate) / seen.strength
    alpha = _projected(image, seen.plate, seen.inside, distance)
    alpha = np.clip((alpha - CLEAN[0]) / (CLEAN[1] - CLEAN[0]), 0, 1)
    alpha[seen.empty & (distance < 0.6 * seen.tight)] = 0
    # Opacity is certain in the depth of the silhouette, and comes in gradually before that.
    sure = np.clip((seen.far - 0.6 * seen.band) / (0.4 * seen.band), 0, 1)
    return np.maximum(alpha, np.where(seen.filled, 1, sure)).astype(np.float32)


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
    along = a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1]
    across = np.abs(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])
    return (along - 0.5 * across) / (strength * strength)


def _lit_as_now(image: np.ndarray, plate: np.ndarray, loose: np.ndarray) -> np.ndarray:
    """The plate under the light of this frame: soft shadows, flicker and automatic exposure, as a smooth gain."""
    clean = cv2.erode(loose.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(np.float32)
    if not clean.any():
        return plate
    ratio = np.clip(image[..., 0] / np.maximum(plate[..., 0], 0.05), 0.6, 1.5)
    # The gain is smooth, so a quarter of the size is enough.
    height, width = clean.shape
    size = (max(1, width // 4), max(1, height // 4))
    both = cv2.resize(cv2.merge([clean, clean * ratio]), size, interpolation=cv2.INTER_AREA)
    both = cv2.GaussianBlur(both, (0, 0), max(size) / 40)
    weight = both[..., 0]
    gain = np.clip(extend(both[..., 1] / np.maximum(weight, 1e-6), np.clip(4 * weight, 0, 1)), 0.75, 1.3)
    gain = cv2.resize(gain, (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
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


def _large(where: np.ndarray) -> np.ndarray:
    """bool [H,W]: `where` without pieces that may be gaps one looks through."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(where.astype(np.uint8), connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] > GAP * where.size
    large[0] = False
    return large[labels]


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
    length_chroma = to_inside[..., 1] ** 2 + to_inside[..., 2] ** 2
    by_luma = np.clip(to_image[..., 0] * to_inside[..., 0] / np.maximum(length_luma, 4e-4), 0, 1)
    along_chroma = to_image[..., 1] * to_inside[..., 1] + to_image[..., 2] * to_inside[..., 2]
    by_chroma = np.clip(along_chroma / np.maximum(length_chroma, 1e-4), 0, 1)
    length = LUMA * length_luma + length_chroma
    alpha = (LUMA * length_luma * by_luma + length_chroma * by_chroma) / np.maximum(length, 1e-6)
    # A person with nearly the colour of the screen gives no direction: there the distance alone has to do.
    doubt = np.clip((0.02 - length) / 0.015, 0, 1)
    return (alpha * (1 - doubt) + np.clip(distance, 0, 1) * doubt).astype(np.float32)


def _person(alpha: np.ndarray, band: float) -> np.ndarray:
    """bool [H,W]: no specks. Kept are the largest piece, pieces of a fiftieth of it, and loose hair close to them."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((alpha > 0.5).astype(np.uint8), connectivity=8)
    if count < 2:
        return np.zeros(alpha.shape, bool)
    area = stats[:, cv2.CC_STAT_AREA].copy()
    area[0] = 0
    body = (area >= max(0.02 * area.max(), 0.002 * alpha.size))[labels]
    if not body.any():
        return np.zeros(alpha.shape, bool)
    near = cv2.distanceTransform((~body).astype(np.uint8), cv2.DIST_L2, 5) <= band
    count, labels = cv2.connectedComponents((alpha > 0.02).astype(np.uint8), connectivity=8)
    linked = np.zeros(count, bool)
    linked[np.unique(labels[near])] = True
    linked[0] = False
    return linked[labels]
