# SPDX-License-Identifier: GPL-3.0-or-later
"""The animatable properties of an avatar at ``Object.hmtalker``, and the scene's choices at ``Scene.hmtalker``."""

from __future__ import annotations

import bpy

from ..engine.action_unit_sets import EXTENDED, base
from ..engine.action_units import MAXIMUM
from . import display_properties, dub_properties, layer_properties, performance_properties, training_properties

NOT_SPEAKING = -1.0
"""Default of ``speech_time``: no moment of any take is being spoken, so the face runs on its Action Units alone."""

OVERRIDABLE = {"LIBRARY_OVERRIDABLE"}
BLEND_RELATIVE = {"PATH_SUPPORTS_BLEND_RELATIVE"}

DESCRIPTIONS = {
    "AU01": "Raise the inner ends of the brows",
    "AU02": "Raise the outer ends of the brows",
    "AU04": "Lower the brows and draw them together",
    "AU05": "Raise the upper lids, eyes wide",
    "AU06": "Raise the cheeks, eyes narrowed as in a smile",
    "AU07": "Tighten the lids",
    "AU09": "Wrinkle the nose",
    "AU10": "Raise the upper lip",
    "AU12": "Pull the lip corners up, as in a smile",
    "AU14": "Tighten the lip corners into dimples",
    "AU15": "Pull the lip corners down",
    "AU16": "Draw the lower lip down",
    "AU17": "Push the chin and lower lip up",
    "AU18": "Draw the lips together, as for a kiss",
    "AU20": "Stretch the lips sideways",
    "AU22": "Turn the lips outward into a funnel, as in SH",
    "AU23": "Tighten the lips",
    "AU24": "Press the lips together",
    "AU25": "Part the lips",
    "AU26": "Drop the jaw",
    "AU27": "Drop the jaw further than AU26 does",
    "AU28": "Draw the lips in over the teeth",
    "AU45": "Close the eyes; 2 is fully closed",
}


class HMT_PG_avatar(bpy.types.PropertyGroup):
    """``Object.hmtalker``: everything that decides the face of an avatar at a frame.

    All Action Units of the set `extended` are added below; an avatar without that set shows what it can of them.
    """

    is_avatar: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Talking Avatar", description="This object is a talking avatar", override=OVERRIDABLE
    )
    avatar_path: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Avatar File",
        description="Avatar file (.hmt) to show; leave empty for the avatar that comes with the extension",
        subtype="FILE_PATH",
        options=BLEND_RELATIVE,
        override=OVERRIDABLE,
    )
    head_rotation: bpy.props.FloatVectorProperty(  # type: ignore[valid-type]
        name="Head Rotation",
        description="Pitch (positive nods down), yaw (positive turns to the viewer's right) and roll of the head",
        size=3,
        subtype="EULER",
        unit="ROTATION",
        soft_min=-0.8,
        soft_max=0.8,
        override=OVERRIDABLE,
    )
    head_translation: bpy.props.FloatVectorProperty(  # type: ignore[valid-type]
        name="Head Shift",
        description="Shift of the head to the viewer's right, up, and toward the camera",
        size=3,
        subtype="TRANSLATION",
        unit="LENGTH",
        soft_min=-0.1,
        soft_max=0.1,
        override=OVERRIDABLE,
    )
    body_translation: bpy.props.FloatVectorProperty(  # type: ignore[valid-type]
        name="Body Shift",
        description="Shift of neck and clothes to the viewer's right, up, and toward the camera, as in breathing",
        size=3,
        subtype="TRANSLATION",
        unit="LENGTH",
        soft_min=-0.05,
        soft_max=0.05,
        override=OVERRIDABLE,
    )
    gaze: bpy.props.FloatVectorProperty(  # type: ignore[valid-type]
        name="Gaze",
        description="Where the eyes look, to the viewer's right and down, on faces that follow the avatar",
        size=2,
        unit="ROTATION",
        soft_min=-0.5,
        soft_max=0.5,
        override=OVERRIDABLE,
    )
    audio_influence: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Audio Influence",
        description="How much the speech itself shapes the mouth; at 0 the face runs on Action Units alone",
        subtype="FACTOR",
        default=1.0,
        min=0.0,
        max=1.0,
        override=OVERRIDABLE,
    )
    speech_time: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Speech Time",
        description="Moment of the take that is being spoken, in seconds; negative means that nothing is spoken",
        default=NOT_SPEAKING,
        precision=3,
        override=OVERRIDABLE,
    )
    take_number: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Take Number",
        description="Which of the avatar's takes Speech Time points into; 0 means none",
        min=0,
        override=OVERRIDABLE,
    )
    performance: bpy.props.PointerProperty(  # type: ignore[valid-type]
        name="Performance", type=performance_properties.HMT_PG_performance, override=OVERRIDABLE
    )
    layer: bpy.props.PointerProperty(  # type: ignore[valid-type]
        name="Generated Layer", type=layer_properties.HMT_PG_layer, override=OVERRIDABLE
    )
    takes: bpy.props.CollectionProperty(  # type: ignore[valid-type]
        name="Takes", type=performance_properties.HMT_PG_take, override=OVERRIDABLE | {"USE_INSERTION"}
    )
    display: bpy.props.PointerProperty(  # type: ignore[valid-type]
        name="Display", type=display_properties.HMT_PG_display, override=OVERRIDABLE
    )
    last_error: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Last Problem", description="What went wrong last time, and what to do about it", options={"SKIP_SAVE"}
    )


