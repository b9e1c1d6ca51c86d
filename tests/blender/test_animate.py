# SPDX-License-Identifier: GPL-3.0-or-later
"""Animate from Strip: curves, layers, takes."""

from __future__ import annotations

import pytest
from conftest import PACKAGE, bpy, speech_like
from tiny_avatar import make_tiny_avatar

CODE = "AU20"


def evaluated(avatar, frame: int):
    bpy.context.scene.frame_set(frame)
    return avatar.evaluated_get(bpy.context.evaluated_depsgraph_get()).hmtalker


def animate(**names) -> None:
    assert bpy.ops.hmtalker.animate_from_strip(**names) == {"FINISHED"}


def curve(avatar, path: str, index: int = 0, take: int = -1):
    action = avatar.hmtalker.takes[take].action
    return action.layers[0].strips[0].channelbag(action.slots[0]).fcurves.find(path, index=index)


def test_every_action_unit_gets_one_linear_key_a_frame(avatar, strip, part):
    animate()
    for code in part("engine.action_units").CODES:
        points = curve(avatar, f"hmtalker.{code}").keyframe_points
        assert [point.co[0] for point in points] == list(range(50))
        assert {point.interpolation for point in points} == {"LINEAR"}


def test_frames_show_what_the_take_says(avatar, strip, part):
    animate()
    take = part("hmtalker_blender.takes").by_number(avatar, 1)
    index = part("engine.action_units").CODES.index(CODE)
    spoken = [getattr(evaluated(avatar, 11 + k), CODE) for k in range(50)]
    assert max(abs(a - b) for a, b in zip(spoken, take.action_units[:50, index], strict=True)) < 1e-5
    assert abs(evaluated(avatar, 20).head_rotation[1] - take.head[9, 1]) < 1e-6


def test_implicit_features_follow_speech_time(avatar, strip, part):
    animate()
    motion_state, takes = part("hmtalker_blender.motion_state"), part("hmtalker_blender.takes")
    take = takes.by_number(avatar, 1)
    for frame in (11, 30, 60):
        evaluated(avatar, frame)
        state = motion_state.of_object(avatar.evaluated_get(bpy.context.evaluated_depsgraph_get()))
        assert abs(state.implicit - take.implicit[frame - 11]).max() < 1e-5
    for frame in (10, 61):
        evaluated(avatar, frame)
        assert motion_state.of_object(avatar).implicit is None


def test_outside_of_speech_the_face_is_at_rest_whatever_was_shown_before(avatar, strip):
    animate()
    for frame in (30, 5, 30, 100):
        values = evaluated(avatar, frame)
    assert getattr(values, CODE) == 0.0
    assert values.speech_time < 0.0
    assert values.take_number == 0


def test_rebake_keeps_hand_keys(avatar, strip):
    animate()
    generated = [getattr(evaluated(avatar, frame), CODE) for frame in (20, 25)]
    evaluated(avatar, 20)
    avatar.hmtalker.AU12 = 1.5
    avatar.hmtalker.keyframe_insert("AU12", frame=20)
    mouth = getattr(avatar.hmtalker, CODE)
    setattr(avatar.hmtalker, CODE, mouth + 0.5)
    avatar.hmtalker.keyframe_insert(CODE, frame=20)
    avatar.keyframe_insert("location", frame=20)
    hand = avatar.animation_data.action
    animate()
    assert avatar.animation_data.action == hand
    for frame, value in zip((20, 25), generated, strict=True):
        assert abs(getattr(evaluated(avatar, frame), CODE) - min(value + 0.5, 5.0)) < 1e-4
    assert abs(evaluated(avatar, 20).AU12 - 1.5) < 1e-4
    assert [s.action.name for t in avatar.animation_data.nla_tracks for s in t.strips] == ["HM-Talker: voice"]


def test_transforms_keyed_by_hand_are_not_added_to(avatar, strip):
    avatar.scale = (2.0, 2.0, 2.0)
    avatar.location = (1.0, 2.0, 3.0)
    avatar.keyframe_insert("scale", frame=1)
    avatar.keyframe_insert("location", frame=1)
    avatar.hmtalker.audio_influence = 0.25
    avatar.hmtalker.keyframe_insert("audio_influence", frame=1)
    animate()
    assert abs(evaluated(avatar, 30).audio_influence - 0.25) < 1e-6
    assert [round(v, 5) for v in (*avatar.scale, *avatar.location)] == [2, 2, 2, 1, 2, 3]


def test_only_the_strip_that_is_animated_again_is_replaced(avatar, add_sound):
    add_sound(speech_like(1.0), "first", start=1)
    animate()
    add_sound(speech_like(1.0), "second", start=26)
    animate()
    first = avatar.hmtalker.takes["first"].action
    animate(strip="second")
    assert avatar.hmtalker.takes["first"].action == first
    assert sorted(entry.name for entry in avatar.hmtalker.takes) == ["first", "second"]
    assert len([a for a in bpy.data.actions if a.name.startswith("HM-Talker")]) == 2
    assert evaluated(avatar, 25).take_number == avatar.hmtalker.takes["first"].number
    assert evaluated(avatar, 26).take_number == avatar.hmtalker.takes["second"].number


def test_overlapping_strips_both_get_room(avatar, add_sound):
    add_sound(speech_like(1.0), "first", start=1)
    animate()
    add_sound(speech_like(1.0), "second", start=10, channel=2)
    animate()
    assert evaluated(avatar, 5).take_number == 1
    assert evaluated(avatar, 20).take_number == 2
    assert evaluated(avatar, 5).take_number == 1


