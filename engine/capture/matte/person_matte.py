# SPDX-License-Identifier: GPL-3.0-or-later
"""The matte of a person before any background: a network says where the person is, the picture where the edge runs.

The network answers at 256 x 256. Around its outline a band of pixels is open. There, alpha is the projection of the
pixel on the line from the background's colour to the person's (Ruzon and Tomasi, CVPR 2000), as far as the two differ
more than either varies; elsewhere the network's answer, led along the edges of the picture by a guided filter. The
background is the empty room where the camera stood still and it has been seen (difference matting), otherwise what
lies just outside the band. Nothing is carried from frame to frame: the same frame always gives the same matte.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from ..errors import CaptureError
from .background_plate import evenly
from .cut_out import Matte, OpenPixels, summed
from .despill import foreground_of
from .guided_filter import GuidedFilter, read_off
from .person_network import PersonNetwork
from .smooth_fill import extend
from .still_camera import StillRoom, light, still_room

WORK = 512
"""Longer side, in pixels, of the picture on which colours are extended and filters run."""
BAND = 0.022
"""Half the width of the open band, as a share of the longer side: what the network's outline may be off."""
MARGIN = 3
"""Pixels of the network's answer around the person that do not show the room for sure."""
SMOOTH = 1e-4
"""Variance of colour below which the guided filter averages."""
CAUTION = 20.0
"""How many times the spread of colours their squared difference must be for the projection to count half."""
OTHER = (0.03, 0.12)
"""How far beside the line from background to person a colour begins to be, and surely is, a third colour."""
CLEAN = (0.16, 0.84)
"""Estimated alpha that becomes 0 and 1: beyond these it is noise."""


class PersonMatte:
    """Callable: uint8 [H,W,3] -> :class:`Matte`. `room` is the empty room, or None. Can be pickled."""

    def __init__(self, network: PersonNetwork, room: StillRoom | None) -> None:
        self._network, self.room = network, room

    @classmethod
    def fit(cls, frames: Sequence[np.ndarray], network: PersonNetwork | None = None, limit: int = 48) -> PersonMatte:
        """Look for the room behind the person in up to `limit` of `frames` (uint8 [H,W,3], one size).

        Raises HMTalkerError when the network is missing, CaptureError without frames.
        """
        if not len(frames):
            raise CaptureError("There are no frames to find a person in: choose a video with a picture.")
        network = network or PersonNetwork()
        chosen = [frames[index] for index in evenly(len(frames), limit)]
        persons = [_may_be_person(network(frame), (frame.shape[0], frame.shape[1])) for frame in chosen]
        return cls(network, still_room(chosen, persons))

    def __call__(self, frame: np.ndarray) -> Matte:
        """Raises CaptureError when the frame's size is not that of the room."""
        if self.room is not None and frame.shape != self.room.rgb.shape:
            raise CaptureError("The frame's size is not the room's: take the clips of another size by themselves.")
        return _refined(frame, self._network(frame), self.room)


