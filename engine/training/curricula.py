# SPDX-License-Identifier: GPL-3.0-or-later
"""Which frame comes next: without replacement, and by curricula that show easy mouths and blinks first (METHOD 4.4).

The parent draws until a frame fits, which never ends for a person who does not blink. Here one look over the whole list
finds the fitting frames; where there is none, any frame will do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import action_units
from .dataset import Pictures
from .schedules import BranchSchedule

PASSES = 4
"""Reshuffles at most that one draw may cost."""
OPENING = action_units.CODES.index("AU25")
BLINK = action_units.CODES.index("AU45")
FACE_START, FACE_WIDTH = 0.2, 0.2
"""The opening window's first middle, in parts of the range of AU25, and its half width, in parts of what is left."""
BLINK_BELOW, BLINK_ABOVE = 0.15, 0.30
WIDEST_PERCENTILE, NARROWEST_PERCENTILE = 95, 25


class FrameDraw:
    """Frame numbers without replacement, reshuffled when they are used up."""

    def __init__(self, frames: np.ndarray) -> None:
        """frames: int [n], at least one."""
        self.frames = np.asarray(frames, np.int64)
        self.order: list[int] = []

    def next(self, rng: np.random.Generator, wanted: np.ndarray | None = None) -> int:
        """wanted: bool [F] over all frame numbers; its frames come first, as long as there are any in the list."""
        if wanted is not None and not wanted[self.frames].any():
            wanted = None
        for _ in range(PASSES):
            if not self.order:
                self.order = [int(frame) for frame in rng.permutation(self.frames)]
            if wanted is None:
                return self.order.pop()
            fitting = np.flatnonzero(wanted[self.order])
            if len(fitting):
                return self.order.pop(int(fitting[-1]))
            self.order = []
        return self.next(rng)

    @property
    def upcoming(self) -> int | None:
        """The frame that comes next if none in particular is wanted; None before a reshuffle."""
        return self.order[-1] if self.order else None

    def restore(self, order: Sequence[int]) -> None:
        self.order = [int(frame) for frame in order]


class PictureDraw:
    """Frames to look at: whole in every so-manieth step, if some can be, and a window of them in the others."""

    def __init__(self, pictures: Pictures, learning: np.ndarray, whole_every: int) -> None:
        """learning: int [n], numbers of the frames that are learnt from. whole_every: 0 for windows alone."""
        self.pictures, self.whole_every = pictures, whole_every
        self.window, self.whole = FrameDraw(learning), FrameDraw(learning[pictures.whole[learning]])

    def next(self, rng: np.random.Generator, iteration: int, wanted: np.ndarray | None = None) -> tuple[int, bool]:
        """A frame without replacement, reshuffled, and whether to look at all of it; the next one is read meanwhile."""
        draw = self._due(iteration)
        frame = draw.next(rng, wanted)
        self.pictures.expect(self._due(iteration + 1).upcoming)
        return frame, draw is self.whole

    def _due(self, iteration: int) -> FrameDraw:
        due = self.whole_every > 0 and iteration % self.whole_every == 0
        return self.whole if due and len(self.whole.frames) else self.window

    def state(self) -> dict[str, list[int]]:
        return {"window": list(self.window.order), "whole": list(self.whole.order)}

    def restore(self, state: dict[str, list[int]]) -> None:
        self.window.restore(state["window"])
        self.whole.restore(state["whole"])


class Lesson:
    """The curriculum of one branch, over the Action Units [F,17] of its frames; learning: the numbers of those used."""

    def __init__(self, branch: str, schedule: BranchSchedule, units: np.ndarray, learning: np.ndarray) -> None:
        self.branch, self.schedule = branch, schedule
        self.opening = units[:, OPENING].astype(np.float64)
        self.blink = np.clip(units[:, BLINK], 0, action_units.BLINK_CLOSED) / action_units.BLINK_CLOSED
        used = self.opening[learning] if len(learning) else np.zeros(1)
        self.least, self.most = float(used.min()), float(used.max())
        self.widest = float(np.percentile(used, WIDEST_PERCENTILE))
        self.narrowest = float(np.percentile(used, NARROWEST_PERCENTILE))

    def wanted(self, iteration: int) -> np.ndarray | None:
        """bool [F] which frames this step asks for, or None for any."""
        schedule, lesson = self.schedule, self.schedule.curriculum
        until = max(1.0, lesson.until * schedule.iterations)
        if iteration >= until:
            return None
        still, done = iteration < schedule.motion_from, iteration / until
        if self.branch == "face":
            if still and _due(iteration, lesson.opening_every):
                start = self.least + FACE_START * (self.most - self.least)
                left = self.most - start
                return np.abs(self.opening - (start + done * left)) <= FACE_WIDTH * left
            if not still and _due(iteration, lesson.blink_every):
                return (self.blink >= done - BLINK_BELOW) & (self.blink <= done + BLINK_ABOVE)
            return None
        if still and lesson.widest_first:
            return self.opening >= self.widest
        if not still and _due(iteration, lesson.widest_every):
            return self.opening >= self.widest - done * (self.widest - self.narrowest)
        return None


def _due(iteration: int, every: int) -> bool:
    """In the middle between multiples, so that it does not fall together with other things done every so often."""
    return every > 0 and iteration % every == every // 2
