# SPDX-License-Identifier: GPL-3.0-or-later
"""The performance stays under its sound: strips that are moved, trimmed, retimed, split and muted afterwards."""

from __future__ import annotations

import pytest
from conftest import bpy

CODE = "AU20"


@pytest.fixture
def spoken(avatar, strip):
    """An avatar that speaks two seconds from frame 11; returns what it shows at a frame: (AU25, speech time)."""
    assert bpy.ops.hmtalker.animate_from_strip() == {"FINISHED"}

    def at(frame: int) -> tuple[float, float]:
        bpy.context.view_layer.update()  # as the interface does after every change
        bpy.context.scene.frame_set(frame)
        values = avatar.evaluated_get(bpy.context.evaluated_depsgraph_get()).hmtalker
        return getattr(values, CODE), values.speech_time

    return at


def same(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return abs(one[0] - other[0]) < 1e-3 and abs(one[1] - other[1]) < 1e-4


def move(strip, frames: int) -> None:
    name = "content_start" if hasattr(strip, "content_start") else "frame_start"
    setattr(strip, name, getattr(strip, name) + frames)


def test_a_moved_strip_takes_its_performance_along(spoken, strip):
    before = [spoken(frame) for frame in (11, 30, 60)]
    move(strip, 37)
    assert all(same(spoken(frame + 37), value) for frame, value in zip((11, 30, 60), before, strict=True))
    assert spoken(47)[1] < 0
    move(strip, -100)
    assert same(spoken(-33), before[1])


def test_a_trimmed_strip_is_silent_where_it_was_trimmed_and_otherwise_as_before(spoken, strip, part):
    before = spoken(30)
    versions = part("hmtalker_blender.versions")
    versions.set_left_handle(strip, 25)
    versions.set_right_handle(strip, 50)
    assert same(spoken(30), before)
    assert spoken(24)[1] < 0
    assert spoken(25)[1] > 0
    assert spoken(49)[1] > 0
    assert spoken(50)[1] < 0
    versions.set_right_handle(strip, 55)
    assert spoken(54)[1] > 0


def test_what_a_longer_strip_reveals_is_said_to_be_missing(avatar, strip, scene, part):
    versions, following = part("hmtalker_blender.versions"), part("hmtalker_blender.strip_following")
    versions.set_right_handle(strip, 41)
    bpy.ops.hmtalker.animate_from_strip()
    assert following.unspoken_reason(avatar.hmtalker.takes[0], scene, strip) == ""
    versions.set_right_handle(strip, 51)
    bpy.context.view_layer.update()
    assert "10 frames" in following.unspoken_reason(avatar.hmtalker.takes[0], scene, strip)
    bpy.ops.hmtalker.animate_from_strip()
    assert following.unspoken_reason(avatar.hmtalker.takes[0], scene, strip) == ""


def test_an_offset_sound_takes_its_performance_along(spoken, strip):
    before = spoken(30)
    strip.sound_offset += 0.4
    assert same(spoken(40), before)


def test_a_muted_strip_rests_the_face_and_sounds_again(spoken, strip):
    before = spoken(30)
    strip.mute = True
    assert spoken(30) == (0.0, -1.0)
    strip.mute = False
    assert same(spoken(30), before)


def test_a_retimed_strip_takes_its_performance_along(spoken, strip):
    if bpy.app.version < (5, 0):
        pytest.skip("adding a speed key from Python crashes bpy 4.5 outside the application")
    before = {frame: spoken(frame) for frame in (11, 21, 31, 46, 60)}
    strip.retiming_keys.add(timeline_frame=31)
    assert all(same(spoken(frame), value) for frame, value in before.items())
    strip.retiming_keys[1].timeline_frame = 51  # the first twenty frames now last forty
    bpy.context.view_layer.update()
    strip.retiming_keys[2].timeline_frame = 81
    assert same(spoken(31), before[21])
    assert same(spoken(51), before[31])
    assert same(spoken(66), before[46])
    move(strip, 10)
    assert same(spoken(41), before[21])


def test_a_split_strip_keeps_both_parts_of_the_performance(avatar, spoken, strip, scene):
    before = {frame: spoken(frame) for frame in (20, 50)}
    rest = strip.split(40, "SOFT")
    assert rest is not None
    bpy.context.view_layer.update()
    assert [entry.name for entry in avatar.hmtalker.takes] == [strip.name, rest.name]
    move(rest, 30)
    assert same(spoken(20), before[20])
    assert spoken(50)[1] < 0
    assert same(spoken(80), before[50])
    scene.sequence_editor.active_strip = rest
    assert bpy.ops.hmtalker.clear_take() == {"FINISHED"}
    assert same(spoken(20), before[20])
    assert spoken(80)[1] < 0


def test_nla_strips_that_the_artist_moved_are_left_alone(avatar, spoken, strip):
    before = spoken(30)
    nla_strip = avatar.animation_data.nla_tracks[0].strips[0]
    nla_strip.frame_end += 100
    nla_strip.frame_start += 100
    move(strip, 5)
    assert same(spoken(130), before)
    bpy.ops.hmtalker.animate_from_strip()
    assert same(spoken(35), before)


def test_a_strip_in_a_meta_strip_moves_with_it(avatar, spoken, strip, scene, part):
    before = spoken(30)
    versions = part("hmtalker_blender.versions")
    meta = scene.sequence_editor.strips.new_meta("meta", 3, 11)
    strip.move_to_meta(meta)
    versions.set_right_handle(meta, 61)
    assert same(spoken(30), before)
    versions.set_right_handle(meta, 41)
    assert spoken(40)[1] > 0
    assert spoken(41)[1] < 0


def test_a_map_is_told_from_the_keys_or_not_at_all(part):
    time_map = part("hmtalker_blender.time_map")
    knots = [(0.0, -5.0), (100.0, 95.0)]
    assert time_map.moved_knots(knots, [0.0, 200.0]) == [(0.0, -5.0), (200.0, 95.0)]
    assert time_map.moved_knots(knots, [0.0, 40.0, 100.0]) == [(0.0, -5.0), (40.0, 35.0), (100.0, 95.0)]
    assert time_map.moved_knots(knots, [0.0, 40.0, 120.0]) is None
    (segment,) = time_map.segments([(0.0, -5.0), (200.0, 95.0)], 10.0, 0, 300, 50)
    assert segment == (20.0, 118.0, 0.0, 49.0)
