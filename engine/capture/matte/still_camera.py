# SPDX-License-Identifier: GPL-3.0-or-later
"""The empty room behind a person, when the camera stood still: its plate, and where the plate can be relied on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .background_plate import background_plate, evenly
from .smooth_fill import extend

MOVED = 0.07
"""Distance in RGB (0..1 each) from the plate that noise and light do not explain."""
STEADY = 0.8
"""Share of the frames in which a pixel must be near the plate whenever the room is seen there."""
ENOUGH = 0.6
"""Share of the visible room that must be steady for the camera to count as fixed."""
FEWEST = 4
"""Frames. With less, a plate is only a copy of what it is compared with."""


@dataclass(frozen=True)
class StillRoom:
    """rgb: float32 [H,W,3] sRGB 0..1. steady: bool [H,W], where the room was seen and kept its colour.

    noise: standard deviation of a steady pixel's colour over time, per channel.
    """

    rgb: np.ndarray
    steady: np.ndarray
    noise: float


def still_room(frames: Sequence[np.ndarray], persons: Sequence[np.ndarray]) -> StillRoom | None:
    """The room behind somebody in `frames` (uint8 [H,W,3]), or None if the camera moves or too little is seen.

    persons: bool [H,W] for each frame, True where the person may be, with a margin.
    """
    if len(frames) < FEWEST:
        return None
    chosen = evenly(len(frames), 48)
    frames = [frames[index] for index in chosen]
    rooms = [~persons[index] for index in chosen]
    if not any(room.any() for room in rooms):
        return None
    plate = background_plate(frames, rooms, minimum=max(2, len(frames) // 8))
    if not plate.seen.any():
        return None
    near = np.zeros(plate.seen.shape, np.float32)
    visible = np.zeros(plate.seen.shape, np.float32)
    spread = []
    for frame, room in zip(frames, rooms, strict=True):
        image = frame.astype(np.float32) / 255
        away = np.abs(image - plate.rgb * light(plate.rgb, image, room & plate.seen))
        distance = np.sqrt((away * away).sum(-1))
        near += room & (distance < MOVED)
        visible += room
        if (room & plate.seen).any():
            spread.append(np.median(away[room & plate.seen]))
    steady = plate.seen & (near >= STEADY * visible)
    if steady.sum() < ENOUGH * plate.seen.sum() or steady.mean() < 0.03:
        return None
    noise = 1.48 * float(np.median(spread))
    rgb = np.where(steady[..., None], plate.rgb, extend(plate.rgb, steady))
    return StillRoom(np.clip(rgb, 0, 1).astype(np.float32), steady, noise)


def light(plate: np.ndarray, image: np.ndarray, room: np.ndarray) -> np.ndarray:
    """float32 [3]: how much brighter `image` is than `plate` (both float32 [H,W,3]) in each colour, over the `room`."""
    step = max(1, max(room.shape) // 128)
    where = room[::step, ::step]
    gains = np.ones(3, np.float32)
    seen, wanted = plate[::step, ::step][where], image[::step, ::step][where]
    for channel in range(3):
        usable = (seen[:, channel] > 0.05) & (seen[:, channel] < 0.95) & (wanted[:, channel] < 0.97)
        if usable.sum() > 20:
            gains[channel] = np.median(wanted[usable, channel] / seen[usable, channel])
    return np.clip(gains, 0.7, 1.4)
