# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the face of an avatar at the current frame: property values in, motion state out, nothing remembered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import bpy
import numpy as np

from ..engine import action_units
from ..engine.head_pose import HeadPose
from . import avatar_units, takes

if TYPE_CHECKING:
    from ..engine.motion.state import MotionState


def of_object(avatar_object: bpy.types.Object) -> MotionState:
    """Return the motion state of an avatar object as it stands.

    avatar_object: the evaluated object (or the original, after a frame change of its own scene). The implicit channel
    is sampled from the take that is being spoken, and is None when nothing is.
    """
    from ..engine.motion.state import MotionState

    values = avatar_object.hmtalker
    units = avatar_units.narrowed(np.array(avatar_units.row(values), np.float32))
    take = takes.by_number(avatar_object, values.take_number) if values.take_number > 0 else None
    implicit = takes.implicit_at(take, values.speech_time) if take is not None else None
    head = HeadPose(rotation=tuple(values.head_rotation), translation=tuple(values.head_translation))
    body = np.array(values.body_translation, np.float32)
    return MotionState(
        action_units=np.clip(units, 0.0, action_units.MAXIMUM),
        implicit=implicit,
        audio_influence=float(np.clip(values.audio_influence, 0.0, 1.0)),
        head=head,
        body=body if body.any() else None,
    )


def over_frames(
    scene: bpy.types.Scene, avatar_object: bpy.types.Object, frames: Iterable[int]
) -> Iterator[tuple[int, MotionState]]:
    """Yield each frame with its motion state, and put the scene back where it was at the end (or when closed early).

    Drivers and NLA count, as they do in the viewport. Main thread only; the caller may pause between frames.
    """
    before = scene.frame_current, scene.frame_subframe
    layer = next((layer for layer in scene.view_layers if avatar_object.name in layer.objects), scene.view_layers[0])
    avatar_object.update_tag()  # an action that a script has just made is not seen by the dependency graph otherwise
    try:
        for frame in frames:
            scene.frame_set(frame)
            yield frame, of_object(avatar_object.evaluated_get(layer.depsgraph))
    finally:
        scene.frame_set(before[0], subframe=before[1])