def _description(code: str) -> str:
    if base(code) == code:
        return DESCRIPTIONS[code]
    side = {"L": "left", "R": "right"}[code[-1]]
    return f"{DESCRIPTIONS[base(code)]}; added to {base(code)} on the person's {side} alone"


for _code, _name, _maximum in zip(EXTENDED.codes, EXTENDED.names, EXTENDED.maxima, strict=True):
    HMT_PG_avatar.__annotations__[_code] = bpy.props.FloatProperty(
        name=f"{_name} ({_code})",
        description=_description(_code),
        min=0.0,
        max=MAXIMUM,
        soft_max=float(_maximum),
        step=5,
        precision=2,
        override=OVERRIDABLE,
    )


def _is_avatar(_scene: bpy.types.PropertyGroup, candidate: bpy.types.Object) -> bool:
    return candidate.hmtalker.is_avatar


class HMT_PG_video(bpy.types.PropertyGroup):
    """One video to capture from; its name is what the list shows."""

    path: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Video",
        description="Video of the person, with sound",
        subtype="FILE_PATH",
        options=BLEND_RELATIVE,
    )


class HMT_PG_capture(bpy.types.PropertyGroup):
    """``Scene.hmtalker.capture``: which videos become which dataset, and how."""

    videos: bpy.props.CollectionProperty(name="Videos", type=HMT_PG_video)  # type: ignore[valid-type]
    active_video: bpy.props.IntProperty(name="Active Video", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    dataset: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Dataset",
        description="Folder for the training set; an empty one, or the one of an earlier capture to go on with",
        subtype="DIR_PATH",
        options=BLEND_RELATIVE,
        default="//hmtalker_dataset/",
    )
    matte: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Background",
        description="How the person is cut out of the background",
        items=(
            (
                "AUTO",
                "Automatic",
                "Chroma key where there is a green or blue screen, and by the person's shape otherwise",
            ),
            ("SCREEN", "Screen", "Chroma key: the person is filmed before a green or blue screen"),
            ("PERSON", "Any Background", "By the person's shape"),
            ("NONE", "Keep", "The background stays in the picture and is trained too"),
        ),
        default="AUTO",
    )
    size: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Frame Size",
        description="Largest side of the square training frames; smaller footage is not enlarged",
        subtype="PIXEL",
        default=512,
        min=128,
        max=1024,
        step=64,
    )
    last_error: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Last Problem", description="What went wrong last time, and what to do about it", options={"SKIP_SAVE"}
    )


class HMT_PG_scene(bpy.types.PropertyGroup):
    """``Scene.hmtalker``: who speaks in this scene's Sequencer, and where rendered frames go."""

    avatar: bpy.props.PointerProperty(  # type: ignore[valid-type]
        name="Avatar",
        description="Avatar that speaks the strips of this Sequencer",
        type=bpy.types.Object,
        poll=_is_avatar,
    )
    output_folder: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Frames Folder",
        description="Folder for rendered frames; each avatar gets a folder of its own inside",
        subtype="DIR_PATH",
        options=BLEND_RELATIVE,
        default="//hmtalker/",
    )
    resolution_percentage: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Resolution",
        description="Size of rendered frames, relative to what the avatar was trained at",
        subtype="PERCENTAGE",
        default=100,
        min=10,
        max=400,
        soft_max=200,
    )
    frames: bpy.props.PointerProperty(  # type: ignore[valid-type]
        name="Frames", type=display_properties.HMT_PG_frames
    )
    capture: bpy.props.PointerProperty(name="Capture", type=HMT_PG_capture)  # type: ignore[valid-type]
    dub: bpy.props.PointerProperty(name="Dub", type=dub_properties.HMT_PG_dub)  # type: ignore[valid-type]
    training: bpy.props.PointerProperty(  # type: ignore[valid-type]
        name="Training", type=training_properties.HMT_PG_training
    )
    last_error: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Last Problem", description="What went wrong last time, and what to do about it", options={"SKIP_SAVE"}
    )


def attach() -> None:
    """Put the property groups on objects and scenes."""
    bpy.types.Object.hmtalker = bpy.props.PointerProperty(name="HM-Talker", type=HMT_PG_avatar, override=OVERRIDABLE)
    bpy.types.Scene.hmtalker = bpy.props.PointerProperty(name="HM-Talker", type=HMT_PG_scene)


def detach() -> None:
    """Take them off again; values stay in the .blend for the next time."""
    del bpy.types.Scene.hmtalker
    del bpy.types.Object.hmtalker


CLASSES = (
    *display_properties.CLASSES,
    *performance_properties.CLASSES,
    *layer_properties.CLASSES,
    *(HMT_PG_avatar, HMT_PG_video, HMT_PG_capture),
    *dub_properties.CLASSES,
    *training_properties.CLASSES,
    HMT_PG_scene,
)
