# SPDX-License-Identifier: GPL-3.0-or-later
"""AUE-L* and AUE-U*: how far the Action Units of a rendered face are from the real one's.

For each Action Unit the mean square difference over frames; then the SUM over the nine of the lower and the eight of
the upper face, as AUE-L and AUE-U are computed on OpenFace's intensities (0..5). The star: all videos go through our
own extractor instead, so compare within a table only. What it takes for the person's rest comes from the silence of
the real video; what it takes for the person's range comes from all videos of a table together, so that one scale holds
for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .. import action_units
from ..action_unit_sets import OPENFACE_17, ActionUnitSet
from ..capture.units.face_features import face_features
from ..capture.units.measure import measure_units

PADDING = 8
"""Frames between one video of a clip and the next one behind it, over which nothing is smoothed or taken for rest."""
Seen = tuple[np.ndarray, np.ndarray]
"""Landmarks [n,478,3] and blendshapes [n,52] of a clip."""


class ActionUnitError:
    """Keeps features of real and rendered clips as they come: some hundred numbers a frame and video."""

    def __init__(self, units: ActionUnitSet = OPENFACE_17) -> None:
        """units: the set whose errors are told one by one; the sums are of the 17, with which every set begins."""
        self._units = units
        self._clips: list[tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]] = []

    def add(self, real: Seen, ours: Mapping[str, Seen], silent: np.ndarray) -> None:
        """One clip, real and in every rendered video by name. silent: bool [n] nobody speaks. Raises ValueError."""
        features = face_features(*real[:2])
        rendered = {name: face_features(*seen[:2]) for name, seen in ours.items()}
        if any(len(other) != len(features) for other in (*rendered.values(), silent)):
            raise ValueError("real and rendered clips must be equally long")
        self._clips.append((features, rendered, np.asarray(silent, bool)))

    def measure(self) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Action Units [T,n] of the real frames and of each rendered video, and bool [T] where both have a face."""
        # The videos of a clip lie one behind the other as if they were one clip: so the rendered ones are measured
        # against the rest of the real one. They count as speech, so that none of their frames is taken for rest.
        rows: list[np.ndarray] = []
        silent: list[np.ndarray] = []
        clips: list[np.ndarray] = []
        places: dict[str, list[int]] = {}
        start = 0
        for number, (real, rendered, quiet) in enumerate(self._clips):
            parts = {"": real} | rendered
            for name, part in parts.items():
                places.setdefault(name, []).extend(range(start, start + len(part)))
                gap = np.full((PADDING, part.shape[1]), np.nan, np.float32)
                rows += [part, gap]
                silent += [quiet if not name else np.zeros(len(part), bool), np.ones(PADDING, bool)]
                start += len(part) + PADDING
                clips.append(np.full(len(part) + PADDING, number))
        if not rows:
            return np.zeros((0, self._units.count), np.float32), {}, {}
        usable = np.concatenate([np.isfinite(part).all(1) for part in rows])
        values = measure_units(rows, usable, np.concatenate(silent), np.concatenate(clips), self._units).values
        known = {name: usable[places[""]] & usable[place] for name, place in places.items() if name}
        ours = {name: values[place] for name, place in places.items() if name}
        return values[places[""]], ours, known

    def tables(self) -> dict[str, dict[str, float]]:
        """For each rendered video "aue lower" and "aue upper", and the error of each unit by its code; and, for
        comparison, the errors of a face that does not move ("aue lower, motionless")."""
        real, rendered, known = self.measure()
        return {
            name: _table(real[known[name]], ours[known[name]], self._units.codes) for name, ours in rendered.items()
        }


def _table(real: np.ndarray, ours: np.ndarray, codes: Sequence[str]) -> dict[str, float]:
    if not len(real):
        return {}
    errors = ((real - ours).astype(np.float64) ** 2).mean(0)
    still = real.astype(np.float64).var(0)
    table = {}
    for face, index in (("lower", action_units.LOWER_INDEX), ("upper", action_units.UPPER_INDEX)):
        table[f"aue {face}"] = float(errors[list(index)].sum())
        table[f"aue {face}, motionless"] = float(still[list(index)].sum())
    return table | {code: float(error) for code, error in zip(codes, errors, strict=True)}