def _may_be_person(person: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """bool [H,W]: the network's answer with a margin for loose hair and shadows."""
    wide = cv2.dilate((person > 0.05).astype(np.uint8), _disc(MARGIN))
    return cv2.resize(wide, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST) > 0


def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def _refined(frame: np.ndarray, person: np.ndarray, room: StillRoom | None) -> Matte:
    shape = frame.shape[0], frame.shape[1]
    scale = min(1.0, WORK / max(shape))
    size = (max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale)))
    small = frame if scale == 1 else cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    image = small.astype(np.float32) / 255
    rough = np.clip(cv2.resize(person, size, interpolation=cv2.INTER_LINEAR), 0, 1)
    reach = max(2, round(BAND * max(size)))
    inside = cv2.erode((rough > 0.8).astype(np.uint8), _disc(reach))
    outside = cv2.erode((rough < 0.2).astype(np.uint8), _disc(reach))
    mixed = (inside == 0) & (outside == 0)
    if not inside.any() or not mixed.any():
        return Matte(np.full(shape, float(rough.mean() > 0.5), np.float32), frame)
    led = GuidedFilter(image, max(2, reach // 2), SMOOTH).linear(rough)
    known = _known_colours(image, inside, outside, room, reach)

    edge = OpenPixels(mixed, (size[1], size[0]))
    alpha_small = inside.astype(np.float32)
    edge.put(alpha_small, _solved_alpha(edge, image, known, led))
    alpha = alpha_small
    if scale < 1:
        alpha = cv2.resize(inside, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST).astype(np.float32)
        full = OpenPixels(mixed, shape)
        full.put(alpha, _solved_alpha(full, frame, known, led, room))
    own, back = (cv2.cvtColor(value, cv2.COLOR_RGB2YCrCb) for value in known[:2])
    colours = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)
    return Matte(alpha, foreground_of(frame, alpha, (colours, alpha_small), own, back))


def _solved_alpha(
    pixels: OpenPixels, picture: np.ndarray, known: _Known, led: np.ndarray, room: StillRoom | None = None
) -> np.ndarray:
    """float32 [n,1]: alpha of the open pixels of a picture (float32 0..1 or uint8), with a sharp `room` if there is."""
    part = pixels.of(picture)
    if part.dtype == np.uint8:
        part = part.astype(np.float32) / 255
    back = pixels.sample(known.back)
    if room is not None:
        sharp = pixels.of(room.rgb) * known.gains
        back = np.where(pixels.of(room.steady)[..., None], sharp, back)
    spreads = pixels.sample(known.own_spread), pixels.sample(known.back_spread)
    alpha = _alpha(
        part, pixels.sample(known.blurred), pixels.sample(known.own), back, *spreads, read_off(pixels.sample(led), part)
    )
    return np.clip((alpha - CLEAN[0]) / (CLEAN[1] - CLEAN[0]), 0, 1).astype(np.float32)


class _Known(NamedTuple):
    """The person's colours and the background's, extended over each other, and the variance of each, all [h,w,…].

    gains: [3], the light of this frame on the plate of the room. blurred: the frame without its noise.
    """

    own: np.ndarray
    back: np.ndarray
    own_spread: np.ndarray
    back_spread: np.ndarray
    gains: np.ndarray
    blurred: np.ndarray


def _known_colours(
    image: np.ndarray, inside: np.ndarray, outside: np.ndarray, room: StillRoom | None, reach: int
) -> _Known:
    height, width = inside.shape
    own, own_spread = _extended(image, inside, reach)
    gains = np.ones(3, np.float32)
    blurred = cv2.GaussianBlur(image, (0, 0), 1.0)
    if room is None:
        back, back_spread = _extended(image, outside, reach)
        return _Known(own, back, own_spread, back_spread, gains, blurred)
    plate = cv2.resize(room.rgb, (width, height), interpolation=cv2.INTER_AREA)
    steady = cv2.resize(room.steady.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) > 0.9
    gains = light(plate, image, (outside > 0) & steady)
    seen = np.where(steady[..., None], plate * gains, image)
    back, back_spread = _extended(seen, ((outside > 0) | steady).astype(np.uint8), reach)
    back_spread = np.where(steady, np.float32(3 * room.noise**2), back_spread)
    return _Known(own, back, own_spread, back_spread, gains, blurred)


def _extended(image: np.ndarray, known: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Colours where `known` and their extension over the rest, and the variance of the known ones around a pixel."""
    weight = known.astype(np.float32)
    height, width = known.shape
    size = (max(1, width // 4), max(1, height // 4))
    grey = summed(image) / 3
    packed = cv2.merge([weight, weight * grey, weight * summed(image * image) / 3])
    packed = cv2.resize(packed, size, interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(packed, (0, 0), max(0.5, reach / 2))
    share = np.maximum(blurred[..., 0], 1e-4)
    mean = blurred[..., 1] / share
    spread = np.maximum(blurred[..., 2] / share - mean * mean, 0)
    return extend(image, weight, step=1), cv2.resize(spread, (width, height), interpolation=cv2.INTER_LINEAR)


def _alpha(
    part: np.ndarray,
    blurred: np.ndarray,
    own: np.ndarray,
    back: np.ndarray,
    own_spread: np.ndarray,
    back_spread: np.ndarray,
    led: np.ndarray,
) -> np.ndarray:
    """Alpha by colour, as far as the colours of person and background tell; elsewhere `led`."""
    towards, away, blurred = own - back, part - back, blurred - back
    length = summed(towards * towards)
    along = summed(away * towards)
    by_colour = np.clip(along / np.maximum(length, 1e-4), 0, 1)
    # A colour beside the line is another colour of the person, if it is further off than the background varies.
    along = summed(blurred * towards)
    beside = np.sqrt(np.maximum(summed(blurred * blurred) - along * along / np.maximum(length, 1e-4), 0))
    other = np.clip((beside - 2.5 * np.sqrt(back_spread) - OTHER[0]) / OTHER[1], 0, 1)
    by_colour += (1 - by_colour) * other
    trust = length / (length + CAUTION * (own_spread + back_spread) + 4e-3)
    trust = np.maximum(trust, other)
    return trust * by_colour + (1 - trust) * np.clip(led, 0, 1)
