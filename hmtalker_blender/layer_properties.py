# SPDX-License-Identifier: GPL-3.0-or-later
"""``Object.hmtalker.layer``: what the artist makes of the generated layer as a whole, and of each Action Unit in it.

These are settings, not animation: a change writes the generated curves again from the take, at once and without
listening to the speech again. What shall change over time is keyed in the artist's own layer.
"""

from __future__ import annotations

import bpy

from ..engine.action_unit_sets import EXTENDED
from ..engine.action_units import MAXIMUM
from . import avatar_units
from .performance_properties import OVERRIDABLE


def _unit_changed(unit: HMT_PG_unit, _context: bpy.types.Context) -> None:
    from . import generated_layer

    generated_layer.refresh(unit.id_data, [unit.path_from_id().rpartition(".")[2]])  # and its sides


def _layer_changed(layer: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
    from . import generated_layer

    generated_layer.refresh(layer.id_data)


UNIT_ITEMS = [
    (code, f"{name} ({code})", "", index)
    for index, (code, name) in enumerate(zip(EXTENDED.codes, EXTENDED.names, strict=True))
]


def _units_there_are(layer: HMT_PG_layer, _context: bpy.types.Context | None) -> list[tuple[str, str, str, int]]:
    return UNIT_ITEMS[: avatar_units.units_of(layer.id_data).count]


class HMT_PG_unit(bpy.types.PropertyGroup):
    """What becomes of one generated Action Unit."""

    strength: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Strength",
        description="How strong the generated motion is, about the resting face",
        default=1.0,
        min=0.0,
        soft_max=2.0,
        max=10.0,
        override=OVERRIDABLE,
        update=_unit_changed,
    )
    offset: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Offset",
        description="Added to the generated motion wherever the avatar performs",
        min=-MAXIMUM,
        max=MAXIMUM,
        soft_min=-2.0,
        soft_max=2.0,
        step=5,
        override=OVERRIDABLE,
        update=_unit_changed,
    )
    smoothing: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Smoothing",
        description="How much the generated motion is calmed, in 25ths of a second",
        min=0.0,
        soft_max=5.0,
        max=100.0,
        override=OVERRIDABLE,
        update=_unit_changed,
    )
    mute: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Mute",
        description="Leave this Action Unit at rest; keys made by hand still count",
        override=OVERRIDABLE,
        update=_layer_changed,
    )
    solo: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Solo",
        description="Perform only the Action Units that are solo, to see what each of them does",
        override=OVERRIDABLE,
        update=_layer_changed,
    )


class HMT_PG_layer(bpy.types.PropertyGroup):
    """The generated layer. One ``HMT_PG_unit`` for every Action Unit is added below."""

    strength: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Strength",
        description="How strong all generated Action Units are, about the resting face",
        default=1.0,
        min=0.0,
        soft_max=2.0,
        max=10.0,
        override=OVERRIDABLE,
        update=_layer_changed,
    )
    unit: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Action Unit",
        description="Action Unit whose generated motion is adjusted below",
        items=_units_there_are,
        default=EXTENDED.index("AU25"),
        options={"SKIP_SAVE"},
    )
    key_error: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Error",
        description="How far a curve may be from the generated one when keys are removed, in intensities from 0 to 5",
        default=0.05,
        min=0.0,
        max=1.0,
        soft_max=0.5,
        step=1,
        precision=3,
        override=OVERRIDABLE,
    )

    pose_strength: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Strength", description="How strong an applied face is", default=1.0, min=0.0, soft_max=1.5, max=5.0
    )
    pose_blend: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Blend", description="Frames over which the face so far goes over into the applied one", default=8, min=0
    )

    def adjustment(self, code: str) -> HMT_PG_unit:
        """Return what becomes of one Action Unit."""
        return getattr(self, code)

    def reset(self) -> None:
        """Set every slider back, without a word to those who listen for changes."""
        self.property_unset("strength")
        for code in EXTENDED.codes:
            for name in HMT_PG_unit.__annotations__:
                self.adjustment(code).property_unset(name)


for _code, _name in zip(EXTENDED.codes, EXTENDED.names, strict=True):
    HMT_PG_layer.__annotations__[_code] = bpy.props.PointerProperty(name=_name, type=HMT_PG_unit, override=OVERRIDABLE)

CLASSES = (HMT_PG_unit, HMT_PG_layer)
