# SPDX-License-Identifier: GPL-3.0-or-later
"""The NLA tracks of the generated layer: under the artist's action, over the tracks that the artist made before."""

from __future__ import annotations

import math
from collections.abc import Sequence

import bpy

from .time_map import Segment

TRACK_NAME = "HM-Talker"
ARTIST_BLEND = "COMBINE"
"""Adds relative to each property's default: AUs add up; location, scale and Audio Influence stay as keyed by hand."""
CLOSE = 1e-3


def place(
    avatar_object: bpy.types.Object, action: bpy.types.Action, name: str, shown: Sequence[Segment], muted: bool
) -> list[list[object]]:
    """Put NLA strips that show these segments of an action; returns name and `numbers` of each."""
    animation = avatar_object.animation_data_create()
    if animation.use_tweak_mode:
        animation.use_tweak_mode = False  # in tweak mode the active action is not the artist's own
    if animation.action_blend_type == "REPLACE":
        animation.action_blend_type = ARTIST_BLEND
    if not shown:
        return []
    track = _track_with_room(animation, shown[0].start, shown[-1].end)
    # Above tracks that the artist made before, add to them; else replace, so that overlapping speech does not add up
    below = next((other for other in animation.nla_tracks if not other.name.startswith(TRACK_NAME)), None)
    laid = []
    for segment in shown:
        strip = _new_strip(track, action, name, segment)
        strip.extrapolation = "NOTHING"
        strip.blend_type = "REPLACE" if below is None else ARTIST_BLEND
        strip.mute = muted
        laid.append([strip.name, *numbers(strip)])
    return laid


def numbers(strip: bpy.types.NlaStrip) -> list[float]:
    """Return where a strip lies and what it shows."""
    return [strip.frame_start, strip.frame_end, strip.action_frame_start, strip.action_frame_end]


def strips_of(avatar_object: bpy.types.Object, action: bpy.types.Action) -> list[bpy.types.NlaStrip]:
    """Return the NLA strips that show an action."""
    animation = avatar_object.animation_data
    tracks = animation.nla_tracks if animation is not None else ()
    return [strip for track in tracks for strip in track.strips if strip.action == action]


def remove(avatar_object: bpy.types.Object, action: bpy.types.Action, names: set[str] | None = None) -> None:
    """Remove the NLA strips that show an action, and generated tracks that are empty then. names: None for all."""
    animation = avatar_object.animation_data
    for track in list(animation.nla_tracks) if animation is not None else ():
        for strip in [s for s in track.strips if s.action == action and (names is None or s.name in names)]:
            track.strips.remove(strip)
        if track.name.startswith(TRACK_NAME) and not track.strips:
            animation.nla_tracks.remove(track)


def _new_strip(track: bpy.types.NlaTrack, action: bpy.types.Action, name: str, segment: Segment) -> bpy.types.NlaStrip:
    before = action.use_frame_range, action.frame_start, action.frame_end
    # A new strip takes the action's range and must find room for it at once: no more than it shall have
    action.use_frame_range = True
    action.frame_start, action.frame_end = segment.first, max(segment.last, segment.first + CLOSE)
    strip = track.strips.new(name, math.ceil(segment.start - CLOSE), action)
    action.use_frame_range, action.frame_start, action.frame_end = before
    strip.action_slot = action.slots[0]
    strip.use_sync_length = False
    length = max(segment.end - segment.start, 1.0)
    strip.action_frame_start, strip.action_frame_end = segment.first, max(segment.last, segment.first + 1.0)
    strip.scale = length / (strip.action_frame_end - strip.action_frame_start)
    strip.frame_start_raw, strip.frame_end_raw = segment.start, segment.start + length
    return strip


def _track_with_room(animation: bpy.types.AnimData, start: float, end: float) -> bpy.types.NlaTrack:
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
