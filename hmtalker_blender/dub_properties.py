# SPDX-License-Identifier: GPL-3.0-or-later
"""``Scene.hmtalker.dub``: how footage gets a new voice."""

from __future__ import annotations

import bpy


class HMT_PG_dub(bpy.types.PropertyGroup):
    """What *Dub with Avatar* replaces, and where the footage was captured."""

    region: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Replace",
        description="What is drawn into the footage",
        items=(
            ("MOUTH", "Mouth", "Mouth, chin and cheeks; all else stays as it was filmed"),
            ("HEAD", "Head", "Head, hair and neck"),
        ),
        default="MOUTH",
    )
    dataset: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Captured In",
        description="Training set that the film was captured into; leave empty to capture it first, which takes longer",
        subtype="DIR_PATH",
        options={"PATH_SUPPORTS_BLEND_RELATIVE"},
    )


CLASSES = (HMT_PG_dub,)
