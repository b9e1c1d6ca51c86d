# SPDX-License-Identifier: GPL-3.0-or-later
"""Units that geometry measures directly: parted lips and blinks; and the scale of lips and jaw.

Lip gap and jaw drop are set against the person's own loudest speech, so that intensity 5 stays free for shouting; how
far that may bend the common scale is limited, because some people hardly open their mouths.
"""

from __future__ import annotations

import numpy as np

from ...action_units import BLINK_CLOSED, MAXIMUM
from .calibration import TOUCHING, Calibration

GAP_AT_5 = 0.25
"""Inner-lip gap at AU25 = 5, in distances between the outer eye corners (the bundled avatar: 16 mm and, with the jaw
dropped, 28 mm of 90)."""
LOUD_PERCENTILE = 99.0
LOUD_AU25, LOUD_AU26 = 3.3, 2.5
"""What the person's loudest speech shows."""
BENDING = 1.6
"""The person's scale lies within this factor of the common one."""
FEWEST_SPOKEN = 100
"""Frames of speech that a scale of one's own needs."""
LID_SLACK = 0.2
"""Share of the way to closed lids that still counts as open: lids follow the gaze."""
LID_SHUT = 0.92
"""Share of the way at which lids count as closed, for the tracker's sake."""
NEVER_SHUT, USUALLY_SHUT = 0.5, 0.12
"""Lids that never fall below the first share of their opening do not blink; then closed is taken to be the second."""


def ramp(values: np.ndarray, start: float, end: float, top: float) -> np.ndarray:
    """0 up to `start`, `top` at `end`, straight on to 5 and never beyond."""
    return np.clip((values - start) / max(end - start, 1e-6) * top, 0, MAXIMUM)


def personal_scale(values: np.ndarray, spoken: np.ndarray, loud: float) -> float:
    """What to divide intensities [T] by, so that the person's loudest speech is `loud`; spoken: bool [T]."""
    if spoken.sum() < FEWEST_SPOKEN:
        return 1.0
    own = float(np.percentile(values[spoken], LOUD_PERCENTILE)) / loud
    return float(np.clip(own, 1 / BENDING, BENDING))


def lips_part(gap: np.ndarray, calibration: Calibration) -> np.ndarray:
    """AU25 [T], 0..5, on the common scale. gap: [T] eye distances, unfiltered: a filter would open short closures."""
    start = calibration.closed_gap + TOUCHING / 2
    return ramp(gap, start, start + GAP_AT_5, MAXIMUM)


def blink(lid: np.ndarray, usable: np.ndarray, open_lid: np.ndarray) -> np.ndarray:
    """AU45 [T], 0..2 from the opening of the lids of one side.

    lid: [T] height over width; usable: bool [T]; open_lid: [T] what counts as open (rest, by clip).
    """
    usual = float(np.median(open_lid)) if len(open_lid) else 0.0
    if usual <= 0 or not usable.any():
        return np.zeros(len(lid))
    least = float(np.percentile(lid[usable], 1))
    shut = least if least < NEVER_SHUT * usual else USUALLY_SHUT * usual
    shut = min(shut, USUALLY_SHUT * usual * 2)
    way = (open_lid - lid) / np.maximum(open_lid - shut, 1e-6)
    return np.minimum(ramp(way, LID_SLACK, LID_SHUT, BLINK_CLOSED), BLINK_CLOSED)
