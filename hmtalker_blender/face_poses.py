# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces that an artist puts on: emotions and poses of one's own, as keys of the artist's layer, and as assets.

A pose is an action with one key on each Action Unit that it moves. The artist's layer adds to what is generated, so a
pose put on while the avatar speaks leaves the speech visible.
"""

from __future__ import annotations

import bpy

from ..engine import emotions
from ..engine.action_unit_sets import EXTENDED
from .nla_tracks import ARTIST_BLEND

TAG = "HM-Talker"


def make(name: str, units: dict[str, float], description: str, author: str = "") -> bpy.types.Action:
    """Add a pose to the file as an asset. units: Action Unit -> intensity 0..5."""
    action = bpy.data.actions.new(name)
    slot = action.slots.new(id_type="OBJECT", name="Face")
    bag = action.layers.new("Face").strips.new(type="KEYFRAME").channelbag(slot, ensure=True)
    for code in EXTENDED.codes:
        if units.get(code, 0.0) != 0.0:
            curve = bag.fcurves.new(f"hmtalker.{code}")
            curve.keyframe_points.insert(1, units[code])
            curve.update()
    action.asset_mark()
    action.asset_data.description = description
    action.asset_data.author = author
    for tag in (TAG, "face"):
        action.asset_data.tags.new(tag, skip_if_exists=True)
    return action


def is_pose(action: bpy.types.Action | None) -> bool:
    """Say whether an action is a face that can be put on."""
    return action is not None and action.asset_data is not None and TAG in action.asset_data.tags


def poses() -> list[bpy.types.Action]:
    """Return the poses in this file."""
    return [action for action in bpy.data.actions if is_pose(action)]


def units_of(action: bpy.types.Action) -> dict[str, float]:
    """Return what a pose does: Action Unit -> intensity."""
    paths = {f"hmtalker.{code}": code for code in EXTENDED.codes}
    bags = [bag for layer in action.layers for strip in layer.strips for bag in strip.channelbags]
    return {
        paths[curve.data_path]: curve.evaluate(1.0) for bag in bags for curve in bag.fcurves if curve.data_path in paths
    }


def tweak_reason(avatar_object: bpy.types.Object) -> str:
    """Say why nothing can be keyed in the artist's layer now, or return an empty string."""
    animation = avatar_object.animation_data
    if animation is not None and animation.use_tweak_mode:
        return "Leave tweak mode in the NLA editor (Tab) first"
    if animation is not None and animation.action is not None and not animation.action.is_editable:
        return "The artist's action is linked from another file; make it local first"
    return ""


def put_on(avatar_object: bpy.types.Object, units: dict[str, float], frame: float, blend: float) -> int:
    """Key a face in the artist's layer from `frame` on; returns how many Action Units were keyed.

    units: Action Unit -> intensity that is added. blend: frames before, over which the face so far goes over into it.
    Units that emotions use and that were keyed before go back to rest, so one emotion takes the place of another.
    """
    action, slot = _artist_layer(avatar_object)
    keyed = 0
    for code in EXTENDED.codes:
        path = f"hmtalker.{code}"
        curve = _find(action, slot, path)
        wanted = units.get(code, 0.0)
        if wanted == 0.0 and (curve is None or code not in emotions.USED):
            continue
        if curve is None:
            curve = action.fcurve_ensure_for_datablock(avatar_object, path)
        before = curve.evaluate(frame - blend) if len(curve.keyframe_points) else 0.0
        if blend > 0:
            _key(curve, frame - blend, before)
        _key(curve, frame, wanted)
        curve.update()
        keyed += 1
    action.update_tag()
    avatar_object.update_tag()
    return keyed


def _artist_layer(avatar_object: bpy.types.Object) -> tuple[bpy.types.Action, bpy.types.ActionSlot]:
    """Return the object's own action and its slot, made where there is none."""
    animation = avatar_object.animation_data_create()
    if animation.action is None:
        animation.action = bpy.data.actions.new(f"{avatar_object.name} Face")
    if animation.action_slot is None:
        animation.action_slot = animation.action.slots.new(id_type=avatar_object.id_type, name=avatar_object.name)
    if animation.action_blend_type == "REPLACE":
        animation.action_blend_type = ARTIST_BLEND
    return animation.action, animation.action_slot


def _find(action: bpy.types.Action, slot: bpy.types.ActionSlot, path: str) -> bpy.types.FCurve | None:
    for layer in action.layers:
        for strip in layer.strips:
            bag = strip.channelbag(slot)
            if bag is not None and bag.fcurves.find(path) is not None:
                return bag.fcurves.find(path)
    return None


def _key(curve: bpy.types.FCurve, frame: float, value: float) -> None:
    point = curve.keyframe_points.insert(frame, value)
    point.interpolation = "BEZIER"
    point.handle_left_type = point.handle_right_type = "AUTO_CLAMPED"
