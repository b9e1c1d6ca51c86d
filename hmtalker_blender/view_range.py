# SPDX-License-Identifier: GPL-3.0-or-later
"""From where an avatar can be believed: it was filmed from a few sides only, and guesses the others.

The sides are those that the filmed head turned to the camera, and a little around them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import bpy
import numpy as np

from ..engine.head_pose import HeadPose
from . import avatar_object, camera_view

if TYPE_CHECKING:
    from ..engine.avatar import Avatar

TOLERANCE = 15.0
"""Degrees around the filmed sides that hold up; by eye, on the bundled avatar."""


class Side(NamedTuple):
    """Where a camera stands as the head sees it, in degrees."""

    yaw: float
    """Positive: toward the head's own left, which is the image's right."""
    pitch: float
    """Positive: above."""


def side_of(camera_position: np.ndarray, avatar: Avatar, head: HeadPose) -> Side:
    """Return where a camera at `camera_position` (canonical space, metres) stands, seen from the posed head."""
    x, y, z = head.camera_in_head(camera_position, avatar.pivot) - avatar.pivot
    return Side(math.degrees(math.atan2(x, z)), math.degrees(math.atan2(y, math.hypot(x, z))))


def filmed_sides(avatar: Avatar) -> tuple[Side, Side]:
    """Return the least and greatest yaw and pitch that the avatar was filmed from."""
    poses = [HeadPose.from_array(row) for row in avatar.header.get("template", {}).get("head", [])] or [HeadPose()]
    sides = [side_of(avatar.camera.position, avatar, pose) for pose in poses]
    yaws, pitches = zip(*sides, strict=True)
    return Side(min(yaws), min(pitches)), Side(max(yaws), max(pitches))


def beyond(side: Side, avatar: Avatar) -> Side:
    """Return by how many degrees a side is outside of what holds up, 0 where it is inside."""
    low, high = filmed_sides(avatar)
    outside = (
        max(0.0, least - TOLERANCE - value, value - most - TOLERANCE)
        for value, least, most in zip(side, low, high, strict=True)
    )
    return Side(*outside)


def sentence(context: bpy.types.Context, avatar_object_: bpy.types.Object) -> tuple[str, bool]:
    """Return what to say about the scene camera's side, and whether it holds up; ("", True) where nothing is known.

    Reads no file, so that panels may ask.
    """
    scene = context.scene
    avatar = avatar_object.loaded(avatar_object_)
    if avatar is None or scene.camera is None or avatar_object_.name not in scene.objects:
        return "", True
    evaluated = avatar_object_.evaluated_get(context.evaluated_depsgraph_get())
    values = evaluated.hmtalker
    camera = np.array(scene.camera.matrix_world.translation, np.float64)
    matrix = np.array(evaluated.matrix_world, np.float64) @ camera_view.object_from_canonical(avatar)
    if abs(np.linalg.det(matrix)) < 1e-12:
        return "", True
    position = np.linalg.solve(matrix, np.append(camera, 1.0))[:3]
    side = side_of(position, avatar, HeadPose(tuple(values.head_rotation), tuple(values.head_translation)))
    away = beyond(side, avatar)
    if not any(away):
        return "The camera sees a side that the avatar was filmed from", True
    told = []
    if away.yaw:
        told.append(f"{away.yaw:.0f}° too far to the {'right' if side.yaw > 0 else 'left'}")
    if away.pitch:
        told.append(f"{away.pitch:.0f}° too {'high' if side.pitch > 0 else 'low'}")
    return f"The camera is {' and '.join(told)}; the avatar was not filmed from there", False
