# SPDX-License-Identifier: GPL-3.0-or-later
"""A take as F-curves, in a layer of its own under the artist's.

The generated layer is one action per strip, on an NLA track; the artist's layer is the object's active action, which
adds on top. Hand keys therefore survive every new performance, and outside of all performances every property is at its
default, whatever was shown before.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import bpy
import numpy as np

from . import generated_layer, nla_tracks, strip_following, takes, time_map

if TYPE_CHECKING:
    from ..engine.take import Take
    from .performance_properties import HMT_PG_take


def write_take(
    avatar_object: bpy.types.Object,
    take: Take,
    data: bytes,
    strip: bpy.types.SoundStrip,
    scene: bpy.types.Scene,
    start: int,
    frames: int,
) -> str:
    """Make the avatar perform `take` over `frames` frames from `start`, replacing what it did for this strip.

    data: `Take.to_bytes()`, made on a worker thread, for it takes a while for an hour of speech.
    strip, scene: the sound strip spoken, and the scene whose Sequencer and frame rate it has. Keys stay as thinned out
    as they were. Returns the name of the earlier action if it was edited by hand and is kept for that, else "".
    """
    earlier = entry_of(avatar_object, strip, scene)
    key_error = earlier.key_error if earlier is not None else generated_layer.NOT_REDUCED
    kept = remove_take_of(avatar_object, strip, scene)
    entry = avatar_object.hmtalker.takes.add()
    entry.name = strip.name
    entry.number = 1 + max((other.number for other in avatar_object.hmtalker.takes), default=0)
    entry.scene = scene.name
    entry.sound = strip.sound
    entry.key_error = key_error
    entry.action = _action_of(avatar_object, take, entry, generated_layer.Timing(frames, frames_per_second(scene)))
    takes.store(entry.action, take, data)
    strip_following.begin(avatar_object, entry, scene, strip, start)
    avatar_object.update_tag()
    return kept


def write_imported(
    avatar_object: bpy.types.Object, take: Take, data: bytes, name: str, scene: bpy.types.Scene, start: int
) -> None:
    """Make the avatar perform a take that belongs to no strip, from `start` on; nobody speaks in it.

    data: `Take.to_bytes()`. name: of the file that it was read from.
    """
    fps = frames_per_second(scene)
    time = generated_layer.Timing(max(1, round(take.frames / take.fps * fps)), fps)
    entry = avatar_object.hmtalker.takes.add()
    entry.name, entry.scene = name, scene.name
    entry.number = 1 + max((other.number for other in avatar_object.hmtalker.takes), default=0)
    entry.action = _action_of(avatar_object, take, entry, time, speaks=False)
    takes.store(entry.action, take, data)
    shown = time_map.Segment(start, start + time.frames - 1, 0.0, time.frames - 1)
    nla_tracks.place(avatar_object, entry.action, name, [shown], muted=False)
    avatar_object.update_tag()


def remove_take_of(avatar_object: bpy.types.Object, strip: bpy.types.SoundStrip, scene: bpy.types.Scene) -> str:
    """Remove what the avatar performs for this strip, and nothing else; returns what `remove_entry` does."""
    entry = entry_of(avatar_object, strip, scene)
    return remove_entry(avatar_object, entry) if entry is not None else ""


def remove_entry(avatar_object: bpy.types.Object, entry: HMT_PG_take) -> str:
    """Remove one performance: its NLA strips, its action unless somebody else uses it, and its entry.

    An action with curves that were edited by hand is kept, with a fake user; its name is returned, else "".
    """
    action = entry.action
    if action is not None:
        laid = {name for name, *_ in json.loads(entry.placement)["nla"]} if entry.placement else None
        nla_tracks.remove(avatar_object, action, laid)
    index = next(i for i, candidate in enumerate(avatar_object.hmtalker.takes) if candidate == entry)
    avatar_object.hmtalker.takes.remove(index)
    avatar_object.update_tag()
    if action is None or action.users != 0:
        return ""
    if generated_layer.edited_by_hand(action):
        action.use_fake_user = True
        action.name += " (edited by hand)"
        return action.name
    bpy.data.actions.remove(action)
    return ""


def entry_of(
    avatar_object: bpy.types.Object, strip: bpy.types.SoundStrip, scene: bpy.types.Scene
) -> HMT_PG_take | None:
    """Return the avatar's performance of this strip. A strip that was renamed since is known by its sound."""
    entries = [entry for entry in avatar_object.hmtalker.takes if entry.scene == scene.name]
    for entry in entries:
        if entry.name == strip.name:
            return entry
    names = {other.name for other in scene.sequence_editor.strips_all}
    for entry in entries:
        if entry.name not in names and entry.sound is not None and entry.sound == strip.sound:
            return entry
    return None


def frames_per_second(scene: bpy.types.Scene) -> float:
    """Return the scene's frame rate, 23.976 and its kin included."""
    return scene.render.fps / scene.render.fps_base


def _action_of(
    avatar_object: bpy.types.Object,
    take: Take,
    entry: HMT_PG_take,
    time: generated_layer.Timing,
    speaks: bool = True,
) -> bpy.types.Action:
    action = bpy.data.actions.new(f"HM-Talker: {entry.name}")
    slot = action.slots.new(id_type=avatar_object.id_type, name=avatar_object.name)
    action.layers.new("HM-Talker").strips.new(type="KEYFRAME").channelbag(slot, ensure=True)
    for curve in generated_layer.curves(take, avatar_object.hmtalker.layer, time):
        generated_layer.write(action, curve, entry.key_error)
    ends = np.array([0, max(time.frames - 1, 1)], np.float32)
    _write_ends(action, "hmtalker.speech_time", ends, (ends + 0.5) / time.fps)
    _write_ends(action, "hmtalker.take_number", ends, np.full(2, entry.number if speaks else 0))
    return action


def _write_ends(action: bpy.types.Action, path: str, places: np.ndarray, values: np.ndarray) -> None:
    """places, values: [2]. A straight line from the first to the last frame."""
    bag = generated_layer.channelbag(action)
    curve = bag.fcurves.new(path)
    curve.group = bag.groups.get("Speech") or bag.groups.new("Speech")
    curve.keyframe_points.add(2)
    curve.keyframe_points.foreach_set("co", np.column_stack([places, values]).astype(np.float32).ravel())
    curve.keyframe_points.foreach_set("interpolation", np.full(2, generated_layer.LINEAR, np.int32))
    curve.update()
