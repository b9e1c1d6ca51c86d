# SPDX-License-Identifier: GPL-3.0-or-later
"""A contact sheet: pictures in a grid, each with a caption, laid out and lettered by Blender's own Sequencer."""

from __future__ import annotations

from pathlib import Path

import bpy

COLUMNS = 4
TILE = 288
CAPTION = 40
GAP = 12
TITLE = 56
PAPER = (0.055, 0.058, 0.066)
INK = (0.93, 0.93, 0.91, 1.0)


def write(path: Path, title: str, pictures: list[tuple[Path, str]]) -> None:
    """Write a PNG of `pictures` (square image file, caption) under a `title`. Leaves no scene behind."""
    rows = -(-len(pictures) // COLUMNS)
    width = COLUMNS * TILE + (COLUMNS + 1) * GAP
    height = TITLE + rows * (TILE + CAPTION + GAP) + GAP
    scene = bpy.data.scenes.new("Contact Sheet")
    try:
        still_settings(scene, width, height)
        strips = scene.sequence_editor_create().strips
        paper = effect(strips, "Paper", "COLOR", 1)
        paper.color = PAPER
        _letter(strips, title, 2, 24, (GAP + 4, height - TITLE / 2 - GAP / 2), "LEFT", width, height)
        for index, (picture, caption) in enumerate(pictures):
            row, column = divmod(index, COLUMNS)
            x = GAP + column * (TILE + GAP) + TILE / 2
            top = height - TITLE - row * (TILE + CAPTION + GAP) - GAP / 2
            strip = strips.new_image(
                name=caption, filepath=str(picture), channel=3 + 2 * index, frame_start=1, fit_method="ORIGINAL"
            )
            side = max(strip.elements[0].orig_width, 1)
            strip.transform.scale_x = strip.transform.scale_y = TILE / side
            strip.transform.offset_x, strip.transform.offset_y = x - width / 2, top - TILE / 2 - height / 2
            if "BOX" in strip.transform.bl_rna.properties["filter"].enum_items:
                strip.transform.filter = "BOX"
            _letter(strips, caption, 4 + 2 * index, 19, (x, top - TILE - CAPTION / 2), "CENTER", width, height)
        bpy.context.scene.frame_set(1)  # whichever scene is rendered, it is at the frame of the context's scene
        render_still(scene, path)
    finally:
        bpy.data.scenes.remove(scene)


def still_settings(scene: bpy.types.Scene, width: int, height: int) -> None:
    """Colours as they are in the files, one frame, this many pixels."""
    scene.frame_start = scene.frame_end = 1
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = width, height, 100
    plain_colours(scene)


def plain_colours(scene: bpy.types.Scene) -> None:
    """No film-like view transform: pictures keep the colours they have."""
    scene.view_settings.view_transform = "Standard"
    scene.view_settings.look = "None"
    scene.sequencer_colorspace_settings.name = "sRGB"


def render_still(scene: bpy.types.Scene, path: Path) -> None:
    """Write the current frame of the scene's Sequencer as an 8-bit PNG."""
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGB", "8"
    scene.render.filepath = str(path)
    scene.render.use_sequencer = True
    bpy.ops.render.render(write_still=True, scene=scene.name)


def effect(strips: bpy.types.StripsTopLevel, name: str, kind: str, channel: int, length: int = 1) -> bpy.types.Strip:
    """A generated strip from frame 1. Blender 5 counts its length where 4.5 names its end."""
    counts = "length" in strips.bl_rna.functions["new_effect"].parameters
    timed = {"length": length} if counts else {"frame_end": 1 + length}
    return strips.new_effect(name=name, type=kind, channel=channel, frame_start=1, **timed)


def _letter(
    strips: bpy.types.StripsTopLevel,
    text: str,
    channel: int,
    size: int,
    place: tuple[float, float],
    side: str,
    width: int,
    height: int,
) -> None:
    strip = effect(strips, text, "TEXT", channel)
    strip.text, strip.font_size, strip.color = text, size, INK
    strip.location = (place[0] / width, place[1] / height)
    strip.anchor_x = strip.alignment_x = side
    strip.anchor_y = "CENTER"
    strip.use_shadow = False
    strip.blend_type = "ALPHA_OVER"
