# SPDX-License-Identifier: GPL-3.0-or-later
"""Which frame of a performance belongs to which frame of the timeline, when its strip is moved, trimmed or retimed.

Knots tie the two: each is (frames after the start of the strip's content, frame of the performance), with straight
lines between them and beyond the outer ones. A strip's retiming keys are such knots.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

Knot = tuple[float, float]
NEAR = 0.51
"""Two keys this close are the same one: keys stand on whole frames."""


class Segment(NamedTuple):
    """A stretch of the timeline over which the performance runs at one speed."""

    start: float
    end: float
    """First and last frame on the timeline."""
    first: float
    last: float
    """The frames of the performance that are shown there."""


def moved_knots(knots: Sequence[Knot], keys: Sequence[float]) -> list[Knot] | None:
    """The knots after the strip's keys became `keys`, or None when nobody can tell which key is which.

    As many as before: every key was dragged, and what it marks in the sound stays. More: the new ones were put in where
    the map was, for adding a key changes nothing by itself. Fewer: some were removed.
    """
    if len(keys) == len(knots):
        return [(key, knot[1]) for key, knot in zip(keys, knots, strict=True)]
    if len(keys) > len(knots):
        if all(_nearest(knot[0], keys) <= NEAR for knot in knots):
            return [(key, action_frame(knots, key)) for key in keys]
        return None
    if len(keys) >= 2 and all(_nearest(key, [knot[0] for knot in knots]) <= NEAR for key in keys):
        return [(key, min(knots, key=lambda knot, key=key: abs(knot[0] - key))[1]) for key in keys]
    return None


def action_frame(knots: Sequence[Knot], place: float) -> float:
    """The frame of the performance at a place of the content; straight on beyond the outer knots."""
    for (t0, a0), (t1, a1) in itertools.pairwise(knots):
        if place <= t1 or t1 == knots[-1][0]:
            return a0 + (place - t0) * (a1 - a0) / (t1 - t0)
    raise ValueError("a time map has at least two knots")


def segments(knots: Sequence[Knot], content_start: float, left: float, right: float, frames: int) -> list[Segment]:
    """What the timeline shows of a performance of `frames` frames through a strip from `left` to before `right`."""
    found = []
    last = len(knots) - 2
    for index, ((t0, a0), (t1, a1)) in enumerate(itertools.pairwise(knots)):
        speed = (a1 - a0) / (t1 - t0) if t1 > t0 else 0.0
        if speed <= 0:
            continue  # a still: nothing is said
        origin = content_start + t0 - a0 / speed  # where frame 0 would be
        start = max(left, origin, content_start + t0 if index > 0 else left)
        end = min(right - 1, origin + (frames - 1) / speed, content_start + t1 if index < last else right - 1)
        if end > start or (end == start and len(knots) == 2):
            found.append(Segment(start, end, (start - origin) * speed, (end - origin) * speed))
    return found


def _nearest(key: float, keys: Sequence[float]) -> float:
    return min(abs(key - other) for other in keys)