def test_a_renamed_strip_is_still_known(avatar, strip):
    animate()
    strip.name = "other"
    animate()
    assert [entry.name for entry in avatar.hmtalker.takes] == ["other"]


def test_moving_the_generated_strip_moves_both_channels(avatar, strip, part):
    animate()
    before = getattr(evaluated(avatar, 20), CODE), evaluated(avatar, 20).speech_time
    nla_strip = avatar.animation_data.nla_tracks[0].strips[0]
    nla_strip.frame_end += 100
    nla_strip.frame_start += 100
    moved = evaluated(avatar, 120)
    assert abs(getattr(moved, CODE) - before[0]) < 1e-4
    assert abs(moved.speech_time - before[1]) < 1e-4


def test_other_frame_rates_keep_time(avatar, strip, scene, part):
    for fps, base in ((60, 1.0), (24, 1.001)):
        scene.render.fps, scene.render.fps_base = fps, base
        rate = fps / base
        animate()
        take = part("hmtalker_blender.takes").by_number(avatar, avatar.hmtalker.takes[0].number)
        index = part("engine.action_units").CODES.index(CODE)
        start = part("hmtalker_blender.versions").left_handle(strip)
        frame = start + 20
        place = (20.5 / rate) * take.fps - 0.5
        low = int(place)
        between = take.action_units[low, index] * (low + 1 - place) + take.action_units[low + 1, index] * (place - low)
        assert abs(getattr(evaluated(avatar, frame), CODE) - between) < 1e-3
        assert abs(evaluated(avatar, frame).speech_time - 20.5 / rate) < 1e-4
        assert scene.render.fps == fps


def test_takes_survive_saving_and_appending(avatar, strip, tmp_path, part):
    animate()
    name, frame = avatar.name, 30
    expected = part("hmtalker_blender.takes").by_number(avatar, 1).implicit.copy()
    path = str(tmp_path / "talk.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    part("hmtalker_blender").forget_loaded_data()
    bpy.ops.wm.open_mainfile(filepath=path)
    again = bpy.data.objects[name]
    evaluated(again, frame)
    state = part("hmtalker_blender.motion_state").of_object(again)
    assert abs(state.implicit - expected[frame - 11]).max() < 1e-5
    for link in (False, True):
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        with bpy.data.libraries.load(path, link=link) as (_source, target):
            target.objects = [name]
        other = target.objects[0]
        bpy.context.scene.collection.objects.link(other)
        evaluated(other, frame)
        assert abs(part("hmtalker_blender.motion_state").of_object(other).implicit - state.implicit).max() < 1e-6


def test_remove_performance_leaves_hand_keys(avatar, strip):
    animate()
    evaluated(avatar, 20)
    avatar.hmtalker.AU12 += 1.0
    avatar.hmtalker.keyframe_insert("AU12", frame=20)
    avatar.update_tag()
    assert bpy.ops.hmtalker.clear_take() == {"FINISHED"}
    assert len(avatar.hmtalker.takes) == 0
    assert not avatar.animation_data.nla_tracks
    assert not [action for action in bpy.data.actions if action.name.startswith("HM-Talker")]
    assert abs(evaluated(avatar, 20).AU12 - 1.0) < 1e-5


def test_performance_settings_count_and_the_same_seed_gives_the_same_frames(avatar, strip, part):
    takes = part("hmtalker_blender.takes")

    def perform():
        animate()
        return takes.by_number(avatar, avatar.hmtalker.takes[0].number)

    first, again = perform(), perform()
    assert (first.action_units == again.action_units).all()
    assert (first.head == again.head).all()
    avatar.hmtalker.performance.seed = 7
    assert (perform().head != first.head).any()
    avatar.hmtalker.performance.head_motion = 0.0
    assert not perform().head.any()


def test_settings_are_those_of_the_engine(avatar, part):
    part("engine.take").AnimateSettings(**avatar.hmtalker.performance.as_settings())
    defaults = part("engine.take").AnimateSettings()
    for name, value in avatar.hmtalker.performance.as_settings().items():
        assert getattr(defaults, name) == value


def test_the_named_strip_and_avatar_are_used(avatar, add_sound, tiny_file):
    add_sound(speech_like(1.0), "first", start=1)
    add_sound(speech_like(1.0), "second", start=26)
    bpy.ops.hmtalker.add_avatar(filepath=str(tiny_file))
    other = bpy.context.active_object
    animate(strip="first", avatar=other.name)
    assert [entry.name for entry in other.hmtalker.takes] == ["first"]
    assert len(avatar.hmtalker.takes) == 0


def test_the_speech_encoder_in_the_zip_is_found(scene, strip, part, tmp_path):
    if not part("hmtalker_blender.engine_paths").SPEECH_ENCODER.is_file():
        pytest.skip("this zip was built without the speech encoder")
    pytest.importorskip("onnxruntime", reason="this zip was built without wheels")
    path = tmp_path / "whisper.hmt"
    part("engine.avatar").save_avatar(
        make_tiny_avatar(engine=f"{PACKAGE}.engine", encoder="whisper-tiny.en-l123", dimension=1152), path
    )
    bpy.ops.hmtalker.add_avatar(filepath=str(path))
    animate()
    take = part("hmtalker_blender.takes").by_number(bpy.context.active_object, 1)
    assert take.implicit.std(axis=0).max() > 0
