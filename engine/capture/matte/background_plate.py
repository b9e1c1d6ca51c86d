# SPDX-License-Identifier: GPL-3.0-or-later
"""The empty room: what a fixed camera sees behind a person, from the moments at which each pixel is uncovered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import CaptureError
from .smooth_fill import extend


@dataclass(frozen=True)
class BackgroundPlate:
    """rgb: float32 [H,W,3], sRGB-encoded 0..1. seen: bool [H,W], False where the person never uncovers the pixel."""

    rgb: np.ndarray
    seen: np.ndarray


def evenly(count: int, limit: int) -> list[int]:
    """At most `limit` indices below `count`, evenly spread, first and last among them."""
    if count <= limit:
        return list(range(count))
    return sorted({round(index * (count - 1) / (limit - 1)) for index in range(limit)})


def background_plate(
    frames: Sequence[np.ndarray], background: Sequence[np.ndarray], limit: int = 48, minimum: int = 1
) -> BackgroundPlate:
    """The median colour of every pixel over the frames in which it shows the background.

    frames: uint8 [H,W,3] sRGB of one camera position. background: bool [H,W] for each, True where the room is seen.
    limit: how many frames, evenly spread, are looked at (memory grows with it, not with the video).
    minimum: in how many frames a pixel must show the room to count as seen. Never-seen pixels are extended smoothly
    from their surroundings. Raises CaptureError when there are no frames or nothing of the room is seen.
    """
    if not len(frames):
        raise CaptureError("There are no frames to find the background in: choose a video with a picture.")
    chosen = evenly(len(frames), limit)
    stack = np.stack([frames[index] for index in chosen])
    masks = np.stack([background[index] for index in chosen])
    count = masks.sum(0)
    seen = count >= max(minimum, 1)
    if not seen.any():
        raise CaptureError("The background is never visible: film from further away, so that it shows around the head.")
    # Sorted with the covered samples at the end, the median of the others is at half their count. By bands of rows,
    # because a sorted copy of the whole stack would double the memory.
    rgb = np.zeros((*seen.shape, 3), np.float32)
    for top in range(0, seen.shape[0], 64):
        rows = slice(top, top + 64)
        band = np.where(masks[:, rows, :, None], stack[:, rows].astype(np.uint16), 256)
        band.sort(axis=0)
        number = np.maximum(count[rows], 1)[None, :, :, None]
        low = np.take_along_axis(band, (number - 1) // 2, 0)[0]
        high = np.take_along_axis(band, number // 2, 0)[0]
        rgb[rows] = (low.astype(np.float32) + high) / 510
    rgb[~seen] = 0
    rgb = np.where(seen[..., None], rgb, extend(rgb, seen))
    return BackgroundPlate(np.clip(rgb, 0, 1).astype(np.float32), seen)
