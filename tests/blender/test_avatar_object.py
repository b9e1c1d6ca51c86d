# SPDX-License-Identifier: GPL-3.0-or-later
"""Add Talking Avatar, its properties, and avatar files that are not well."""

from __future__ import annotations

import pytest
from conftest import PACKAGE, bpy, speech_like


def test_the_avatar_stands_at_the_cursor_and_speaks_for_the_scene(scene, tiny_file, part):
    scene.cursor.location = (1, 2, 3)
    fps = scene.render.fps
    bpy.ops.hmtalker.add_avatar(filepath=str(tiny_file))
    avatar = bpy.context.active_object
    assert avatar.type == "MESH"
    assert tuple(avatar.location) == (1, 2, 3)
    assert avatar.hmtalker.is_avatar
    assert avatar.name == part("hmtalker_blender.avatar_object").loaded_header(avatar)["name"]
    assert scene.hmtalker.avatar == avatar
    assert scene.render.fps == fps


def test_all_action_units_are_animatable_sliders_from_0_to_5(avatar, part):
    units = part("engine.action_units")
    for code in units.CODES:
        rna = avatar.hmtalker.bl_rna.properties[code]
        assert (rna.hard_min, rna.hard_max) == (0.0, 5.0)
        assert rna.is_animatable
        assert rna.name == f"{units.NAMES[code]} ({code})"
        assert avatar.hmtalker.keyframe_insert(code, frame=1)


def test_drivers_reach_the_motion_state(avatar, scene, part):
    curve = avatar.driver_add("hmtalker.AU12")
    curve.driver.expression = "frame / 10"
    walk = part("hmtalker_blender.motion_state").over_frames(scene, avatar, range(1, 31))
    index = part("engine.action_units").CODES.index("AU12")
    assert [round(float(state.action_units[index]), 4) for _, state in walk] == [k / 10 for k in range(1, 31)]


def test_hand_keys_below_zero_are_brought_into_range(avatar, strip, part, scene):
    bpy.ops.hmtalker.animate_from_strip()
    action = bpy.data.actions.new("hand")
    slot = action.slots.new(id_type="OBJECT", name=avatar.name)
    bag = action.layers.new("x").strips.new(type="KEYFRAME").channelbag(slot, ensure=True)
    curve = bag.fcurves.new("hmtalker.AU25")
    curve.keyframe_points.insert(1, -9.0)
    avatar.animation_data.action, avatar.animation_data.action_slot = action, slot
    for _, state in part("hmtalker_blender.motion_state").over_frames(scene, avatar, range(15, 25)):
        assert state.action_units.min() >= 0.0


@pytest.mark.parametrize("content", [b"", b"not an avatar" * 50, None], ids=["empty", "garbage", "cut short"])
def test_a_damaged_avatar_is_one_sentence(scene, tiny_file, tmp_path, content):
    path = tmp_path / "damaged.hmt"
    path.write_bytes(tiny_file.read_bytes()[:5000] if content is None else content)
    with pytest.raises(RuntimeError, match=r"damaged\.hmt"):
        bpy.ops.hmtalker.add_avatar(filepath=str(path))
    assert "damaged.hmt" in scene.hmtalker.last_error
    assert not [o for o in bpy.data.objects if o.hmtalker.is_avatar]


def test_an_avatar_file_that_went_missing_is_told_when_it_is_needed(avatar, strip, scene):
    avatar.hmtalker.avatar_path = "/nowhere/gone.hmt"
    with pytest.raises(RuntimeError, match=r"gone\.hmt"):
        bpy.ops.hmtalker.animate_from_strip()
    with pytest.raises(RuntimeError, match=r"gone\.hmt"):
        bpy.ops.hmtalker.render_to_sequencer()
    assert "gone.hmt" in avatar.hmtalker.last_error


def test_paths_may_be_relative_to_the_blend(avatar, tiny_file, tmp_path, part):
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "a.hmt").write_bytes(tiny_file.read_bytes())
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "x.blend"))
    avatar.hmtalker.avatar_path = "//faces/a.hmt"
    assert part("hmtalker_blender.avatar_object").file_of(avatar) == tmp_path / "faces" / "a.hmt"


def test_a_changed_avatar_file_is_read_again(tiny_file, tmp_path, part):
    avatar_object, avatar_files = part("hmtalker_blender.avatar_object"), part("engine.avatar")
    path = tmp_path / "a.hmt"
    path.write_bytes(tiny_file.read_bytes())
    first = avatar_object.load(path)
    assert avatar_object.load(path) is first
    renamed = avatar_files.Avatar(
        first.avatar.face, first.avatar.mouth, first.avatar.motion, {**first.avatar.header, "name": "Another Name"}
    )
    avatar_files.save_avatar(renamed, path)
    assert avatar_object.load(path).avatar.header["name"] == "Another Name"


def test_the_bundled_avatar_speaks_the_sample(scene, part):
    paths = part("hmtalker_blender.engine_paths")
    if not paths.BUNDLED_AVATAR.is_file() or not paths.SAMPLE_SPEECH.is_file():
        pytest.skip("this zip was built without the bundled avatar or the speech sample")
    scene.frame_set(5)
    assert bpy.ops.hmtalker.add_avatar() == {"FINISHED"}
    assert bpy.ops.hmtalker.add_sample_speech() == {"FINISHED"}
    (strip,) = scene.sequence_editor.strips
    assert part("hmtalker_blender.versions").left_handle(strip) == 5
    assert strip.sound.packed_file is not None
    assert bpy.context.active_object.hmtalker.avatar_path == ""


def test_the_sample_lands_on_a_free_channel(scene, add_sound, part):
    if not part("hmtalker_blender.engine_paths").SAMPLE_SPEECH.is_file():
        pytest.skip("this zip was built without the speech sample")
    add_sound(speech_like(1.0), channel=2)
    bpy.ops.hmtalker.add_sample_speech()
    assert scene.sequence_editor.active_strip.channel == 1
    bpy.ops.hmtalker.add_sample_speech()
    assert scene.sequence_editor.active_strip.channel == 3


def test_it_can_be_disabled_and_enabled_again(scene, tiny_file):
    bpy.ops.preferences.addon_disable(module=PACKAGE)
    assert not hasattr(bpy.types.Object, "hmtalker")
    assert "HMT_OT_add_avatar" not in dir(bpy.types)
    bpy.ops.preferences.addon_enable(module=PACKAGE)
    assert bpy.ops.hmtalker.add_avatar(filepath=str(tiny_file)) == {"FINISHED"}


def test_an_avatar_of_ones_own_is_added_from_its_file(scene, tiny_file, tmp_path):
    assert bpy.ops.hmtalker.open_avatar(filepath=str(tiny_file)) == {"FINISHED"}
    assert bpy.context.active_object.hmtalker.avatar_path == str(tiny_file)
    with pytest.raises(RuntimeError, match="is not there; choose"):
        bpy.ops.hmtalker.open_avatar(filepath=str(tmp_path / "gone.hmt"))
