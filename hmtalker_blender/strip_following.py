# SPDX-License-Identifier: GPL-3.0-or-later
"""A performance goes where its sound strip goes: moved, trimmed, retimed, split or muted, it stays under the sound.

What the strip looked like is kept with the performance; when it looks different, the NLA strips are laid out again. A
performance whose NLA strips the artist has moved by hand is left alone until it is animated again.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import bpy

from . import event_handlers, generated_layer, meta_strips, nla_tracks, time_map, versions

if TYPE_CHECKING:
    from .performance_properties import HMT_PG_take

CLOSE = 1e-3


def place_of(scene: bpy.types.Scene, strip: bpy.types.SoundStrip) -> dict[str, Any]:
    """Return all of a strip that its performance depends on once it is made."""
    start = versions.content_start(strip)
    keys = [key.timeline_frame - start for key in strip.retiming_keys]
    left, right = meta_strips.heard_range(scene, strip)
    return {
        "left": left,
        "right": right,
        "start": start,
        "keys": keys if len(keys) >= 2 else [0.0, max(float(versions.content_length(strip)), 1.0)],
        "offset": strip.sound_offset,
        "muted": meta_strips.is_muted(scene, strip),
    }


def begin(
    avatar_object: bpy.types.Object, entry: HMT_PG_take, scene: bpy.types.Scene, strip: bpy.types.SoundStrip, start: int
) -> None:
    """Lay out a performance that was just made for what the strip plays from frame `start` on."""
    place = place_of(scene, strip)
    knots = [(key, place["start"] + key - start) for key in place["keys"]]
    _lay_out(avatar_object, entry, place, knots)


def follow(scenes: list[bpy.types.Scene] | None = None) -> int:
    """Bring every performance under its strip; returns how many were moved. scenes: None for all."""
    moved = 0
    avatars = [candidate for candidate in bpy.data.objects if candidate.hmtalker.is_avatar]
    for scene in bpy.data.scenes if scenes is None else scenes:
        if scene.sequence_editor is None or not any(len(avatar.hmtalker.takes) for avatar in avatars):
            continue
        sounds = {strip.name: strip for strip in scene.sequence_editor.strips_all if strip.type == "SOUND"}
        for avatar in avatars:
            if avatar.is_editable:
                moved += _adopt_split_strips(avatar, scene, sounds) + _follow_strips(avatar, scene, sounds)
    return moved


def _follow_strips(avatar: bpy.types.Object, scene: bpy.types.Scene, sounds: dict[str, bpy.types.SoundStrip]) -> int:
    moved = 0
    known = {entry.name for entry in avatar.hmtalker.takes if entry.scene == scene.name}
    for entry in avatar.hmtalker.takes:
        if entry.scene == scene.name and entry.name not in sounds:
            _follow_name(entry, [strip for name, strip in sounds.items() if name not in known])
        strip = sounds.get(entry.name)
        if entry.scene != scene.name or strip is None or entry.action is None or not entry.placement:
            continue
        old, place = json.loads(entry.placement), place_of(scene, strip)
        if all(old[key] == value for key, value in place.items()):
            continue
        if not _as_laid_out(avatar, entry, old["nla"]):
            continue
        knots = time_map.moved_knots(old["knots"], place["keys"])
        if knots is None:  # only where it lies is known
            knots = old["knots"]
        later = (place["offset"] - old["offset"]) * _fps(scene)
        _lay_out(avatar, entry, place, [(key, frame - later) for key, frame in knots])
        moved += 1
    return moved


def _follow_name(entry: HMT_PG_take, strangers: list[bpy.types.SoundStrip]) -> None:
    """Call a performance by the new name of its strip, if only one strip can be meant."""
    same = [strip for strip in strangers if entry.sound is not None and strip.sound == entry.sound]
    if len(same) == 1:
        entry.name = same[0].name


def _adopt_split_strips(
    avatar: bpy.types.Object, scene: bpy.types.Scene, sounds: dict[str, bpy.types.SoundStrip]
) -> int:
    """Give a strip that was cut off another one its part of the performance."""
    known = {entry.name for entry in avatar.hmtalker.takes if entry.scene == scene.name}
    donors = [entry for entry in avatar.hmtalker.takes if entry.scene == scene.name and entry.placement]
    adopted = 0
    for name, strip in sounds.items():
        if name in known or not any(donor.sound == strip.sound for donor in donors):
            continue
        place = place_of(scene, strip)
        for donor in donors:
            old = json.loads(donor.placement)
            same = all(old[key] == place[key] for key in ("start", "keys", "offset"))
            inside = old["left"] <= place["left"] and place["right"] <= old["right"]
            beside = donor.name in sounds and _touch(sounds[donor.name], strip)
            if donor.sound == strip.sound and same and inside and beside:
                index = next(i for i, entry in enumerate(avatar.hmtalker.takes) if entry == donor)
                _copy_entry(avatar, index, name, place)
                adopted += 1
                break
        if adopted:  # the collection has grown, and with it everything that pointed into it has moved
            return adopted + _adopt_split_strips(avatar, scene, sounds)
    return adopted


def _copy_entry(avatar: bpy.types.Object, index: int, name: str, place: dict[str, Any]) -> None:
    entry = avatar.hmtalker.takes.add()
    donor = avatar.hmtalker.takes[index]
    entry.name = name
    for field in ("number", "scene", "sound", "action", "key_error"):
        setattr(entry, field, getattr(donor, field))
    _lay_out(avatar, entry, place, json.loads(donor.placement)["knots"])


def _touch(one: bpy.types.SoundStrip, other: bpy.types.SoundStrip) -> bool:
    return versions.right_handle(one) == versions.left_handle(other) or versions.left_handle(
        one
    ) == versions.right_handle(other)


def unspoken_reason(entry: HMT_PG_take, scene: bpy.types.Scene, strip: bpy.types.SoundStrip) -> str:
    """Say what the performance lacks of its strip as it is now, or return an empty string."""
    if entry.sound != strip.sound:
        return "The strip has another sound now; animate it again"
    if not entry.placement or entry.action is None:
        return ""
    old = json.loads(entry.placement)
    time = generated_layer.timing(entry.action)
    if time is None or time_map.moved_knots(old["knots"], place_of(scene, strip)["keys"]) is None:
        return "The strip was retimed beyond what can be followed; animate it again"
    first = time_map.action_frame(old["knots"], old["left"] - old["start"])
    last = time_map.action_frame(old["knots"], old["right"] - 1 - old["start"])
    missing = max(0.0, -first) + max(0.0, last - (time.frames - 1))
    return f"{missing:.0f} frames of the strip are not performed yet; animate it again" if missing >= 1 else ""


def _lay_out(avatar: bpy.types.Object, entry: HMT_PG_take, place: dict[str, Any], knots: list[time_map.Knot]) -> None:
    time = generated_layer.timing(entry.action)
    frames = time.frames if time is not None else 1
    shown = time_map.segments(knots, place["start"], place["left"], place["right"], frames)
    old = json.loads(entry.placement)["nla"] if entry.placement else []
    nla_tracks.remove(avatar, entry.action, {name for name, *_ in old})
    laid = nla_tracks.place(avatar, entry.action, entry.name, shown, place["muted"])
    entry.placement = json.dumps(place | {"knots": knots, "nla": laid})
    avatar.update_tag()


def _as_laid_out(avatar: bpy.types.Object, entry: HMT_PG_take, laid: list[list[Any]]) -> bool:
    """Say whether the NLA strips of a performance are as they were laid out; those that are gone count as moved."""
    present = {strip.name: strip for strip in nla_tracks.strips_of(avatar, entry.action)}
    for name, *numbers in laid:
        strip = present.get(name)
        if strip is None or any(abs(a - b) > CLOSE for a, b in zip(nla_tracks.numbers(strip), numbers, strict=True)):
            return False
    return True


def _fps(scene: bpy.types.Scene) -> float:
    return scene.render.fps / scene.render.fps_base


@bpy.app.handlers.persistent
def _after_update(_scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    if depsgraph.id_type_updated("SCENE"):
        follow()


HANDLERS: event_handlers.Handlers = (("depsgraph_update_post", _after_update),)


def attach() -> None:
    """Watch the Sequencer."""
    event_handlers.attach(HANDLERS)


def detach() -> None:
    """Stop watching."""
    event_handlers.detach(HANDLERS)
