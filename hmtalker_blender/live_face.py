# SPDX-License-Identifier: GPL-3.0-or-later
"""The face answers: cards follow sliders, frames and cameras.

A render (F12, ``blender -b -a``, a viewport render, a Scene strip) waits for the exact frame. The interface never
waits: the newest face is drawn on a worker thread and shown when it is there.
"""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Any

import bpy
from bpy.app.handlers import persistent

from . import (
    avatar_object,
    avatars_shown,
    camera_view,
    card,
    card_picture,
    engine_paths,
    event_handlers,
    jobs,
    latest_work,
    preferences,
    render_failure,
    synthetic_marks,
)

log = logging.getLogger(__package__)

POLL_SECONDS = 0.02
OWN_ENGINE = "HMTALKER"
"""Identifier of our render engine, which draws avatars itself and needs no cards."""
worker = latest_work.LatestWork("HM-Talker live face")

_showing: dict[int, bytes] = {}
"""Session identifier of a card's mesh -> key of what it shows."""
_asked: dict[int, bytes] = {}
"""The same of what was asked for and has not come yet."""
problems: dict[str, str] = {}
"""Name of an avatar object -> why its face cannot be shown. Kept out of the .blend: it is about now."""


def update(depsgraph: bpy.types.Depsgraph, *, wait: bool, for_render: bool) -> None:
    """Bring the cards of a dependency graph's avatars up to date, now or as soon as the worker gets to it."""
    seen = set()
    for original, shown in avatars_shown.with_objects(depsgraph):
        if original.name_full in seen or not card.is_card(original):
            continue
        seen.add(original.name_full)
        try:
            _update_one(original, shown, depsgraph, wait, for_render)
            if for_render and len(original.data.polygons):
                synthetic_marks.face_drawn(shown.path)
        except Exception as error:
            _tell(shown.name, error, again=for_render)
            if for_render:
                render_failure.stop(f"{shown.name}: {jobs.sentence(error)}")
            if wait:
                card.clear(original.data)  # no face rather than an older one
                _showing.pop(original.data.session_uid, None)


def _update_one(
    original: bpy.types.Object,
    shown: avatars_shown.Shown,
    depsgraph: bpy.types.Depsgraph,
    wait: bool,
    for_render: bool,
) -> None:
    mesh, settings = card.own_mesh(original), original.hmtalker.display
    if not settings.in_scene:
        if _showing.get(mesh.session_uid) != b"box":
            _outline(original, shown.path)
        return
    percentage = settings.render_percentage if for_render else settings.viewport_percentage
    request = card_picture.Request(
        shown, _projection(depsgraph, percentage), settings.relief, preferences.render_threads(bpy.context)
    )
    key, uid = request.key(), mesh.session_uid
    if _showing.get(uid) == key:
        _asked.pop(uid, None)
        return
    engine_paths.prepare_kernel_cache()
    if wait:
        _asked.pop(uid, None)
        _show(original, key, request.relief())
    elif _asked.get(uid) != key:
        _asked[uid] = key
        ask(("card", uid), request.relief, partial(_arrived, original.name_full, uid, key))


def ask(key: tuple, work: latest_work.Work, deliver: latest_work.Deliver) -> None:
    """Let the worker do this, and look for the result from time to time. Main thread."""
    worker.ask(key, work, deliver)
    if not bpy.app.timers.is_registered(_poll):
        bpy.app.timers.register(_poll, first_interval=POLL_SECONDS)


def _poll() -> float | None:
    return POLL_SECONDS if worker.collect() else None


def _arrived(name: str, uid: int, key: bytes, result: Any) -> None:
    """Show what the worker made, unless the card is gone or something newer was asked for."""
    if _asked.get(uid) != key:
        return
    del _asked[uid]
    original = next((o for o in bpy.data.objects if o.name_full == name and o.data is not None), None)
    if original is None or not card.is_card(original) or original.data.session_uid != uid:
        return
    if isinstance(result, BaseException):
        _showing[uid] = key  # the same would fail again at every redraw
        _tell(original.name, result)
        return
    _show(original, key, result)


def _show(original: bpy.types.Object, key: bytes, relief: Any) -> None:
    mesh = original.data
    if relief is None:
        card.clear(mesh)
    else:
        card.write(mesh, relief)
    _showing[mesh.session_uid] = key
    problems.pop(original.name, None)


