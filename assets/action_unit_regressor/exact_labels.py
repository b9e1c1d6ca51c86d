# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rendered face shows, in the extended set of Action Units.

Most labels are what was asked for. Lips and jaw are read off the shapes that were rendered, so that they mean one
thing: AU25 is the gap between the lips over the width of the eyes, AU26 the jaw's drop up to 5, AU27 the drop beyond.
"""

from __future__ import annotations

import numpy as np
from people.figure import Figure
from people.units import RECIPE, UNITS, UnitLabels, lip_gap

from hmtalker.action_unit_sets import EXTENDED, base
from hmtalker.action_units import BLINK_CLOSED, MAXIMUM
from hmtalker.capture.curves.arkit_action_units import ARKIT_NAMES
from hmtalker.capture.units.strong_units import GAP_AT_5

OUTER_EYES = 1.43
"""The outer eye corners are about this much further apart than the centres of the eyeballs: 90 mm against 63."""
_JAW = ARKIT_NAMES.index("jawOpen")
_DROP, _STRETCH = RECIPE["AU26"]["jawOpen"], RECIPE["AU27"]["jawOpen"]


def exact_labels(units: UnitLabels, weights: np.ndarray, figure: Figure) -> np.ndarray:
    """float32 [EXTENDED.count]. weights: [52], the shapes that were rendered, in the order of ARKIT_NAMES."""
    sides = units.sides.astype(np.float64).copy()
    at = UNITS.index
    shut = sides[at("AU45")] / BLINK_CLOSED
    sides[at("AU05")] *= 1 - shut  # as the shapes are
    sides[at("AU07")] *= 1 - 0.5 * shut
    width = OUTER_EYES * figure.eye_distance
    sides[at("AU25")] = MAXIMUM * lip_gap(weights, figure) / (GAP_AT_5 * width)
    sides[at("AU26")] = MAXIMUM * weights[_JAW] / _DROP
    sides[at("AU27")] = MAXIMUM * (weights[_JAW] - _DROP) / (_STRETCH - _DROP)
    column = {"L": slice(0, 1), "R": slice(1, 2), "": slice(0, 2)}
    values = [
        sides[at(base(code)), column[side]].mean() for code, side in zip(EXTENDED.codes, EXTENDED.sides, strict=True)
    ]
    return EXTENDED.clip(np.array(values))
