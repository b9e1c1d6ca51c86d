# SPDX-License-Identifier: GPL-3.0-or-later
"""``Scene.hmtalker.training``: which avatar is trained, how long, and who consented to it."""

from __future__ import annotations

import bpy


class HMT_PG_consent(bpy.types.PropertyGroup):
    """The record that every trained avatar carries; the fields of the engine's Consent, and a tick."""

    given: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="The person consented to this",
        description="The person who is shown knows that an avatar is made of them, and agreed to it",
    )
    person: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Person", description="Name of the person who is shown"
    )
    statement: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Agreed To", description="What the person agreed to: for which film, for how long, for what else"
    )
    date: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Date", description="Day on which the person agreed, as year-month-day, such as 2026-01-31"
    )
    recorded_by: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Recorded By", description="Name of the one who keeps the record of the consent"
    )


class HMT_PG_training(bpy.types.PropertyGroup):
    """What the training makes."""

    preset: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Preset",
        description="How long and how thoroughly the avatar is trained",
        items=(
            ("QUICK", "Quick", "A first look, in a part of the time"),
            ("EDITABLE", "Editable", "For work: follows speech, and the curves of its Action Units"),
        ),
        default="EDITABLE",
    )
    units: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Action Units",
        description="Which Action Units the avatar will have",
        items=(
            ("OPENFACE_17", "OpenFace 17", "The 17 of the paper"),
            ("EXTENDED", "Extended", "The 17, others that round, press and roll the lips, and left and right sides"),
        ),
        default="OPENFACE_17",
    )
    name: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Name", description="Name of the avatar; leave empty for the name of its file"
    )
    output: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Avatar File",
        description="File that the avatar becomes (.hmt); a folder beside it keeps what training needs to go on",
        subtype="FILE_PATH",
        options={"PATH_SUPPORTS_BLEND_RELATIVE"},
        default="//avatar.hmt",
    )
    licence: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Licence", description="What may be done with the avatar, such as CC-BY-4.0 or All rights reserved"
    )
    attribution: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Attribution", description="Who is to be named where the avatar is shown"
    )
    consent: bpy.props.PointerProperty(name="Consent", type=HMT_PG_consent)  # type: ignore[valid-type]
    last_error: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Last Problem", description="What went wrong last time, and what to do about it", options={"SKIP_SAVE"}
    )


CLASSES = (HMT_PG_consent, HMT_PG_training)
