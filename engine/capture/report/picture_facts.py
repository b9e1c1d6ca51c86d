# SPDX-License-Identifier: GPL-3.0-or-later
"""What one picture is worth: light on the face, sharpness, noise, size and place of the face, lips and lids.

Every figure is normalised so that people, cameras and sizes of picture compare: lengths are in distances of the outer
eye corners (about 90 mm), brightness is that of the displayed picture, 0..1.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

LEFT_EYE, RIGHT_EYE = 33, 263
"""Outer eye corners on the left and on the right of the picture."""
LEFT_OUTLINE = (10, 109, 67, 103, 54, 21, 162, 127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152)
RIGHT_OUTLINE = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152)
"""Outline of the face from the hairline to the chin, on either side of the picture."""
MIDLINE = (152, 175, 199, 200, 18, 17, 14, 13, 0, 164, 2, 4, 195, 6, 168, 9, 151)
"""From the chin up to the forehead."""
EYES = (33, 133, 159, 145, 263, 362, 386, 374, 105, 334)
LIPS = (61, 291, 0, 17)
UPPER_LIP, LOWER_LIP = (82, 13, 312), (87, 14, 317)
"""Inner edges of the lips."""
LIP_CORNERS = (61, 291)
LIDS = ((159, 145), (386, 374))

SAMPLES = 128
"""Rows or columns of the face that light is measured on: single pixels of it, so that clipping is not averaged away."""
DETAIL = 128.0
"""Pixels between the eye corners at which sharpness is measured. Frames of 512 pixels show the eyes 80 to 110 apart."""
PRESMOOTH = 0.7
"""Standard deviation in pixels of the filter that keeps noise from looking like edges."""
SPREAD_OF_EDGE = 2.5066
"""sqrt(2 pi): a step of height C, blurred by a Gaussian of deviation s, is at most C / (2.5066 s) steep."""
WHITE, BLACK = 250, 8
"""8-bit values beyond which a colour is clipped; video range leaves a little on either side."""
NOISE_SIDE = 256
"""Pixels of the square that noise is measured in."""
OUTSIDE_STEP = 16
FLAT = 6.0
"""8-bit contrast below which there is no edge to measure."""

_LINEAR = (np.arange(256) / 255.0) ** 2.2
_GREY = np.array([0.2126, 0.7152, 0.0722])


class PictureFacts(NamedTuple):
    """One picture; all but `surround` are NaN where there is no face."""

    light: float
    """Brightness of the face, 0..1: the mean of the light, coded like a pixel."""
    highlight: float
    """Brightness of its lightest fiftieth, 0..1: skin that shines, the white of the eye. Says more about exposure than
    the mean, which depends on the colour of the skin."""
    light_left: float
    """Linear light on the half that is on the left of the picture, 0..1."""
    light_right: float
    white: float
    """Share of the face where two colours or all three are clipped, 0..1; light skin loses red long before."""
    black: float
    """Share of the face that is crushed to black, 0..1."""
    surround: float
    """Brightness of the whole picture, 0..1."""
    blur: float
    """Width of the edges around the eyes: deviation of a Gaussian, in eye distances. Sharp video has .015 to .03."""
    mouth_blur: float
    """The same around the mouth, which moves fastest."""
    noise: float
    """Standard deviation of the grain, 0..1."""
    size: float
    """Pixels between the outer eye corners; turning the head does not change it."""
    edge: float
    """Eye distances from the outline of the face to the nearest edge of the picture; negative beyond it."""
    lip_gap: float
    """Eye distances between the inner edges of the lips."""
    lip_width: float
    """Eye distances between the lip corners."""
    eyes_open: float
    """Eye distances between the lids, the mean of both eyes."""


COLUMNS: tuple[str, ...] = PictureFacts._fields
"""Names of the columns, in order, where facts are kept as arrays."""
_NAN = float("nan")


def picture_facts(image: np.ndarray, landmarks: np.ndarray | None) -> PictureFacts:
    """image: uint8 [H,W,3] RGB. landmarks: [478,3] pixels counted from a pixel's middle, or None or NaN without a face.

    Takes 1 to 2 ms at 1920 x 1080: light is sampled, sharpness is measured around eyes and mouth only.
    """
    surround = float((_LINEAR[image[::OUTSIDE_STEP, ::OUTSIDE_STEP]] @ _GREY).mean() ** (1 / 2.2))
    nothing = PictureFacts(*[_NAN] * len(COLUMNS))._replace(surround=surround)
    if landmarks is None:
        return nothing
    points = np.asarray(landmarks, np.float64)
    if not np.isfinite(points).all():
        return nothing
    size = float(np.linalg.norm(points[RIGHT_EYE] - points[LEFT_EYE]))
    if not 1.0 < size < 1e5:
        return nothing
    height, width = image.shape[:2]
    outline = points[[*LEFT_OUTLINE, *RIGHT_OUTLINE], :2]
    low, high = outline.min(0), outline.max(0)
    edge = min(low.min(), width - 1 - high[0], height - 1 - high[1]) / size
    left, top = np.clip(np.floor(low), 0, None).astype(int)
    right, bottom = np.minimum(np.ceil(high) + 1, (width, height)).astype(int)
    lips = _lips(points, size)
    if right - left < 4 or bottom - top < 4:  # the face is outside the picture
        return nothing._replace(size=size, edge=float(edge), **lips)
    face = image[top:bottom, left:right]
    return PictureFacts(
        surround=surround,
        size=size,
        edge=float(edge),
        blur=_edge_width(image, points[EYES, :2], size, 0.06, 0.02),
        mouth_blur=_edge_width(image, points[LIPS, :2], size, 0.12, 0.08),
        noise=_grain(face),
        **_light(face, points[:, :2] - (left, top)),
        **lips,
    )


def _light(face: np.ndarray, points: np.ndarray) -> dict[str, float]:
    """Light and clipping inside the outline, from every n-th pixel of `face` [h,w,3]."""
    step = max(1, max(face.shape[:2]) // SAMPLES)
    part = face[::step, ::step]
    halves = np.zeros(part.shape[:2], np.uint8)
    for value, outline in ((1, LEFT_OUTLINE), (2, RIGHT_OUTLINE)):
        polygon = np.clip(points[[*outline, *MIDLINE]] / step, -1e4, 1e4)
        cv2.fillPoly(halves, [np.round(polygon).astype(np.int32)], (value,))
    inside = halves > 0
    if not inside.any():
        return dict.fromkeys(("light", "highlight", "light_left", "light_right", "white", "black"), _NAN)
    colours, side = part[inside], halves[inside]
    linear = _LINEAR[colours] @ _GREY
    sides = [float(linear[side == value].mean()) if (side == value).any() else _NAN for value in (1, 2)]
    return {
        "light": float(linear.mean() ** (1 / 2.2)),
        "highlight": float(np.percentile(linear, 98) ** (1 / 2.2)),
        "light_left": sides[0],
        "light_right": sides[1],
        "white": float(((colours >= WHITE).sum(1) >= 2).mean()),
        "black": float((colours.max(1) <= BLACK).mean()),
    }


def _edge_width(image: np.ndarray, points: np.ndarray, size: float, beside: float, above: float) -> float:
    """How wide the sharpest edges around `points` are, in eye distances: their contrast over their steepness."""
    margin = np.array([beside, above]) * size
    height, width = image.shape[:2]
    left, top = np.maximum(np.floor(points.min(0) - margin), 0).astype(int)
    right, bottom = np.minimum(np.ceil(points.max(0) + margin), (width, height)).astype(int)
    if right - left < 6 or bottom - top < 6:
        return _NAN
    grey = cv2.cvtColor(np.ascontiguousarray(image[top:bottom, left:right]), cv2.COLOR_RGB2GRAY)
    scale = min(1.0, DETAIL / size)
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), PRESMOOTH)
    across = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8)
    dark, light = np.percentile(smooth, (3, 97))
    steep = float(np.percentile(cv2.magnitude(across, down), 98))
    if light - dark < FLAT or steep <= 0:
        return _NAN
    spread = float(light - dark) / steep / SPREAD_OF_EDGE
    # what the filter and the pixels themselves add is not the camera's blur
    return float(np.sqrt(max(spread**2 - PRESMOOTH**2 - 0.3, 0.0)) / (size * scale))


def _grain(face: np.ndarray) -> float:
    """Noise: median of the diagonal differences of 2 x 2 pixels (Donoho's estimate), which edges hardly disturb."""
    middle = [max(0, (length - NOISE_SIDE) // 2) for length in face.shape[:2]]
    part = face[middle[0] : middle[0] + NOISE_SIDE, middle[1] : middle[1] + NOISE_SIDE, 1].astype(np.int16)
    part = part[: part.shape[0] // 2 * 2, : part.shape[1] // 2 * 2]
    diagonal = part[::2, ::2] - part[::2, 1::2] - part[1::2, ::2] + part[1::2, 1::2]
    # mean of the absolute values below the 60th percentile would round to nothing on clean pictures, so interpolate
    size = np.sort(np.abs(diagonal), axis=None)
    if not len(size):
        return _NAN
    counts = np.searchsorted(size, np.arange(size[-1] + 2), side="left") / len(size)
    median = float(np.interp(0.5, counts, np.arange(len(counts)) - 0.5))
    return max(median, 0.0) / 0.6745 / 2 / 255


def _lips(points: np.ndarray, size: float) -> dict[str, float]:
    """Distances in three dimensions, so that turning the head changes little."""

    def apart(first: tuple[int, ...], second: tuple[int, ...]) -> float:
        return float(np.linalg.norm(points[list(first)].mean(0) - points[list(second)].mean(0)) / size)

    return {
        "lip_gap": apart(UPPER_LIP, LOWER_LIP),
        "lip_width": apart(LIP_CORNERS[:1], LIP_CORNERS[1:]),
        "eyes_open": float(np.mean([apart(lids[:1], lids[1:]) for lids in LIDS])),
    }
