# SPDX-License-Identifier: GPL-3.0-or-later
"""Is there a blue or green screen, and what colour has it at every pixel?"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..errors import CaptureError
from .background_plate import background_plate, evenly
from .cut_out import ycrcb
from .smooth_fill import extend

HUES = {"green": (75.0, 165.0), "blue": (165.0, 262.0)}
"""Hues in degrees that count as a screen; cheap cameras show blue cloth as cyan."""
WEAKEST = 0.07
"""Chroma (distance from grey in the Cr, Cb plane, 0..0.7) below which a screen is too grey to key."""
SPREAD = np.radians(22.0)
"""Angle in the chroma plane around the screen's own that light and shadow on it stay within."""
MAX_TRIM = 10


@dataclass(frozen=True)
class ScreenEvidence:
    """What the edge of the picture says. confidence: 0..1. reason: why it is no screen, in a sentence, or empty."""

    confidence: float
    colour: str
    angle: float
    chroma: float
    reason: str


@dataclass(frozen=True)
class ScreenModel:
    """The empty screen. plate: float32 [H,W,3] sRGB 0..1. seen: bool [H,W], where it was really visible.

    noise: standard deviation of a screen pixel over time, in the keyer's colour distance. trim: rows and columns at the
    top, bottom, left and right of the picture that show no scene (black or torn lines of analogue cameras).
    """

    plate: np.ndarray
    seen: np.ndarray
    evidence: ScreenEvidence
    noise: float
    trim: tuple[int, int, int, int]

    @property
    def confidence(self) -> float:
        return self.evidence.confidence

    @classmethod
    def fit(cls, frames: Sequence[np.ndarray], limit: int = 48) -> ScreenModel:
        """Learn the screen from `frames` (uint8 [H,W,3] sRGB, one camera position, the person in front of it).

        Looks at no more than `limit` frames. Raises CaptureError, with the reason, when there is no screen.
        """
        _check(frames)
        chosen = [frames[index] for index in evenly(len(frames), limit)]
        evidence = examine_screen(chosen)
        if evidence.reason:
            raise CaptureError(evidence.reason)
        masks = [screen_pixels(ycrcb(frame), evidence) for frame in chosen]
        trim = _torn_edges(np.mean(masks, axis=0) > 0.5)
        masks = [_without_rim(mask) for mask in masks]
        # A pixel is screen if it looks so often; seldom means a shirt's crease or a coding error.
        often = max(1, len(chosen) // 6)
        first = background_plate(chosen, masks, limit, often)
        known = _inliers(first.rgb, first.seen & _inside(first.seen.shape, trim))
        plate = np.where(known[..., None], first.rgb, extend(first.rgb, known)).astype(np.float32)
        plate_ycc = cv2.cvtColor(plate, cv2.COLOR_RGB2YCrCb)
        spread = [
            np.median(colour_distance(ycrcb(frame), plate_ycc)[mask & known])
            for frame, mask in zip(chosen, masks, strict=True)
            if (mask & known).any()
        ]
        # The median of a distance in three dimensions is about 1.54 standard deviations.
        return cls(plate, known, evidence, float(np.median(spread) / 1.54) if spread else 0.0, trim)


def examine_screen(frames: Sequence[np.ndarray]) -> ScreenEvidence:
    """Look for one blue or green colour around the upper part of the picture. Raises CaptureError without frames."""
    _check(frames)
    ring, texture = [], []
    for index in evenly(len(frames), 12):
        frame = frames[index]
        scale = min(1.0, 320 / max(frame.shape[:2]))
        size = (max(8, round(frame.shape[1] * scale)), max(8, round(frame.shape[0] * scale)))
        small = ycrcb(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))
        edge = _ring((small.shape[0], small.shape[1]))
        ring.append(small[edge])
        texture.append(np.abs(small[..., 0] - cv2.GaussianBlur(small[..., 0], (0, 0), 3))[edge])
    pixels, rough = np.concatenate(ring), np.concatenate(texture)
    chroma = np.hypot(pixels[:, 1] - 0.5, pixels[:, 2] - 0.5)
    angles = np.arctan2(pixels[:, 1] - 0.5, pixels[:, 2] - 0.5)
    bins = 72
    counts, _ = np.histogram(angles, bins, (-np.pi, np.pi), weights=np.where(chroma > WEAKEST / 2, chroma, 0))
    smooth = counts + np.roll(counts, 1) + np.roll(counts, -1)
    if smooth.max() <= 0:
        return ScreenEvidence(0.0, "", 0.0, 0.0, _no_screen("the background is grey"))
    peak = -np.pi + (int(smooth.argmax()) + 0.5) * 2 * np.pi / bins
    near = (np.abs(_wrapped(angles - peak)) < SPREAD) & (chroma > WEAKEST / 2)
    angle = float(peak + np.median(_wrapped(angles[near] - peak)))
    strength = float(np.median(chroma[near]))
    near = (np.abs(_wrapped(angles - angle)) < SPREAD) & (chroma > 0.4 * strength)
    coverage = float(near.mean())
    rough_there = float(rough[near].mean()) if near.any() else 1.0
    mean = cv2.cvtColor(pixels[near].mean(0).reshape(1, 1, 3).astype(np.float32), cv2.COLOR_YCrCb2RGB).ravel()
    hue = 360 * colorsys.rgb_to_hsv(*np.clip(mean, 0, 1).tolist())[0]
    colour = next((name for name, (low, high) in HUES.items() if low <= hue < high), "")
    scores = np.clip([(coverage - 0.3) / 0.5, strength / WEAKEST - 0.5, (0.06 - rough_there) / 0.03], 0, 1)
    confidence = float(scores.prod()) if colour else 0.0
    reason = ""
    if strength < WEAKEST:
        reason = _no_screen("the background has hardly any colour")
    elif not colour:
        reason = _no_screen("the background has another colour")
    elif coverage < 0.5:
        reason = _no_screen(f"only {coverage:.0%} of the picture's edge is {colour}")
    elif rough_there > 0.045:
        reason = _no_screen(f"the {colour} background is patterned")
    return ScreenEvidence(confidence, colour, angle, strength, reason)


