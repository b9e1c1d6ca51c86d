# SPDX-License-Identifier: GPL-3.0-or-later
"""Action Units of all clips, of the extended set; smaller sets are columns of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..action_unit_sets import EXTENDED, ActionUnitSet, convert
from .pose_stage import HeadTrack
from .read_stage import Footage
from .units.face_features import face_features
from .units.measure import UnitCurves, measure_units


def measure(
    footage: Footage, head: HeadTrack, usable: np.ndarray, silent: np.ndarray, advance: Callable[..., None]
) -> UnitCurves:
    """Measure the set ``extended``; advances by frames. usable, silent: bool [T]."""
    features, start = [], 0
    for clip, seen in footage.tracking():
        part = slice(start, start + clip.frames)
        features.append(face_features(seen.landmarks, seen.blendshapes, head.rotations[part]))
        start += clip.frames
        advance(clip.frames, clip.name)
    numbers = np.repeat(np.arange(len(footage.clips)), [clip.frames for clip in footage.clips])
    return measure_units(features, usable, silent, numbers, EXTENDED)


def in_set(units: UnitCurves, unit_set: ActionUnitSet) -> UnitCurves:
    """The same curves in the columns of another set."""
    return replace(
        units,
        codes=unit_set.codes,
        values=convert(units.values, units.codes, unit_set),
        confidence=convert(units.confidence, units.codes, unit_set),
    )
