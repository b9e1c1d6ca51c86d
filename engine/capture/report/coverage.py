# SPDX-License-Identifier: GPL-3.0-or-later
"""What was performed: Action Units, lip shapes, visemes, turns of the head, blinks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...action_units import BLINK_CLOSED
from .facts import CaptureFacts
from .phones import visemes

LEVELS = (1.0, 2.0, 3.0)
"""Intensities (FACS A to B, B to C, C to D) whose share of the frames is told."""
NEVER_PERCENTILE = 99.5
"""An Action Unit is performed if it passes level 1 for one frame in 200."""
TRUSTED = 0.3
"""Confidence from which an Action Unit is judged."""
LIP_SHAPES = ("closed", "slightly open", "open", "wide open", "rounded", "spread")
SLIGHT, OPEN, WIDE = 0.015, 0.06, 0.13
"""Eye distances between the lips at which they are slightly open, open, wide open. In GRID the middle of P, B and M
has .004, of UW .04, of AH .11, of IY .12."""
ROUNDED, SPREAD = 0.94, 1.05
"""Of the resting width of the mouth. In GRID half of all W, UW, OW lie below the first and 3 % of the silent frames."""
POSE_PERCENTILES = (2.0, 98.0)
CLOSED_EYES = 0.6
"""Of BLINK_CLOSED: a blink of 100 ms is seldom caught at its deepest."""


@dataclass(frozen=True)
class UnitCoverage:
    """One Action Unit over the usable frames."""

    code: str
    shares: tuple[float, ...]
    """Of the frames, above each of `LEVELS`."""
    p95: float
    performed: bool
    confidence: float | None


class Coverage:
    """All of it, over the usable frames of a capture."""

    def __init__(self, facts: CaptureFacts) -> None:
        self._facts = facts
        self._good = facts.usable & facts.seen

    @cached_property
    def units(self) -> tuple[UnitCoverage, ...]:
        facts = self._facts
        values = facts.action_units[self._good]
        values = values[np.isfinite(values).all(1)]
        found = []
        for index, code in enumerate(facts.codes):
            column = values[:, index] if len(values) else np.zeros(1, np.float32)
            scale = BLINK_CLOSED / 2 if code.startswith("AU45") else 1.0
            found.append(
                UnitCoverage(
                    code,
                    tuple(float((column >= level * scale).mean()) for level in LEVELS),
                    float(np.percentile(column, 95)),
                    bool(np.percentile(column, NEVER_PERCENTILE) >= LEVELS[0] * scale),
                    float(facts.confidence[index]) if len(facts.confidence) else None,
                )
            )
        return tuple(found)

    @cached_property
    def never(self) -> tuple[str, ...]:
        """Codes without a side that were not performed, among those whose measurement can be trusted."""
        return tuple(
            unit.code
            for unit in self.units
            if not unit.performed
            and unit.code[-1].isdigit()
            and (unit.confidence is None or unit.confidence >= TRUSTED)
        )

    @cached_property
    def lip_shape(self) -> np.ndarray:
        """int8 [T] index into `LIP_SHAPES` of every usable frame, -1 for the others. Needs no language."""
        facts = self._facts
        gap, width = facts.column("lip_gap"), facts.column("lip_width")
        shape = np.full(facts.frames, -1, np.int8)
        known = self._good & np.isfinite(gap) & np.isfinite(width)
        if not known.any():
            return shape
        still = known & facts.silent & (gap < SLIGHT)
        still = still if still.sum() >= facts.fps / 2 else known & (gap < SLIGHT)
        rest = float(np.median(width[still])) if still.any() else float(np.median(width[known]))
        shape[known] = np.searchsorted((SLIGHT, OPEN, WIDE), gap[known], side="right")
        shape[known & (gap < WIDE) & (width < ROUNDED * rest)] = LIP_SHAPES.index("rounded")
        shape[known & (gap < WIDE) & (width > SPREAD * rest)] = LIP_SHAPES.index("spread")
        return shape

    @cached_property
    def lip_shares(self) -> dict[str, float]:
        """Share of each lip shape among the frames in which somebody speaks."""
        spoken = self.lip_shape[(self.lip_shape >= 0) & ~self._facts.silent]
        return {name: float((spoken == index).sum() / max(1, len(spoken))) for index, name in enumerate(LIP_SHAPES)}

    @cached_property
    def visemes(self) -> dict[str, int]:
        """How often each group of ``phones.VISEMES`` was heard; {} without a recogniser."""
        total: Counter[str] = Counter()
        for clip in self._facts.clips:
            total.update(clip.phones)
        return visemes(total)

    @cached_property
    def angles(self) -> np.ndarray:
        """float64 [n,3] pitch, yaw, roll of the usable frames in degrees, from their median."""
        angles = np.degrees(self._facts.head[self._good, :3].astype(np.float64))
        angles = angles[np.isfinite(angles).all(1)]
        return np.asarray(angles - np.median(angles, axis=0)) if len(angles) else angles

    @cached_property
    def pose_span(self) -> tuple[float, float, float]:
        """Degrees that pitch, yaw and roll span, the rarest 2 % on either side left out."""
        if not len(self.angles):
            return (0.0, 0.0, 0.0)
        low, high = np.percentile(self.angles, POSE_PERCENTILES, axis=0)
        pitch, yaw, roll = (high - low).tolist()
        return (pitch, yaw, roll)

    @cached_property
    def blinks(self) -> float | None:
        """Blinks a minute, or None where AU45 is not known."""
        if "AU45" not in self._facts.codes or not self._good.any():
            return None
        lids = self._facts.action_units[:, self._facts.codes.index("AU45")]
        with np.errstate(invalid="ignore"):
            shut = (lids >= CLOSED_EYES * BLINK_CLOSED) & self._good
        starts = shut & ~np.concatenate([[False], shut[:-1]])
        return float(starts.sum() / (self._good.sum() / self._facts.fps / 60))
