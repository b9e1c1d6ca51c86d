# SPDX-License-Identifier: GPL-3.0-or-later
"""The avatar as a scene object, and the avatar file behind it."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import bpy

from ..engine.errors import AvatarError
from . import camera_view, card, engine_paths

if TYPE_CHECKING:
    from ..engine.avatar import Avatar


class LoadedAvatar(NamedTuple):
    """An avatar in memory, and the SHA-256 of the file that it came from."""

    avatar: Avatar
    sha256: str


_loaded: dict[tuple[str, int, int], LoadedAvatar] = {}
_loading = threading.Lock()
MAXIMUM_LOADED = 4
"""Avatars kept in memory; a scene rarely shows more, and a dropped one is read again in a moment."""


def add(context: bpy.types.Context, avatar_path: str = "", name: str | None = None) -> bpy.types.Object:
    """Add an avatar object at the 3D cursor, make it active, and let it speak for the scene if nobody does.

    avatar_path: an .hmt file, or empty for the bundled avatar. Raises AvatarError when it cannot be read.
    """
    path = Path(bpy.path.abspath(avatar_path)) if avatar_path else engine_paths.BUNDLED_AVATAR
    avatar = load(path).avatar
    name = name or avatar.header.get("name") or path.stem
    mesh = card.new_mesh(name, camera_view.bounds_of(avatar), camera_view.object_from_canonical(avatar))
    avatar_object = bpy.data.objects.new(name, mesh)
    card.set_display(avatar_object, card.OUTLINE)
    avatar_object.color = card.CLEAR
    if hasattr(avatar_object, "cycles"):
        avatar_object.cycles.use_deform_motion = False  # vertex n of one frame is another place of the next one's face
    avatar_object.location = context.scene.cursor.location
    avatar_object.hmtalker.is_avatar = True
    avatar_object.hmtalker.avatar_path = avatar_path
    collection = context.collection or context.scene.collection
    collection.objects.link(avatar_object)
    for selected in list(context.selected_objects):
        selected.select_set(False)
    avatar_object.select_set(True)
    context.view_layer.objects.active = avatar_object
    if context.scene.hmtalker.avatar is None:
        context.scene.hmtalker.avatar = avatar_object
    return avatar_object


def file_of(avatar_object: bpy.types.Object) -> Path:
    """Return the absolute path of the avatar's file; relative ones start at the .blend that holds the object."""
    path = avatar_object.hmtalker.avatar_path
    if not path:
        return engine_paths.BUNDLED_AVATAR
    return Path(bpy.path.abspath(path, library=_library_of_path(avatar_object, path)))


def _library_of_path(avatar_object: bpy.types.Object, path: str) -> bpy.types.Library | None:
    """Return the library beside whose file a relative path starts: an override keeps its reference's path as it was."""
    override = avatar_object.override_library
    if override is not None and override.reference is not None and override.reference.hmtalker.avatar_path == path:
        return override.reference.library
    return avatar_object.library


def load(path: Path) -> LoadedAvatar:
    """Read an avatar file, or return the one already in memory if the file has not changed. Any thread.

    Raises AvatarError, with a sentence, when the file is missing, damaged or of another version.
    """
    from ..engine.avatar import load_avatar

    key = key_of(path)
    with _loading:
        if key not in _loaded:
            avatar = LoadedAvatar(load_avatar(path), hashlib.sha256(path.read_bytes()).hexdigest())
            while len(_loaded) >= MAXIMUM_LOADED:
                del _loaded[next(iter(_loaded))]
            _loaded[key] = avatar
        return _loaded[key]


def loaded(avatar_object: bpy.types.Object) -> Avatar | None:
    """Return the avatar if the file was read already. Never reads, so that panels may ask."""
    try:
        known = _loaded.get(key_of(file_of(avatar_object)))
    except AvatarError:
        return None
    return known.avatar if known is not None else None


def loaded_header(avatar_object: bpy.types.Object) -> dict | None:
    """Return the avatar's header if the file was read already. Never reads, so that panels may ask."""
    avatar = loaded(avatar_object)
    return avatar.header if avatar is not None else None


def forget_loaded() -> None:
    """Drop every avatar from memory."""
    with _loading:
        _loaded.clear()


def key_of(path: Path) -> tuple[str, int, int]:
    """Return what tells an avatar file from others and from itself before a change. Raises AvatarError."""
    try:
        status = path.stat()
    except OSError:
        if path == engine_paths.BUNDLED_AVATAR:
            raise AvatarError("The bundled avatar is not in the extension's folder; install HM-Talker again.") from None
        raise AvatarError(f"The avatar file {path} is not there; choose the .hmt file again.") from None
    return str(path), status.st_mtime_ns, status.st_size


def exist() -> bool:
    """Say whether there is any avatar in any scene."""
    return any(candidate.hmtalker.is_avatar and candidate.users_scene for candidate in bpy.data.objects)


def avatars_of(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """Return the scene's avatar objects."""
    return [candidate for candidate in scene.objects if candidate.hmtalker.is_avatar]


def speaker(context: bpy.types.Context, scene: bpy.types.Scene) -> bpy.types.Object | None:
    """Return who speaks the strips of `scene`: its chosen avatar, else the active one, else the only one there is."""
    chosen = scene.hmtalker.avatar
    if chosen is not None and chosen.hmtalker.is_avatar and chosen.users_scene:
        return chosen
    active = getattr(context, "active_object", None)
    if active is not None and active.hmtalker.is_avatar:
        return active
    for candidates in (avatars_of(scene), [o for o in bpy.data.objects if o.hmtalker.is_avatar and o.users_scene]):
        if len(candidates) == 1:
            return candidates[0]
    return None


def no_speaker_reason(context: bpy.types.Context, scene: bpy.types.Scene) -> str:
    """Say why there is nobody to speak, or return an empty string when there is."""
    if speaker(context, scene) is not None:
        return ""
    if exist():
        return "No avatar is selected; choose which avatar speaks in the HM-Talker panel"
    return "There is no avatar yet; add one in the 3D View with Add > Talking Avatar"


def home_scene(context: bpy.types.Context, avatar_object: bpy.types.Object) -> bpy.types.Scene:
    """Return the scene in which the avatar is evaluated: the current one if it is there, else the first that has it.

    The scenes behind live strips are made for showing and are nobody's home.
    """
    scenes = [scene for scene in avatar_object.users_scene if not scene.hmtalker.frames.is_live]
    return context.scene if context.scene in scenes or not scenes else scenes[0]
