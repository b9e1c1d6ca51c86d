# SPDX-License-Identifier: GPL-3.0-or-later
"""Sliders of Action Units: the 17 as a list; wider sets in groups, with left and right of a unit in a row below it.

Names stand in the sliders: half a sidebar would be too narrow for them.
"""

from __future__ import annotations

import bpy

from ..engine.action_unit_sets import OPENFACE_17, SIDES
from ..engine.action_units import LOWER, UPPER
from ..hmtalker_blender import avatar_units

UPPER_GROUPS: dict[str, tuple[str, ...]] = {
    "Brows": ("AU01", "AU02", "AU04"),
    "Eyes": ("AU05", "AU07", "AU45"),
    "Cheeks and Nose": ("AU06", "AU09"),
}
LOWER_GROUPS: dict[str, tuple[str, ...]] = {
    "Lips": ("AU10", "AU12", "AU14", "AU15", "AU16", "AU18", "AU20", "AU22", "AU23", "AU24", "AU25", "AU28"),
    "Jaw": ("AU17", "AU26", "AU27"),
}
SIDE_NAMES = {"L": "Left", "R": "Right"}


def draw_upper_face(column: bpy.types.UILayout, avatar: bpy.types.Object) -> None:
    """Draw brows, eyes, cheeks and nose."""
    _draw(column, avatar, UPPER, UPPER_GROUPS)


def draw_lower_face(column: bpy.types.UILayout, avatar: bpy.types.Object) -> None:
    """Draw lips and jaw."""
    _draw(column, avatar, LOWER, LOWER_GROUPS)


def _draw(
    column: bpy.types.UILayout, avatar: bpy.types.Object, listed: tuple[str, ...], groups: dict[str, tuple[str, ...]]
) -> None:
    units, values = avatar_units.units_of(avatar), avatar.hmtalker
    if units is OPENFACE_17:
        for code in listed:
            column.prop(values, code, slider=True)
        return
    for title, codes in groups.items():
        column.label(text=title)
        for code in codes:
            column.prop(values, code, slider=True)
            if code not in units.muscles:
                row = column.row(align=True)
                for side in SIDES:
                    row.prop(values, code + side, text=SIDE_NAMES[side], slider=True)
