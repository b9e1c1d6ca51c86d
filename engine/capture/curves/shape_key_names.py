# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of a mesh's shapes are ARKit's, however the rig spells them.

Known: any case, underscores, hyphens, dots and spaces (eyeBlink_L, EyeBlinkLeft, eye_blink.l, mouth smile right); the
side first (L_eyeBlink, leftEyeBlink); a prefix that the shapes share (Head.M_jawOpen, blendShape1.jawOpen); a two-sided
shape without its side (eyeBlink: both), and a one-sided one with sides (browInnerUp_L: the same as browInnerUp).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .arkit_action_units import ARKIT_NAMES, arkit_index

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SIDES = {"l": "left", "left": "left", "r": "right", "right": "right"}
FEWEST = 10
"""Shapes that a face must have before it is taken for one with ARKit's shapes."""


def matched_shapes(names: Sequence[str]) -> dict[str, int]:
    """Name -> place among `ARKIT_NAMES` (the left one where both sides are meant), of those names that are ARKit's.

    Where several names mean the same shape, all are in the result.
    """
    found = {}
    for name in names:
        index = _index(name)
        if index is not None:
            found[name] = index
    return found


def _index(name: str) -> int | None:
    parts = [part.casefold() for part in _PARTS.findall(name)]
    # From the whole name to its end alone: what stands before is a prefix of the rig
    for begin in range(len(parts)):
        index = _of_parts(parts[begin:])
        if index is not None:
            return index
    return None


def _of_parts(parts: list[str]) -> int | None:
    index = arkit_index("".join(parts))
    if index is not None or len(parts) < 2:
        return index if index is not None else _both_sides(parts)
    first, last = _SIDES.get(parts[0]), _SIDES.get(parts[-1])
    if first is not None:
        index = arkit_index("".join(parts[1:]) + first)
        if index is not None:
            return index
        return arkit_index("".join(parts[1:]))
    if last is not None:
        index = arkit_index("".join(parts[:-1]) + last)
        return index if index is not None else arkit_index("".join(parts[:-1]))
    return _both_sides(parts)


def _both_sides(parts: list[str]) -> int | None:
    return arkit_index("".join(parts) + "left")


def side_of(index: int) -> str:
    """ "Left", "Right", or "" of the shape at a place among `ARKIT_NAMES`."""
    name = ARKIT_NAMES[index]
    return next((side for side in ("Left", "Right") if name.endswith(side) and name[: -len(side)] not in _CENTRAL), "")


_CENTRAL = ("jaw", "mouth")
"""jawLeft and mouthRight are directions, not sides."""