def screen_pixels(image: np.ndarray, evidence: ScreenEvidence) -> np.ndarray:
    """bool [H,W]: where an image [H,W,3] in Y, Cr, Cb has the screen's hue and at least half of its strength."""
    red, blue = image[..., 1] - 0.5, image[..., 2] - 0.5
    along = red * np.sin(evidence.angle) + blue * np.cos(evidence.angle)
    across = np.abs(red * np.cos(evidence.angle) - blue * np.sin(evidence.angle))
    return (along > 0.5 * evidence.chroma) & (across < along * np.tan(SPREAD))


def colour_distance(a: np.ndarray, b: np.ndarray, luma: float = 0.5) -> np.ndarray:
    """float32 [H,W]: distance of two Y, Cr, Cb images, in which luma counts less because light on a screen varies."""
    difference = a - b
    difference[..., 0] *= luma
    return np.sqrt(cv2.transform(difference * difference, np.ones((1, 3), np.float32)))


def _check(frames: Sequence[np.ndarray]) -> None:
    if not len(frames):
        raise CaptureError("There are no frames to find a screen in: choose a video with a picture.")
    shape = frames[0].shape
    if len(shape) != 3 or shape[2] != 3 or min(shape[:2]) < 8:
        raise CaptureError(
            "The picture is too small or has no colour: a screen needs a colour video of 8 pixels or more."
        )
    if any(frame.shape != shape for frame in frames):
        raise CaptureError("The frames differ in size: put clips of one size and one camera position together.")


def _no_screen(why: str) -> str:
    return (
        f"This is no blue or green screen, because {why}: light an even screen behind the head or use the person matte."
    )


def _wrapped(angle: np.ndarray) -> np.ndarray:
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _ring(shape: tuple[int, int]) -> np.ndarray:
    """Top and upper sides of the picture, less a sliver where analogue cameras show black."""
    height, width = shape
    ring = np.zeros(shape, bool)
    ring[: max(2, height // 8)] = True
    ring[: height * 6 // 10, : max(2, width // 9)] = True
    ring[: height * 6 // 10, -max(2, width // 9) :] = True
    sliver_y, sliver_x = height // 60, width // 60
    ring[:sliver_y] = False
    ring[:, :sliver_x] = False
    ring[:, width - sliver_x :] = False
    return ring


def _without_rim(mask: np.ndarray) -> np.ndarray:
    """Less the pixels that hair and blur may mix with the person."""
    size = 2 * max(1, round(max(mask.shape) / 150)) + 1
    return cv2.erode(mask.astype(np.uint8), np.ones((size, size), np.uint8)) > 0


def _torn_edges(screen: np.ndarray) -> tuple[int, int, int, int]:
    """How many rows or columns at each side are no screen although it is, across most of its width, further in."""
    trims = []
    for lines in (screen, screen[::-1], screen.T, screen.T[::-1]):
        deep = min(MAX_TRIM, len(lines) // 8)
        there = lines[deep]
        share = lines[:deep, there].mean(1) if there.mean() > 0.1 else np.ones(deep)
        bad = np.flatnonzero(share < 0.5)
        trims.append(int(bad[-1]) + 1 if len(bad) else 0)
    return trims[0], trims[1], trims[2], trims[3]


def _inside(shape: tuple[int, ...], trim: tuple[int, int, int, int]) -> np.ndarray:
    inside = np.zeros(shape, bool)
    inside[trim[0] : shape[0] - trim[1], trim[2] : shape[1] - trim[3]] = True
    return inside


def _inliers(rgb: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """bool [H,W]: seen pixels that a smooth surface explains, which a shirt of the screen's hue is not part of."""
    height, width = seen.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    basis = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y, x**3, x * x * y, x * y * y, y**3], -1)
    image = cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb)
    known = seen.copy()
    step = max(1, max(height, width) // 160)
    grid = np.zeros_like(seen)
    grid[::step, ::step] = True
    for _ in range(6):
        pick = known & grid
        if pick.sum() < 40:
            return known if known.any() else seen
        solution = np.linalg.lstsq(basis[pick], image[pick].astype(np.float64), rcond=None)[0]
        error = colour_distance(image, (basis @ solution).astype(np.float32))
        limit = max(4.0 * float(np.median(error[known])), 0.05)
        known = seen & (error < limit)
    # Pixels next to what was rejected are mixed with it.
    rejected = cv2.dilate((seen & ~known).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    shrunk = known & ~rejected
    return shrunk if shrunk.any() else known
