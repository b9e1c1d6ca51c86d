# SPDX-License-Identifier: GPL-3.0-or-later
"""The avatars that a dependency graph shows: where each stands and what its face does, at the frame it is at.

Linked, overridden and instanced avatars are found like any other: the dependency graph has already placed them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import bpy
import numpy as np

from .. import engine
from . import avatar_object, motion_state

if TYPE_CHECKING:
    from ..engine.motion.state import MotionState
    from ..engine.visible_mark import VisibleMark


class Shown(NamedTuple):
    """One avatar as it stands; everything that a worker thread needs, and no Blender data that may go away."""

    name: str
    """Of the original object."""
    path: Path
    """Of the avatar file."""
    state: MotionState
    world_from_object: np.ndarray
    """float64 [4,4]."""
    mark: VisibleMark | None = None


def in_depsgraph(depsgraph: bpy.types.Depsgraph) -> list[Shown]:
    """Return every visible avatar, instances included, in the order of the dependency graph."""
    return [shown for _original, shown in with_objects(depsgraph)]


def with_objects(depsgraph: bpy.types.Depsgraph) -> list[tuple[bpy.types.Object, Shown]]:
    """Return every visible avatar with its original object, instances included."""
    avatars = [candidate for candidate in bpy.data.objects if candidate.hmtalker.is_avatar]
    scene = depsgraph.scene.original
    if depsgraph.mode == "VIEWPORT" and all(scene in avatar.users_scene for avatar in avatars):
        return _directly(avatars, depsgraph)  # the long way takes 0.1 s with 10,000 objects, and a slider is waiting
    found = []
    for instance in depsgraph.object_instances:
        evaluated = instance.object
        if evaluated.hmtalker.is_avatar and instance.show_self:
            shown = of_object(evaluated, np.array(instance.matrix_world, np.float64))
            found.append((evaluated.original, shown))
    return found


def _directly(avatars: list[bpy.types.Object], depsgraph: bpy.types.Depsgraph) -> list[tuple[bpy.types.Object, Shown]]:
    """Return avatars that are in the scene themselves, so that no instance need be looked at."""
    layer = depsgraph.view_layer
    evaluated = [
        (avatar, avatar.evaluated_get(depsgraph)) for avatar in avatars if avatar.visible_get(view_layer=layer)
    ]
    return [(avatar, of_object(one, np.array(one.matrix_world, np.float64))) for avatar, one in evaluated]


def of_object(evaluated: bpy.types.Object, world_from_object: np.ndarray) -> Shown:
    """Return an evaluated avatar object as it stands at this place."""
    original = evaluated.original
    return Shown(
        original.name,
        avatar_object.file_of(original),
        motion_state.of_object(evaluated),
        world_from_object,
        original.hmtalker.display.mark(),
    )


def state_hash(state: MotionState) -> bytes:
    """Return a hash of everything in a motion state that a frame depends on."""
    digest = hashlib.sha256(engine.__version__.encode())
    implicit = state.implicit if state.implicit is not None and state.audio_influence > 0.0 else np.zeros(0)
    body = state.body if state.body is not None else np.zeros(0)
    for values in (
        state.action_units,
        implicit,
        [state.audio_influence],
        state.head.rotation,
        state.head.translation,
        body,
    ):
        digest.update(np.asarray(values, np.float32).tobytes())
    return digest.digest()