def _outline(original: bpy.types.Object, path: Path) -> None:
    avatar = avatar_object.load(path).avatar
    card.write_box(original.data, camera_view.bounds_of(avatar), camera_view.object_from_canonical(avatar))
    _showing[original.data.session_uid] = b"box"


def _projection(depsgraph: bpy.types.Depsgraph, percentage: int) -> camera_view.Projection | None:
    """Return the scene camera's projection at this share of the render's pixels, or None where there is no camera."""
    scene = depsgraph.scene
    if scene.camera is None:
        return None
    width, height = (max(1, side * percentage // 100) for side in camera_view.render_size(scene))
    return camera_view.of_camera(scene.camera.evaluated_get(depsgraph), depsgraph, width, height, scene)


def _tell(name: str, error: BaseException, again: bool = False) -> None:
    message = jobs.sentence(error)
    if again or problems.get(name) != message:
        problems[name] = message
        log.error("%s: %s", name, message)


def refresh_soon() -> None:
    """Look at the scenes of all windows again, once Blender has evaluated them: after loading it has not yet."""
    if not bpy.app.background and not bpy.app.timers.is_registered(_refresh_windows):
        bpy.app.timers.register(_refresh_windows, first_interval=POLL_SECONDS)


def _refresh_windows() -> None:
    for window in bpy.context.window_manager.windows:
        depsgraph = window.view_layer.depsgraph
        if depsgraph is not None:
            update(depsgraph, wait=False, for_render=False)


def _rendering_viewport() -> bool:
    """Say whether a viewport animation is being rendered, which must not show an older face."""
    manager = bpy.context.window_manager
    return any(
        operator.bl_idname == "RENDER_OT_opengl"
        for window in (manager.windows if manager is not None else ())
        for operator in window.modal_operators
    )


@persistent
def _on_frame(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph | None = None) -> None:
    if depsgraph is None:
        return
    if depsgraph.mode == "RENDER":
        if scene.render.engine != OWN_ENGINE:
            try:
                update(depsgraph, wait=True, for_render=True)
            except Exception as error:
                render_failure.stop(jobs.sentence(error))
                raise
    elif not bpy.app.background and not jobs.busy_reason():
        previewed = scene.hmtalker.frames.is_live or _rendering_viewport()
        update(depsgraph, wait=previewed, for_render=False)


@persistent
def _on_change(_scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph | None = None) -> None:
    if depsgraph is not None and depsgraph.mode == "VIEWPORT" and not bpy.app.background and not jobs.busy_reason():
        update(depsgraph, wait=False, for_render=False)


@persistent
def _on_load(*_: Any) -> None:
    """Meshes are those of a file or an undo step now, whatever they showed before."""
    _showing.clear()
    _asked.clear()
    problems.clear()
    refresh_soon()


@persistent
def _before_save(*_: Any) -> None:
    """Save outlines, not faces: they are made again from the file, and it stays small."""
    for candidate in bpy.data.objects:
        if candidate.hmtalker.is_avatar and card.is_card(candidate) and candidate.data.library is None:
            try:
                _outline(candidate, avatar_object.file_of(candidate))
            except Exception:
                card.clear(candidate.data)
            _showing.pop(candidate.data.session_uid, None)
            _asked.pop(candidate.data.session_uid, None)


@persistent
def _after_save(*_: Any) -> None:
    refresh_soon()


HANDLERS: event_handlers.Handlers = (
    ("frame_change_post", _on_frame),
    ("depsgraph_update_post", _on_change),
    ("load_post", _on_load),
    ("undo_post", _on_load),
    ("redo_post", _on_load),
    ("save_pre", _before_save),
    ("save_post", _after_save),
)


def attach() -> None:
    """Listen to Blender."""
    event_handlers.attach(HANDLERS)


def detach() -> None:
    """Stop listening, and stop the worker."""
    event_handlers.detach(HANDLERS)
    for timer in (_poll, _refresh_windows):
        if bpy.app.timers.is_registered(timer):
            bpy.app.timers.unregister(timer)
    worker.stop()
    _showing.clear()
    _asked.clear()
    problems.clear()
