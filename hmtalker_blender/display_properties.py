# SPDX-License-Identifier: GPL-3.0-or-later
"""How avatars are shown: ``Object.hmtalker.display``, and ``Scene.hmtalker.frames`` for rendered frames."""

from __future__ import annotations

import bpy

from ..engine import visible_mark

OVERRIDABLE = {"LIBRARY_OVERRIDABLE"}


class HMT_PG_display(bpy.types.PropertyGroup):
    """How one avatar shows itself in the 3D scene."""

    in_scene: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Show in Scene",
        description="Show the face in the viewport and in EEVEE and Cycles, as the scene camera sees it",
        default=True,
        override=OVERRIDABLE,
    )
    relief: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Depth Relief",
        description="How much the shown face follows the depth of the head, so that objects and shadows meet it there",
        subtype="FACTOR",
        default=1.0,
        min=0.0,
        max=1.0,
        override=OVERRIDABLE,
    )
    viewport_percentage: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Viewport Detail",
        description="Pixels of the face in the viewport, relative to the render's; lower it on a slow machine",
        subtype="PERCENTAGE",
        default=50,
        min=10,
        max=100,
        override=OVERRIDABLE,
    )
    render_percentage: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Render Detail",
        description="Pixels of the face in EEVEE and Cycles renders; at 100 each of the picture has its own",
        subtype="PERCENTAGE",
        default=100,
        min=10,
        max=200,
        override=OVERRIDABLE,
    )
    use_mark: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Visible Mark",
        description="Draw the letters AI in a corner of frames of the render engine HM-Talker, and of both kinds of "
        "strips",
        default=False,
        options=set(),
        override=OVERRIDABLE,
    )
    mark_corner: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Corner",
        description="Where the mark is",
        items=tuple((corner, corner.replace("_", " ").title(), "") for corner in visible_mark.CORNERS),
        options=set(),
        override=OVERRIDABLE,
    )
    mark_size: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Size",
        description="Height of the mark, in percent of the picture's shorter side",
        subtype="PERCENTAGE",
        default=6.0,
        min=2.0,
        max=25.0,
        options=set(),
        override=OVERRIDABLE,
    )
    mark_opacity: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Opacity",
        description="How much of the picture the mark hides",
        subtype="FACTOR",
        default=0.8,
        min=0.2,
        max=1.0,
        options=set(),
        override=OVERRIDABLE,
    )

    def mark(self) -> visible_mark.VisibleMark | None:
        """Return the mark, or None where there is none."""
        if not self.use_mark:
            return None
        return visible_mark.VisibleMark(self.mark_corner, self.mark_size / 100.0, self.mark_opacity)


class HMT_PG_frames(bpy.types.PropertyGroup):
    """How *Render to Sequencer* makes its frames and places its strip, and what a live strip's scene is for."""

    is_live: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Live Strip", description="This scene is what a live strip of a talking avatar shows"
    )
    file_format: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Format",
        description="File format of rendered frames",
        items=(
            ("PNG", "PNG", "8 bits a channel, sRGB, straight alpha"),
            ("EXR", "OpenEXR Half", "16-bit float, linear, premultiplied alpha, with depth"),
        ),
        default="PNG",
    )
    camera: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Camera",
        description="Which camera the frames are seen from",
        items=(
            ("AVATAR", "Avatar's Own", "Head and shoulders, as the avatar was filmed"),
            ("SCENE", "Scene Camera", "The camera and the resolution of the scene that the avatar is in"),
        ),
        default="AVATAR",
    )
    use_background: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Background", description="Fill the frames with a color instead of leaving them transparent"
    )
    background: bpy.props.FloatVectorProperty(  # type: ignore[valid-type]
        name="Background Color",
        description="Color behind the avatar",
        subtype="COLOR",
        size=3,
        min=0.0,
        max=1.0,
        default=(0.0, 0.25, 0.05),
    )
    scale: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Scale",
        description="Size of a new strip in the picture, relative to the frames; afterwards use the strip's Transform",
        default=1.0,
        min=0.01,
        soft_max=4.0,
    )
    position: bpy.props.FloatVectorProperty(  # type: ignore[valid-type]
        name="Position",
        description="Where a new strip is placed, in pixels from the middle of the picture",
        subtype="XYZ",
        size=2,
        default=(0.0, 0.0),
    )


CLASSES = (HMT_PG_display, HMT_PG_frames)
