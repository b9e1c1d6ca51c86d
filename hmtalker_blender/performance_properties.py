# SPDX-License-Identifier: GPL-3.0-or-later
"""What an avatar performs and how: its takes, and the settings of its next performance."""

from __future__ import annotations

import bpy

OVERRIDABLE = {"LIBRARY_OVERRIDABLE"}


class HMT_PG_take(bpy.types.PropertyGroup):
    """One performance of an avatar: which strip it came from, and the action that holds its curves and speech."""

    name: bpy.props.StringProperty(name="Strip", description="Sound strip that this performance was made from")  # type: ignore[valid-type]
    number: bpy.props.IntProperty(name="Number", description="Value of Take Number while this performance plays")  # type: ignore[valid-type]
    scene: bpy.props.StringProperty(name="Scene", description="Scene whose Sequencer holds the strip")  # type: ignore[valid-type]
    sound: bpy.props.PointerProperty(name="Sound", type=bpy.types.Sound)  # type: ignore[valid-type]
    action: bpy.props.PointerProperty(name="Action", type=bpy.types.Action)  # type: ignore[valid-type]
    placement: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Placement", description="Where the strip was when the performance was last put under it (JSON)"
    )
    key_error: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Clean Up Error", description="Error within which keys were removed; negative means that none were",
        default=-1.0,
    )  # fmt: skip


def _gain(name: str, description: str) -> bpy.types.Property:
    return bpy.props.FloatProperty(
        name=name, description=description, default=1.0, min=0.0, soft_max=2.0, override=OVERRIDABLE
    )


class HMT_PG_performance(bpy.types.PropertyGroup):
    """How an avatar gives its next performance; the fields of the engine's AnimateSettings."""

    strength: _gain("Articulation", "How strongly the mouth moves with the voice")  # type: ignore[valid-type]
    smoothing: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Smoothing",
        description="How much the mouth's motion is calmed, in 25ths of a second",
        default=0.5,
        min=0.0,
        soft_max=3.0,
        override=OVERRIDABLE,
    )
    blink_rate: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Blinks per Minute",
        description="How often the eyes blink",
        default=17.0,
        min=0.0,
        soft_max=40.0,
        override=OVERRIDABLE,
    )
    brows: _gain("Brows", "How much the brows move with the voice")  # type: ignore[valid-type]
    gaze: _gain("Gaze", "How much the eyes glance about, on faces that follow the avatar and have eyes that can turn")  # type: ignore[valid-type]
    head_motion: _gain("Head Motion", "How much the head moves: sway, nods and its part in breathing")  # type: ignore[valid-type]
    nods: _gain("Nods", "How much the head nods with the voice")  # type: ignore[valid-type]
    breath: _gain("Breath", "How much breathing lifts the shoulders and the head")  # type: ignore[valid-type]
    filmed: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="As Filmed",
        description="Head and upper face move as the person was filmed, forth and back, instead of with the voice",
        default=False,
        override=OVERRIDABLE,
    )
    silence: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Rest in Silence",
        description="Close the mouth where nobody speaks",
        default=True,
        override=OVERRIDABLE,
    )
    seed: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Seed",
        description="The same seed gives the same blinks, brows, glances, breath and head motion",
        default=0,
        min=0,
        override=OVERRIDABLE,
    )

    def as_settings(self) -> dict[str, float | int | bool]:
        """Return the arguments of the engine's AnimateSettings."""
        return {name: getattr(self, name) for name in HMT_PG_performance.__annotations__}


CLASSES = (HMT_PG_take, HMT_PG_performance)
