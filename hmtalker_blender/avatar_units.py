# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Action Units an avatar has, and their values: every avatar object has the properties of the widest set."""

from __future__ import annotations

import bpy
import numpy as np

from ..engine.action_unit_sets import EXTENDED, OPENFACE_17, ActionUnitSet
from ..engine.errors import AvatarError
from . import avatar_object


def units_of(avatar: bpy.types.Object) -> ActionUnitSet:
    """Return the set of an avatar, the 17 until its file was read. Never reads, so that panels may ask."""
    known = avatar_object.loaded(avatar)
    return known.units if known is not None else OPENFACE_17


def read_units_of(avatar: bpy.types.Object) -> ActionUnitSet:
    """Return the set of an avatar, reading its file if need be; the 17 where it cannot be read."""
    try:
        return avatar_object.load(avatar_object.file_of(avatar)).avatar.units
    except AvatarError:
        return OPENFACE_17


def row(values: bpy.types.PropertyGroup) -> list[float]:
    """Return the values of all Action Units of ``Object.hmtalker``, as controls of the widest set."""
    return [getattr(values, code) for code in EXTENDED.codes]


def narrowed(rows: np.ndarray) -> np.ndarray:
    """Return rows [..., 47] as [..., 17] where nothing beyond the 17 is in use; any avatar shows either."""
    return rows[..., : OPENFACE_17.count] if not rows[..., OPENFACE_17.count :].any() else rows
