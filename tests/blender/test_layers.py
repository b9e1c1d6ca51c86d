# SPDX-License-Identifier: GPL-3.0-or-later
"""The generated layer's sliders, Clean Up, and what the artist edited by hand."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import bpy, speech_like
from test_animate import animate, curve, evaluated

CODE, OTHER = "AU20", "AU17"
FRAMES = range(11, 61)


@pytest.fixture
def layer(avatar, strip):
    animate()
    return avatar.hmtalker.layer


def shown(avatar, code: str) -> np.ndarray:
    return np.array([getattr(evaluated(avatar, frame), code) for frame in FRAMES])


def test_strength_and_offset_of_one_unit_leave_the_others(avatar, layer):
    before, other = shown(avatar, CODE), shown(avatar, OTHER)
    assert before.max() > 0.1
    layer.AU20.strength = 0.5
    np.testing.assert_allclose(shown(avatar, CODE), 0.5 * before, atol=1e-5)
    layer.AU20.offset = 0.3
    np.testing.assert_allclose(shown(avatar, CODE), 0.5 * before + 0.3, atol=1e-5)
    layer.AU20.offset = -5.0
    assert not shown(avatar, CODE).any()
    np.testing.assert_array_equal(shown(avatar, OTHER), other)
    layer.AU20.offset, layer.AU20.strength = 0.0, 1.0
    np.testing.assert_array_equal(shown(avatar, CODE), before)


def test_the_layers_strength_scales_every_unit(avatar, layer):
    before = {code: shown(avatar, code) for code in (CODE, "AU45", "AU01")}
    layer.strength = 0.25
    for code, values in before.items():
        np.testing.assert_allclose(shown(avatar, code), 0.25 * values, atol=1e-5)


def test_smoothing_calms(avatar, layer):
    before = shown(avatar, CODE)
    layer.AU20.smoothing = 3.0
    after = shown(avatar, CODE)
    assert np.abs(np.diff(after, 2)).max() < 0.5 * np.abs(np.diff(before, 2)).max()
    assert abs(after.mean() - before.mean()) < 0.1


def test_mute_and_solo(avatar, layer):
    before = shown(avatar, CODE)
    layer.AU20.mute = True
    assert not shown(avatar, CODE).any()
    assert shown(avatar, OTHER).any()
    layer.AU20.mute = False
    layer.AU20.solo = True
    np.testing.assert_array_equal(shown(avatar, CODE), before)
    assert not shown(avatar, OTHER).any()
    assert evaluated(avatar, 30).head_rotation[1] != 0.0


def test_sliders_count_for_the_next_performance_and_leave_hand_keys(avatar, layer):
    avatar.hmtalker.AU12 = 1.0
    evaluated(avatar, 20)
    avatar.hmtalker.AU12 = 1.5
    avatar.hmtalker.keyframe_insert("AU12", frame=20)
    hand = [point.co[1] for point in _artist(avatar, "hmtalker.AU12").keyframe_points]
    layer.AU20.strength = 0.5
    quiet = shown(avatar, CODE)
    animate()
    np.testing.assert_allclose(shown(avatar, CODE), quiet, atol=1e-6)
    assert [point.co[1] for point in _artist(avatar, "hmtalker.AU12").keyframe_points] == hand


def _artist(avatar, path: str):
    action = avatar.animation_data.action
    return action.layers[0].strips[0].channelbag(avatar.animation_data.action_slot).fcurves.find(path)


def test_reset_puts_every_slider_back(avatar, layer):
    before = shown(avatar, CODE)
    layer.AU20.strength, layer.strength, layer.AU17.mute = 0.1, 2.0, True
    assert bpy.ops.hmtalker.reset_layer() == {"FINISHED"}
    assert (layer.AU20.strength, layer.strength, layer.AU17.mute) == (1.0, 1.0, False)
    np.testing.assert_array_equal(shown(avatar, CODE), before)


def test_clean_up_stays_within_the_error_and_says_what_went(avatar, layer, part):
    before = {code: shown(avatar, code) for code in (CODE, "AU45", "AU01")}
    error = 0.2
    assert bpy.ops.hmtalker.clean_up(error=error) == {"FINISHED"}
    assert len(curve(avatar, f"hmtalker.{CODE}").keyframe_points) < 45
    for code, values in before.items():
        assert np.abs(shown(avatar, code) - values).max() <= error + 1e-5
    assert layer.key_error == pytest.approx(error)
    assert bpy.ops.hmtalker.restore_keys() == {"FINISHED"}
    assert len(curve(avatar, f"hmtalker.{CODE}").keyframe_points) == 50
    np.testing.assert_array_equal(shown(avatar, CODE), before[CODE])
    assert not bpy.ops.hmtalker.restore_keys.poll()


def test_a_cleaned_up_performance_stays_so_when_it_is_given_again(avatar, layer):
    bpy.ops.hmtalker.clean_up(error=0.2)
    kept = len(curve(avatar, f"hmtalker.{CODE}").keyframe_points)
    animate()
    assert len(curve(avatar, f"hmtalker.{CODE}").keyframe_points) == kept
    layer.AU20.strength = 1.1
    assert len(curve(avatar, f"hmtalker.{CODE}").keyframe_points) < 45


def test_generated_keys_that_were_edited_by_hand_are_never_lost(avatar, layer):
    points = curve(avatar, f"hmtalker.{CODE}").keyframe_points
    points[10].co[1] = 4.5
    layer.AU20.strength = 0.5
    layer.strength = 0.5
    bpy.ops.hmtalker.clean_up(error=0.1)
    points = curve(avatar, f"hmtalker.{CODE}").keyframe_points
    assert (len(points), points[10].co[1]) == (50, 4.5)
    edited = avatar.hmtalker.takes[0].action
    animate()
    assert avatar.hmtalker.takes[0].action != edited
    assert edited.use_fake_user
    assert "edited by hand" in edited.name


def test_a_head_that_breathes_and_eyes_that_glance_are_on_by_default(avatar, add_sound):
    add_sound(speech_like(8.0), "long", start=1)
    animate()
    body = np.array([list(evaluated(avatar, frame).body_translation) for frame in range(1, 200, 4)])
    gaze = np.array([list(evaluated(avatar, frame).gaze) for frame in range(1, 200, 4)])
    assert 0.001 < np.ptp(body[:, 1]) < 0.01
    assert np.ptp(gaze[:, 0]) > 0.01
    settings = avatar.hmtalker.performance
    settings.breath = settings.gaze = settings.nods = settings.brows = settings.blink_rate = settings.head_motion = 0.0
    animate()
    for frame in (50, 120):
        values = evaluated(avatar, frame)
        assert not any((*values.body_translation, *values.gaze, *values.head_rotation, values.AU45, values.AU01))


def test_breath_reaches_the_motion_state(avatar, layer, part):
    evaluated(avatar, 30)
    avatar.hmtalker.body_translation = (0.0, 0.002, 0.0)
    state = part("hmtalker_blender.motion_state").of_object(avatar)
    assert state.body is not None
    assert state.body[1] == pytest.approx(0.002)
