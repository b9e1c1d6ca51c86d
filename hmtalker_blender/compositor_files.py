# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the compositor's *File Output* nodes write: names as Blender makes them of a path, a frame and a view.

Blender 5 leaves the number out of a single image. A part in braces is filled in by Blender; files of any value are
found.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path

import bpy

from . import versions

EXTENSIONS = {
    "AVIF": (".avif",),
    "BMP": (".bmp",),
    "CINEON": (".cin",),
    "DPX": (".dpx",),
    "HDR": (".hdr",),
    "IRIS": (".rgb",),
    "JPEG": (".jpg",),
    "JPEG2000": (".jp2", ".j2c"),
    "OPEN_EXR": (".exr",),
    "OPEN_EXR_MULTILAYER": (".exr",),
    "PNG": (".png",),
    "TARGA": (".tga",),
    "TARGA_RAW": (".tga",),
    "TIFF": (".tif",),
    "WEBP": (".webp",),
}
DIGITS = 4
"""Of a frame's number where the path has no place for it."""


def places(scene: bpy.types.Scene) -> set[Path]:
    """Return where the scene's nodes may write in its current frame; most of it will not be there."""
    tree = versions.compositor(scene)
    if tree is None or not scene.render.use_compositing:
        return set()
    render = scene.render
    suffixes = ["", *(view.file_suffix for view in render.views if view.use and render.use_multiview)]
    found: set[Path] = set()
    for node in _outputs(tree, set()):
        for path, settings in versions.file_output_items(node):
            for name in _names(path, scene.frame_current, EXTENSIONS.get(settings.file_format, ("",)), suffixes):
                found |= _filled_in(bpy.path.abspath(name))
    return found


def _outputs(tree: bpy.types.NodeTree, around: set[str]) -> Iterator[bpy.types.Node]:
    """Yield the File Output nodes of a tree and of the groups in it."""
    if tree.name_full in around:
        return
    around.add(tree.name_full)
    for node in tree.nodes:
        if node.mute:
            continue
        if node.bl_idname == "CompositorNodeOutputFile":
            yield node
        elif getattr(node, "node_tree", None) is not None:
            yield from _outputs(node.node_tree, around)


def _names(path: str, frame: int, extensions: tuple[str, ...], suffixes: list[str]) -> Iterator[str]:
    """Yield the names that a file may have. path: with or without a place for the frame's number, as ####."""
    begin, name = os.path.split(path)
    numbered = {re.sub("#+(?=[^#]*$)", lambda place: _number(frame, len(place.group())), name), name}
    if "#" not in name:
        numbered.add(name + _number(frame, DIGITS))
    for one in numbered:
        stem, known = os.path.splitext(one)
        if not any(known.lower() in some for some in EXTENSIONS.values()):
            stem = one  # what only looks like an extension stays
        for suffix in suffixes:
            for end in ("", known if stem != one else "", *extensions):
                yield os.path.join(begin, stem + suffix + end)


def _number(frame: int, digits: int) -> str:
    return f"{'-' if frame < 0 else ''}{abs(frame):0{digits}d}"


def _filled_in(path: str) -> set[Path]:
    """Return the path, or the files of all values that the parts in braces may have."""
    parts = re.split(r"\{[^{}]*\}", path)
    return {Path(path)} if len(parts) == 1 else set(map(Path, glob.glob("*".join(map(glob.escape, parts)))))
