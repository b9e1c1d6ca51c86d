# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendered frames as an image strip with alpha, above what is already in the Sequencer."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..engine.errors import RenderError
from . import versions

OWNER_KEY = "hmtalker_frames_of"
SHRUNK_KEY = "hmtalker_frames_percentage"
"""Strip property: size of the frames in percent of what they stand for; the strip is enlarged to make up for it."""
HIGHEST_CHANNEL = 128

KEPT = (
    "blend_type",
    "blend_alpha",
    "mute",
    "color_tag",
    "color_multiply",
    "color_saturation",
    "use_flip_x",
    "use_flip_y",
)
KEPT_TRANSFORM = ("offset_x", "offset_y", "scale_x", "scale_y", "rotation", "origin", "filter")
KEPT_CROP = ("min_x", "max_x", "min_y", "max_y")


def owner_of(speaker: bpy.types.Object, label: str) -> str:
    """Return what tells an avatar's strip from others."""
    return f"{speaker.name}|{label}"


def baked(scene: bpy.types.Scene) -> list[tuple[bpy.types.Strip, str]]:
    """Return the scene's strips of baked frames, those in meta strips too, each with its avatar's name."""
    if scene.sequence_editor is None:
        return []
    strips = [strip for strip in scene.sequence_editor.strips_all if strip.type == "IMAGE" and OWNER_KEY in strip]
    return [(strip, str(strip[OWNER_KEY]).split("|")[0]) for strip in strips]


def show_frames(
    scene: bpy.types.Scene, folder: Path, names: list[str], start: int, owner: str, label: str, percentage: int = 100
) -> bpy.types.Strip:
    """Show PNG or EXR files, one a frame from `start`, in one image strip; update the owner's strip if there is one.

    names: file names inside `folder`. owner: tells this strip from others, for the next time. percentage: size of the
    frames; smaller ones cover the same part of the picture. A new strip is placed as the scene's choice says; later the
    artist's placement, blending and channel are kept. Raises RenderError when there is no free channel above.
    """
    strips = versions.top_level_strips(scene)
    old = next((strip for strip in strips if strip.type == "IMAGE" and strip.get(OWNER_KEY) == owner), None)
    if old is not None and old.get(SHRUNK_KEY, 100) == percentage and _shows(old, folder, names, start):
        old.invalidate_cache("COMPOSITE")
        old.invalidate_cache("RAW")
        return old
    if old is not None and not _collides(strips, old, old.channel, start, start + len(names)):
        channel = old.channel
    else:
        channel = channel_above(strips, old, start, start + len(names))
    strip = strips.new_image(
        name=label, filepath=str(folder / names[0]), channel=HIGHEST_CHANNEL, frame_start=start, fit_method="ORIGINAL"
    )
    for name in names[1:]:
        strip.elements.append(name)
    strip.directory = saved_form(folder)
    versions.set_right_handle(strip, start + len(names))
    linear = names[0].endswith(".exr")
    strip.alpha_mode = "PREMUL" if linear else "STRAIGHT"
    strip.colorspace_settings.name = "Linear Rec.709" if linear else "sRGB"
    strip.blend_type = "ALPHA_OVER"
    strip[OWNER_KEY], strip[SHRUNK_KEY] = owner, percentage
    if old is None:
        _place(strip, scene.hmtalker.frames, 100.0 / percentage)
    else:
        place_like(old, strip)
        for axis in ("scale_x", "scale_y"):
            setattr(strip.transform, axis, getattr(strip.transform, axis) * old.get(SHRUNK_KEY, 100) / percentage)
        name = old.name
        strips.remove(old)
        strip.name = name
    strip.channel = channel
    return strip


def place_like(source: bpy.types.Strip, target: bpy.types.Strip) -> None:
    """Give a strip the placement, blending and look of another one."""
    for old, new, attributes in (
        (source, target, KEPT),
        (source.transform, target.transform, KEPT_TRANSFORM),
        (source.crop, target.crop, KEPT_CROP),
    ):
        for attribute in attributes:
            if hasattr(old, attribute):
                setattr(new, attribute, getattr(old, attribute))


def _place(strip: bpy.types.Strip, choice: bpy.types.PropertyGroup, enlarged: float) -> None:
    strip.transform.scale_x = strip.transform.scale_y = choice.scale * enlarged
    strip.transform.offset_x, strip.transform.offset_y = choice.position


def _shows(strip: bpy.types.Strip, folder: Path, names: list[str], start: int) -> bool:
    return (
        Path(bpy.path.abspath(strip.directory)) == folder
        and [element.filename for element in strip.elements] == names
        and versions.content_start(strip) == start
    )


def _collides(
    strips: bpy.types.bpy_prop_collection, own: bpy.types.Strip | None, channel: int, start: int, end: int
) -> bool:
    return any(
        other != own
        and other.channel == channel
        and versions.right_handle(other) > start
        and versions.left_handle(other) < end
        for other in strips
    )


def channel_above(strips: bpy.types.bpy_prop_collection, own: bpy.types.Strip | None, start: int, end: int) -> int:
    """Return the channel above everything but `own` between two frames. Raises RenderError where there is none."""
    for channel in range(HIGHEST_CHANNEL, 0, -1):
        if _collides(strips, own, channel, start, end):
            if channel == HIGHEST_CHANNEL:
                break
            return channel + 1
    else:
        return 1
    raise RenderError("The topmost channel of the Sequencer is in use there; move its strip down to make room.")


def saved_form(path: Path) -> str:
    """Return a path relative to the .blend where it is beside or below it, so that both can be moved together."""
    if bpy.data.is_saved:
        blend_folder = Path(bpy.data.filepath).parent
        if path.is_relative_to(blend_folder):
            return bpy.path.relpath(str(path))
    return str(path)
