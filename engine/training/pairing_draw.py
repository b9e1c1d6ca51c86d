# SPDX-License-Identifier: GPL-3.0-or-later
"""Stochastic feature pairing: what the explicit operand is in one step (METHOD 2.5)."""

from __future__ import annotations

import numpy as np

from ..motion.fusion import Pairing
from .schedules import Pairings


def draw_pairing(rng: np.random.Generator, pairings: Pairings) -> Pairing:
    """One pairing. Takes one random number, whatever it draws."""
    edges = np.cumsum(pairings.probabilities())
    drawn = int(np.searchsorted(edges, rng.random() * edges[-1], side="right"))
    return Pairing(min(drawn, int(np.flatnonzero(pairings.probabilities())[-1])))
