# SPDX-License-Identifier: GPL-3.0-or-later
"""Emotions and poses: keys of the artist's layer, and assets with pictures."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import bpy
from test_animate import animate, evaluated


def shown(avatar, frame: int, code: str) -> float:
    return getattr(evaluated(avatar, frame), code)


def test_an_emotion_adds_to_the_speech_and_blends_in(avatar, strip, scene):
    animate()
    spoken = {frame: shown(avatar, frame, "AU12") for frame in (20, 26, 40, 55)}
    scene.frame_set(30)
    assert bpy.ops.hmtalker.apply_pose(emotion="HAPPY", blend=8) == {"FINISHED"}
    for frame, added in ((20, 0.0), (40, 3.5), (55, 3.5)):
        assert shown(avatar, frame, "AU12") == pytest.approx(min(spoken[frame] + added, 5.0), abs=1e-4)
    assert spoken[26] < shown(avatar, 26, "AU12") < spoken[26] + 3.5
    assert shown(avatar, 40, "AU20") >= 0.0


def test_one_emotion_takes_the_place_of_another_and_hand_keys_stay(avatar, scene):
    avatar.hmtalker.AU26 = 1.0
    avatar.hmtalker.keyframe_insert("AU26", frame=1)
    for frame, emotion in ((10, "HAPPY"), (30, "SAD"), (50, "NEUTRAL")):
        scene.frame_set(frame)
        bpy.ops.hmtalker.apply_pose(emotion=emotion, blend=5, strength=0.5)
    assert shown(avatar, 20, "AU12") == pytest.approx(1.75)
    assert (shown(avatar, 40, "AU12"), shown(avatar, 40, "AU15")) == (pytest.approx(0.0), pytest.approx(1.25))
    assert shown(avatar, 60, "AU15") == pytest.approx(0.0)
    assert shown(avatar, 1, "AU26") == pytest.approx(1.0)


def test_emotions_survive_a_new_performance(avatar, strip, scene):
    animate()
    scene.frame_set(30)
    bpy.ops.hmtalker.apply_pose(emotion="ANGRY", blend=0)
    before = shown(avatar, 40, "AU04")
    assert before > 3.0
    animate()
    assert shown(avatar, 40, "AU04") == pytest.approx(before)


def test_assets_are_made_at_request_and_not_before(avatar, scene, part):
    poses = part("hmtalker_blender.face_poses").poses
    assert poses() == []
    assert bpy.ops.hmtalker.make_pose_assets() == {"FINISHED"}
    made = {action.name: action for action in poses()}
    assert set(made) == set(part("engine.emotions").EMOTIONS)
    assert part("hmtalker_blender.face_poses").units_of(made["Sad"]) == pytest.approx(
        part("engine.emotions").EMOTIONS["Sad"]
    )
    pictures = [np.array(made[name].preview.image_pixels_float[:]) for name in ("Happy", "Angry")]
    assert all(picture.max() > 0.2 for picture in pictures)
    assert not np.array_equal(*pictures)
    assert bpy.ops.hmtalker.make_pose_assets() == {"FINISHED"}
    assert len(poses()) == len(made)


def test_the_face_shown_becomes_an_asset_that_can_be_put_on(avatar, scene, part):
    avatar.hmtalker.AU02, avatar.hmtalker.AU14 = 1.5, 2.5
    bpy.context.view_layer.update()
    assert bpy.ops.hmtalker.save_pose(name="Sly") == {"FINISHED"}
    avatar.hmtalker.AU02 = avatar.hmtalker.AU14 = 0.0
    scene.frame_set(10)
    assert bpy.ops.hmtalker.apply_pose(action="Sly", blend=0) == {"FINISHED"}
    assert (shown(avatar, 12, "AU02"), shown(avatar, 12, "AU14")) == (pytest.approx(1.5), pytest.approx(2.5))
    with pytest.raises(RuntimeError, match="no face"):
        bpy.ops.hmtalker.apply_pose(action="Nothing")


def test_tweak_mode_is_told(avatar, strip, scene):
    animate()
    bpy.ops.hmtalker.apply_pose(emotion="SMILE")
    animation = avatar.animation_data
    animation.nla_tracks[0].strips[0].select = True
    animation.nla_tracks.active = animation.nla_tracks[0]
    animation.use_tweak_mode = True
    if not animation.use_tweak_mode:
        pytest.skip("tweak mode cannot be entered here")
    with pytest.raises(RuntimeError, match="tweak mode"):
        bpy.ops.hmtalker.apply_pose(emotion="SMILE")
