# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of work in stages is done, and how long the rest takes: by what is usual, and by what was measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

SETTLED_SECONDS = 3.0
"""Measured time from which on it tells the pace."""


class StageClock:
    """Learns from every report. What is done before the first one, as by an earlier run, does not count as time."""

    def __init__(self, shares: Sequence[float], now: Callable[[], float] = time.monotonic) -> None:
        """shares: of the whole time that each stage usually takes."""
        self._shares = [share / sum(shares) for share in shares]
        self._seconds = [0.0] * len(shares)  # measured
        self._measured = [0.0] * len(shares)  # share of the stage that was done in that time
        self._last = (-1, 0.0, 0.0)  # stage, share of it, moment
        self._now = now

    def at(self, stage: int, share: float) -> tuple[float, float | None]:
        """-> 0..1 of everything, and seconds to the end of everything or None while that is not known.

        stage: which is under way. share: 0..1 of it that is done.
        """
        moment = self._now()
        last_stage, last_share, last_moment = self._last
        if stage == last_stage and share >= last_share:
            self._seconds[stage] += moment - last_moment
            self._measured[stage] += share - last_share
        self._last = stage, share, moment
        done = sum(self._shares[:stage]) + self._shares[stage] * share
        return min(1.0, done), self._left(stage, share)

    def _left(self, stage: int, share: float) -> float | None:
        seconds = sum(self._seconds)
        measured = sum(part * whole for part, whole in zip(self._measured, self._shares, strict=True))
        if seconds < SETTLED_SECONDS or measured <= 0.0:
            return None
        pace = seconds / measured  # of everything, if all stages were as far from the usual as the measured ones
        of_stage = pace * self._shares[stage]
        if self._seconds[stage] >= SETTLED_SECONDS and self._measured[stage] > 0.0:
            of_stage = self._seconds[stage] / self._measured[stage]
        return of_stage * (1.0 - share) + pace * sum(self._shares[stage + 1 :])
