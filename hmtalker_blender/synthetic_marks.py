# SPDX-License-Identifier: GPL-3.0-or-later
"""Finished renders say that they are synthetic media: every file that Blender wrote in which a face of ours is seen.

Faces are noted where they are drawn: by our render engine, as a card for EEVEE and Cycles, and in the Sequencer, whose
strips show files that are marked themselves. A picture is marked once it is written, a film once it is finished, and
what the compositor's File Output nodes write once the frame is rendered.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy
from bpy.app.handlers import persistent

from .. import engine
from ..engine import marking
from ..engine.errors import AvatarError
from ..engine.png_file import synthetic_media_text
from . import avatar_object, compositor_files, content_credentials, event_handlers, image_strips, meta_strips, versions

log = logging.getLogger(__package__)

NO_PLACE = "PNG, JPEG, OpenEXR, TIFF, WebP, JPEG 2000, MP4, QuickTime, Matroska, WebM, AVI and Ogg files can be"
Signature = tuple[int, int, int] | None


@dataclass
class _Render:
    """The render that is under way; scenes that its Sequencer shows are rendered inside it and are part of it."""

    scene: str
    now: set[str] = field(default_factory=set)
    """Whom the faces of the frame in hand are attributed to."""
    ever: set[str] = field(default_factory=set)
    """The same of all frames until now."""
    before: dict[Path, Signature] = field(default_factory=dict)
    """What stood where the render may write."""
    outputs: dict[str, dict[Path, Signature]] = field(default_factory=dict)
    """By scene: what stood where nodes of its compositor may write."""
    told: bool = False


_render: _Render | None = None


def face_drawn(avatar_file: Path) -> None:
    """Note that the frame in hand shows this avatar. The thread that renders."""
    if _render is not None:
        _render.now.add(attribution(avatar_file))


def attribution(avatar_file: Path) -> str:
    """Return whom an avatar is attributed to; empty where its file cannot be read any more, or does not say."""
    try:
        return str(avatar_object.load(avatar_file).avatar.header.get("attribution", ""))
    except AvatarError:
        return ""


@persistent
def _on_init(scene: bpy.types.Scene, *_: Any) -> None:
    global _render
    if _render is None or _render.scene == scene.name_full:  # an earlier one may have ended without a word
        _render = _Render(scene.name_full)


@persistent
def _on_pre(scene: bpy.types.Scene, *_: Any) -> None:
    if _render is None:
        return
    _render.outputs[scene.name_full] = {path: _signature(path) for path in compositor_files.places(scene)}
    if _render.scene == scene.name_full:
        for path in _places(scene):
            _render.before.setdefault(path, _signature(path))


@persistent
def _on_post(scene: bpy.types.Scene, *_: Any) -> None:
    """Of any scene: the Sequencer's scenes have compositors of their own."""
    if _render is None:
        return
    before = _render.outputs.pop(scene.name_full, {})
    written = [path for path in compositor_files.places(scene) if _signature(path) not in (None, before.get(path))]
    _mark(written, _render.now)


@persistent
def _on_write(scene: bpy.types.Scene, *_: Any) -> None:
    if _render is None or _render.scene != scene.name_full:
        return
    faces = _render.now | set(_in_sequencer(scene, scene.frame_current))
    _render.ever |= faces
    _render.now = set()
    if not scene.render.is_movie_format:
        _finish(scene, faces)


@persistent
def _on_end(scene: bpy.types.Scene, *_: Any) -> None:
    global _render
    if _render is None or _render.scene != scene.name_full:
        return
    if scene.render.is_movie_format:
        _finish(scene, _render.ever)
    _render = None


def _finish(scene: bpy.types.Scene, faces: Iterable[str]) -> None:
    """Mark what was written since the last time, if there are faces in it."""
    assert _render is not None
    written = [path for path in _places(scene) if _render.before.pop(path, None) != _signature(path)]
    _mark(written, faces)


