# SPDX-License-Identifier: GPL-3.0-or-later
"""How pictures look, as a loss: LPIPS of patches and of the lips' rectangle (METHOD 3.1 to 3.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import torch
from torch import Tensor

from ..errors import HMTalkerError
from ..evaluation.lpips import LPIPS, find_lpips
from .losses import zero
from .presets import Preset
from .schedules import Perceptual
from .targets import Crop

SMALLEST = 32
"""Pixels: AlexNet leaves nothing of smaller pictures."""
SHOWS = 0.02
"""Share of a patch that the person must cover."""

Distance = Callable[[Tensor, Tensor], Tensor]
"""Two batches [B,3,h,w] in 0..1 -> their distances [B]."""


def with_perceptual_network(preset: Preset) -> Preset:
    """`preset`, as far as LPIPS's weights are there: without them a preset that can do so goes on without its terms.

    Raises HMTalkerError, which says how to get them, for one that needs them.
    """
    if not preset.wants_lpips:
        return preset
    try:
        find_lpips()
    except HMTalkerError as error:
        if preset.needs_lpips:
            raise HMTalkerError(f"The preset '{preset.name}' needs LPIPS's weights. {error}") from None
        none = Perceptual()
        return replace(
            preset,
            face=replace(preset.face, perceptual=none),
            mouth=replace(preset.mouth, perceptual=none),
            joint=replace(preset.joint, perceptual=none),
        )
    return preset


@cache
def _network() -> LPIPS:
    return LPIPS().eval()


def lpips_distance(image: Tensor, truth: Tensor) -> Tensor:
    """LPIPS by the installed weights."""
    return _network()(image, truth, unit_range=True)


class PerceptualLoss:
    """The terms of one stage."""

    def __init__(self, terms: Perceptual, iterations: int, distance: Distance | None = None) -> None:
        """distance: LPIPS's by default; loading it raises HMTalkerError where its weights are missing."""
        if terms.wanted and distance is None:
            _network()
        self.terms, self.start = terms, terms.start * iterations
        self.distance = distance or lpips_distance

    def due(self, iteration: int) -> bool:
        return self.terms.wanted and iteration >= self.start

    def __call__(
        self, image: Tensor, truth: Tensor, shown: Tensor, lips: Crop | None, rng: np.random.Generator
    ) -> Tensor:
        """image, truth [h,w,3] 0..1; shown [h,w] how much of the person is there; lips: a window of these pictures."""
        total = zero(image)
        if self.terms.lips > 0 and lips is not None:
            window = at_least(lips, image.shape[1], image.shape[0])
            if window is not None:
                total = total + self.terms.lips * self.distance(_batch(image, window), _batch(truth, window)).mean()
        if self.terms.patches > 0:
            if self.terms.lips > 0 and lips is not None:
                keep = torch.ones(image.shape[:2])
                keep[lips.top : lips.bottom, lips.left : lips.right] = 0
                image, truth = image * keep[..., None], truth * keep[..., None]
            windows = self._windows(shown, rng)
            if windows:
                ours = torch.cat([_batch(image, window) for window in windows])
                theirs = torch.cat([_batch(truth, window) for window in windows])
                total = total + self.terms.patches * self.distance(ours, theirs).mean()
        return total

    def _windows(self, shown: Tensor, rng: np.random.Generator) -> list[Crop]:
        """Patches of one size that do not overlap, at a random place of their grid; only those that show the person."""
        height, width = shown.shape
        low, high = self.terms.sides
        side = min(2 * int(rng.integers(low // 2, high // 2 + 1)), width, height)
        places = rng.random(2)
        if side < SMALLEST:
            return []
        top, left = (int(place * (size % side + 1)) for place, size in zip(places, (height, width), strict=True))
        windows = [
            Crop(x, y, x + side, y + side)
            for y in range(top, height - side + 1, side)
            for x in range(left, width - side + 1, side)
            if float(shown[y : y + side, x : x + side].mean()) > SHOWS
        ]
        if self.terms.count and len(windows) > self.terms.count:
            windows = [windows[i] for i in rng.choice(len(windows), self.terms.count, replace=False)]
        return windows


def at_least(window: Crop, width: int, height: int, side: int = SMALLEST) -> Crop | None:
    """`window` grown to `side` pixels where it is smaller, inside a picture of width x height; None if that is."""
    if min(width, height) < side:
        return None

    def span(low: int, high: int, size: int) -> tuple[int, int]:
        low, high = max(0, low), min(size, high)
        wanted = max(side, high - low)
        low = max(0, min((low + high - wanted) // 2, size - wanted))
        return low, low + wanted

    left, right = span(window.left, window.right, width)
    top, bottom = span(window.top, window.bottom, height)
    return Crop(left, top, right, bottom)


def _batch(image: Tensor, window: Crop) -> Tensor:
    """[h,w,3] -> [1,3,side,side]"""
    return image[window.top : window.bottom, window.left : window.right].permute(2, 0, 1)[None]
