# SPDX-License-Identifier: GPL-3.0-or-later
"""How people's heads differ, and how expressions move them: what is expected before a person is seen.

``head_shapes.npz`` is made by ``assets/generic_face/make_head_shapes.py`` from random people of the ICT FaceKit face
model (c) 2020 USC Institute for Creative Technologies, MIT licence, and of MakeHuman, CC0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("head_shapes.npz")


@dataclass(frozen=True)
class Population:
    """Heads whose P places differ from `mean` by normal distributions: components, and each place by itself."""

    mean: np.ndarray
    """float64 [P,3] metres."""
    components: np.ndarray
    """float64 [K,P,3] metres, one standard deviation each; independent."""
    normals: np.ndarray
    """float64 [P,3] unit vectors out of the skin."""
    across: np.ndarray
    """float64 [P] metres that a place may lie off along the skin ..."""
    along: np.ndarray
    """float64 [P] ... and along the normal, which is less: wherever on the skin a point lies, it lies on it."""
    modes: np.ndarray
    """float64 [E,P,3] metres, how the places move with one standard deviation of each of E expressions."""

    def covariance(self, places: np.ndarray) -> np.ndarray:
        """float64 [3n,3n] square metres of some `places` [n] (a place may come twice, as two points near it): of all
        x, then all y, then all z."""
        count, every = len(places), np.arange(len(places))
        normals = self.normals[places]
        outward = normals[:, :, None] * normals[:, None]
        own = self.across[places, None, None] ** 2 * (np.eye(3) - outward)
        own += self.along[places, None, None] ** 2 * outward
        parts = self.components[:, places].transpose(0, 2, 1).reshape(len(self.components), -1)
        whole = parts.T @ parts
        whole.reshape(3, count, 3, count)[:, every, :, every] += own
        return np.asarray(whole)


@cache
def population() -> Population:
    """Adults. Places: the 80 SOLVED_LANDMARKS, then the 56 flow_places()."""
    with np.load(FILE) as data:
        return Population(**{name: data[name].astype(np.float64) for name in data.files})
