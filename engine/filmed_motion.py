# SPDX-License-Identifier: GPL-3.0-or-later
"""Head and upper face as the person was filmed: the template motion that an avatar brings along (METHOD 6).

It is played forth and back, so that a performance may be longer than the film without a jump.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .avatar import Avatar


def ping_pong(index: int, count: int) -> int:
    """Forth and back through 0..count-1, neighbours always neighbours: 0 1 2 1 0 1 2 ..."""
    return int(forth_and_back(np.array(float(index)), count))


def forth_and_back(places: np.ndarray, count: int) -> np.ndarray:
    """places [...] >= 0 on an endless line of frames -> float64 [...] places within 0..count-1."""
    if count <= 1:
        return np.zeros(np.shape(places))
    around = np.mod(places, 2.0 * (count - 1))
    return np.minimum(around, 2.0 * (count - 1) - around)


def filmed_motion(avatar: Avatar, moments: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """moments: [T] seconds. Head float32 [T,6] and pulls of the upper face [T,8] of the avatar's film then.

    Older avatars know the head alone: their upper face rests. None where an avatar brings no film.
    """
    template = avatar.header.get("template", {})
    head = np.array(template.get("head", []), np.float64).reshape(-1, 6)
    if not len(head):
        return None
    muscles = len(avatar.units.upper)
    known = template.get("upper") or np.zeros((len(head), muscles))
    upper = np.array(known, np.float64).reshape(len(head), muscles)
    places = forth_and_back(np.asarray(moments) * template.get("fps", 25), len(head))
    first = np.minimum(places.astype(np.int64), max(0, len(head) - 2))
    part = (places - first)[:, None]
    after = np.minimum(first + 1, len(head) - 1)
    both = np.concatenate([head, upper], axis=1)
    shown = ((1 - part) * both[first] + part * both[after]).astype(np.float32)
    return shown[:, :6], shown[:, 6:]