def _mark(written: Iterable[Path], faces: Iterable[str]) -> None:
    assert _render is not None
    if not faces:
        return
    owners = "; ".join(sorted(filter(None, faces)))
    text = synthetic_media_text(owners, f"HM-Talker {engine.__version__}", "Shows a talking head drawn by a program")
    for path in written:
        try:
            if not marking.mark_file(path, text):
                if not _render.told:
                    log.warning("%s cannot be marked as synthetic media; %s.", path, NO_PLACE)
                _render.told = True
                continue
            content_credentials.sign_if_wanted(path)
        except OSError as error:
            log.error("%s could not be marked as synthetic media (%s).", path, error.strerror or error)


def _places(scene: bpy.types.Scene) -> set[Path]:
    """Return where the render may write its current frame, or its film: stills, views and pieces of films included."""
    render = scene.render
    if render.is_movie_format:
        return _films(scene)
    suffixes = [view.file_suffix for view in render.views if view.use] if render.use_multiview else []
    views = [view.name for view in render.views if view.use] if render.use_multiview else []
    found = {Path(bpy.path.abspath(render.frame_path(frame=scene.frame_current)))}
    found |= {Path(bpy.path.abspath(render.frame_path(frame=scene.frame_current, view=view))) for view in views}
    still = Path(bpy.path.abspath(render.filepath))  # a single one has no number in its name
    for name in {still.name, still.name + render.file_extension, still.stem + render.file_extension}:
        plain = still.with_name(name) if name else still
        found |= {plain, *(plain.with_name(plain.stem + suffix + plain.suffix) for suffix in suffixes)}
    return found


def _films(scene: bpy.types.Scene) -> set[Path]:
    """Return the films whose names begin as the render's do; a range of frames, a piece and a view may follow."""
    film = Path(bpy.path.abspath(scene.render.frame_path(frame=scene.frame_current)))
    begin = re.sub(r"\d+-\d+$", "", film.stem)
    try:
        return {path for path in film.parent.iterdir() if path.suffix == film.suffix and path.name.startswith(begin)}
    except OSError:
        return set()


def _signature(path: Path) -> Signature:
    try:
        known = path.stat()
    except (OSError, ValueError):
        return None
    return (known.st_mtime_ns, known.st_size, known.st_ino) if path.is_file() else None


def _in_sequencer(scene: bpy.types.Scene, frame: int | None, around: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the attribution of every marked file that the Sequencer shows; frame: None for any."""
    if not scene.render.use_sequencer or scene.sequence_editor is None or scene.name_full in around:
        return
    owned = {strip.name: name for strip, name in image_strips.baked(scene)}
    for strip in scene.sequence_editor.strips_all:
        shown = frame is None or versions.left_handle(strip) <= frame < versions.right_handle(strip)
        if not shown or strip.type not in ("IMAGE", "MOVIE", "SCENE") or meta_strips.is_muted(scene, strip):
            continue
        if strip.type == "SCENE":
            if strip.scene is not None and strip.scene_input == "SEQUENCER":
                yield from _in_sequencer(strip.scene, None, (*around, scene.name_full))
        elif marking.is_marked(_file_of(strip, frame)):
            avatar = bpy.data.objects.get(owned.get(strip.name, ""))
            yield attribution(avatar_object.file_of(avatar)) if avatar is not None else ""


def _file_of(strip: bpy.types.Strip, frame: int | None) -> Path:
    if strip.type == "MOVIE":
        return Path(bpy.path.abspath(strip.filepath))
    element = strip.elements[0] if frame is None else strip.strip_elem_from_frame(frame)
    return Path(bpy.path.abspath(strip.directory)) / (element.filename if element is not None else "")


HANDLERS: event_handlers.Handlers = (
    ("render_init", _on_init),
    ("render_pre", _on_pre),
    ("render_post", _on_post),
    ("render_write", _on_write),
    ("render_complete", _on_end),
    ("render_cancel", _on_end),
)


def attach() -> None:
    """Listen to Blender."""
    event_handlers.attach(HANDLERS)


def detach() -> None:
    """Stop listening."""
    global _render
    event_handlers.detach(HANDLERS)
    _render = None
