# SPDX-License-Identifier: GPL-3.0-or-later
"""A take as F-curves, in a layer of its own under the artist's.

The generated layer is one action per strip, on an NLA track; the artist's layer is the object's active action, which
adds on top. Hand keys therefore survive every new performance, and outside of all performances every property is at its
default, whatever was shown before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
import numpy as np

from ..engine import action_units
from . import takes

if TYPE_CHECKING:
    from ..engine.take import Take
    from .properties import HMT_PG_take

TRACK_NAME = "HM-Talker"
ARTIST_BLEND = "COMBINE"
"""Adds relative to each property's default: AUs add up; location, scale and Audio Influence stay as keyed by hand."""

LINEAR = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items["LINEAR"].value


def write_take(
    avatar_object: bpy.types.Object,
    take: Take,
    data: bytes,
    strip: bpy.types.SoundStrip,
    scene: bpy.types.Scene,
    start: int,
    frames: int,
) -> bpy.types.Action:
    """Make the avatar perform `take` over `frames` frames from `start`, replacing what it did for this strip.

    data: `Take.to_bytes()`, made on a worker thread, for it takes a while for an hour of speech.
    strip, scene: the sound strip spoken, and the scene whose Sequencer and frame rate it has.
    """
    remove_take_of(avatar_object, strip, scene)
    entry = avatar_object.hmtalker.takes.add()
    entry.name = strip.name
    entry.number = 1 + max((other.number for other in avatar_object.hmtalker.takes), default=0)
    entry.scene = scene.name
    entry.sound = strip.sound
    entry.action = _action_of(avatar_object, take, strip.name, entry.number, frames, frames_per_second(scene))
    takes.store(entry.action, take, data)
    _place(avatar_object, entry.action, strip.name, start, frames)
    avatar_object.update_tag()
    return entry.action


def remove_take_of(avatar_object: bpy.types.Object, strip: bpy.types.SoundStrip, scene: bpy.types.Scene) -> None:
    """Remove what the avatar performs for this strip, and nothing else."""
    entry = entry_of(avatar_object, strip, scene)
    if entry is not None:
        remove_entry(avatar_object, entry)


def remove_entry(avatar_object: bpy.types.Object, entry: HMT_PG_take) -> None:
    """Remove one performance: its NLA strips, its action unless somebody else uses it, and its entry."""
    action = entry.action
    animation = avatar_object.animation_data
    if action is not None and animation is not None:
        for track in list(animation.nla_tracks):
            for nla_strip in [candidate for candidate in track.strips if candidate.action == action]:
                track.strips.remove(nla_strip)
            if track.name.startswith(TRACK_NAME) and not track.strips:
                animation.nla_tracks.remove(track)
    index = next(i for i, candidate in enumerate(avatar_object.hmtalker.takes) if candidate.number == entry.number)
    avatar_object.hmtalker.takes.remove(index)
    avatar_object.update_tag()
    if action is not None and action.users == 0:
        bpy.data.actions.remove(action)


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
    avatar_object: bpy.types.Object, take: Take, name: str, number: int, frames: int, fps: float
) -> bpy.types.Action:
    action = bpy.data.actions.new(f"HM-Talker: {name}")
    slot = action.slots.new(id_type=avatar_object.id_type, name=avatar_object.name)
    bag = action.layers.new("HM-Talker").strips.new(type="KEYFRAME").channelbag(slot, ensure=True)
    positions = np.arange(frames, dtype=np.float32)
    moments = (np.arange(frames) + 0.5) / fps  # a frame shows what is said in the middle of the time it is on screen
    values = take.sample_action_units(moments)
    for index, code in enumerate(action_units.CODES):
        _write_curve(bag, f"hmtalker.{code}", 0, positions, values[:, index], "Action Units")
    head = take.sample_head(moments)
    for index in range(3):
        _write_curve(bag, "hmtalker.head_rotation", index, positions, head[:, index], "Head")
        _write_curve(bag, "hmtalker.head_translation", index, positions, head[:, 3 + index], "Head")
    ends = np.array([0, max(frames - 1, 1)], np.float32)
    _write_curve(bag, "hmtalker.speech_time", 0, ends, (ends + 0.5) / fps, "Speech")
    _write_curve(bag, "hmtalker.take_number", 0, ends, np.full(2, number), "Speech")
    return action


def _write_curve(
    bag: bpy.types.ActionChannelbag, path: str, index: int, positions: np.ndarray, values: np.ndarray, group: str
) -> None:
    """positions, values: [keys]. All keys at once: thousands take a millisecond, where one by one they take seconds."""
    curve = bag.fcurves.new(path, index=index)
    curve.group = bag.groups.get(group) or bag.groups.new(group)
    points = curve.keyframe_points
    points.add(len(positions))
    points.foreach_set("co", np.column_stack([positions, values]).astype(np.float32).ravel())
    points.foreach_set("interpolation", np.full(len(positions), LINEAR, np.int32))
    curve.update()


def _place(avatar_object: bpy.types.Object, action: bpy.types.Action, name: str, start: int, frames: int) -> None:
    animation = avatar_object.animation_data_create()
    if animation.use_tweak_mode:
        animation.use_tweak_mode = False  # in tweak mode the active action is not the artist's own
    track = _track_with_room(animation, start, start + frames - 1)
    nla_strip = track.strips.new(name, start, action)
    nla_strip.action_slot = action.slots[0]
    nla_strip.action_frame_start, nla_strip.action_frame_end = 0, max(frames - 1, 1)
    nla_strip.extrapolation = "NOTHING"
    # Above tracks that the artist made before, add to them; else replace, so that overlapping speech does not add up
    below = next((other for other in animation.nla_tracks if not other.name.startswith(TRACK_NAME)), None)
    nla_strip.blend_type = "REPLACE" if below is None else ARTIST_BLEND
    if animation.action_blend_type == "REPLACE":
        animation.action_blend_type = ARTIST_BLEND


def _track_with_room(animation: bpy.types.AnimData, start: int, end: int) -> bpy.types.NlaTrack:
    """Return the first generated track with nothing between two frames, or a new one above the generated ones."""
    last = None
    for track in animation.nla_tracks:
        if track.name.startswith(TRACK_NAME):
            if all(strip.frame_end <= start - 1 or strip.frame_start >= end + 1 for strip in track.strips):
                return track
            last = track
    track = animation.nla_tracks.new(prev=last) if last is not None else animation.nla_tracks.new()
    track.name = TRACK_NAME
    return track
