# SPDX-License-Identifier: GPL-3.0-or-later
"""The same performance on any mesh with ARKit's shape keys, as tables of other programs, and as Gaussians."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import bpy
from test_animate import animate, evaluated

SPELLINGS = (lambda name: name, lambda name: name[0].upper() + name[1:], lambda name: f"Head.{name}")


def add_face(part, spell=lambda name: name, name: str = "Face"):
    """A mesh with all of ARKit's shapes, selected beside the avatar."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    face = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(face)
    face.shape_key_add(name="Basis")
    for index, shape in enumerate(part("engine.capture.curves.arkit_action_units").ARKIT_NAMES):
        block = face.shape_key_add(name=spell(shape))
        block.data[0].co.z, block.value = index + 1, 0.0
    face.select_set(True)
    return face


def weights(face, frame: int) -> dict[str, float]:
    bpy.context.scene.frame_set(frame)
    keys = face.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.shape_keys
    return {block.name: block.value for block in keys.key_blocks[1:]}


def expected(avatar, part, frame: int) -> np.ndarray:
    values = evaluated(avatar, frame)
    units = np.array([[getattr(values, code) for code in part("engine.action_units").CODES]], np.float32)
    return part("hmtalker_blender.face_rig").weights(units, np.array([list(values.gaze)]))[0]


@pytest.mark.parametrize("spell", SPELLINGS)
def test_a_mesh_follows_by_simple_drivers(avatar, strip, part, spell):
    face = add_face(part, spell)
    assert bpy.ops.hmtalker.drive_face() == {"FINISHED"}
    drivers = face.data.shape_keys.animation_data.drivers
    assert all(curve.driver.is_valid and curve.driver.is_simple_expression for curve in drivers)
    animate()
    for frame in (15, 30, 55):
        wanted = expected(avatar, part, frame)
        np.testing.assert_allclose(list(weights(face, frame).values()), wanted, atol=1e-4)
    assert wanted.max() > 0.05


def test_every_action_unit_and_parted_lips_reach_the_mesh(avatar, part, scene):
    face = add_face(part)
    bpy.ops.hmtalker.drive_face()
    rng = np.random.default_rng(0)
    for _ in range(5):
        for code in part("engine.action_units").CODES:
            setattr(avatar.hmtalker, code, rng.uniform(0, 2 if code == "AU45" else 5))
        avatar.hmtalker.gaze = rng.uniform(-0.4, 0.4, 2)
        avatar.update_tag()
        wanted = expected(avatar, part, 1)
        np.testing.assert_allclose(list(weights(face, 1).values()), wanted, atol=1e-4)
        assert np.count_nonzero(wanted) > 25


def test_keys_are_the_same_and_need_no_avatar(avatar, strip, part, scene):
    scene.frame_start, scene.frame_end = 11, 60
    face = add_face(part)
    animate()
    wanted = {frame: expected(avatar, part, frame) for frame in (20, 40)}
    assert bpy.ops.hmtalker.drive_face(method="KEYS") == {"FINISHED"}
    bpy.data.objects.remove(avatar)
    for frame, row in wanted.items():
        np.testing.assert_allclose(list(weights(face, frame).values()), row, atol=1e-5)


def test_a_mesh_is_released_and_its_own_animation_stays(avatar, part, scene):
    face = add_face(part)
    keys = face.data.shape_keys
    own = keys.driver_add('key_blocks["tongueOut"].value')
    own.driver.expression = "0.5"
    for method in ("DRIVERS", "KEYS"):
        bpy.ops.hmtalker.drive_face(method=method)
        avatar.hmtalker.AU26 = 4.0
        assert bpy.ops.hmtalker.release_face() == {"FINISHED"}
        assert [curve.data_path for curve in keys.animation_data.drivers] == ['key_blocks["tongueOut"].value']
        assert keys.animation_data.action is None
        assert keys.key_blocks["jawOpen"].value == 0.0
        assert not bpy.ops.hmtalker.release_face.poll()


def test_what_is_no_face_is_told(avatar, part, scene):
    reason = part("operators.drive_face").HMT_OT_drive_face.disabled_reason
    assert "Select the mesh" in reason(bpy.context)
    cube = bpy.data.objects.new("Cube", bpy.data.meshes.new("Cube"))
    scene.collection.objects.link(cube)
    cube.select_set(True)
    assert '"Cube" has 0 of ARKit\'s 52' in reason(bpy.context)


@pytest.mark.parametrize("kind", ["LIVELINK", "OPENFACE"])
def test_tables_go_out_and_come_back(avatar, strip, part, scene, tmp_path, kind):
    animate()
    scene.frame_start, scene.frame_end = 11, 60
    codes = part("engine.action_units").CODES
    before = np.array([[getattr(evaluated(avatar, frame), code) for code in codes] for frame in range(11, 61)])
    nods = [evaluated(avatar, frame).head_rotation[0] for frame in range(11, 61)]
    path = tmp_path / "out.csv"
    assert bpy.ops.hmtalker.export_curves(filepath=str(path), format=kind) == {"FINISHED"}
    bpy.ops.hmtalker.clear_take()
    scene.frame_set(101)
    assert bpy.ops.hmtalker.import_curves(filepath=str(path)) == {"FINISHED"}
    after = np.array([[getattr(evaluated(avatar, frame), code) for code in codes] for frame in range(101, 151)])
    np.testing.assert_allclose(after, before, atol=0.02)
    np.testing.assert_allclose([evaluated(avatar, f).head_rotation[0] for f in range(101, 151)], nods, atol=2e-3)
    evaluated(avatar, 120)
    assert part("hmtalker_blender.motion_state").of_object(avatar).implicit is None
    unit = int(np.argmax(after.max(0) * (np.array(codes) != "AU45")))
    getattr(avatar.hmtalker.layer, codes[unit]).strength = 0.5
    quiet = [getattr(evaluated(avatar, frame), codes[unit]) for frame in range(101, 151)]
    np.testing.assert_allclose(quiet, 0.5 * after[:, unit], atol=1e-4)
    assert bpy.ops.hmtalker.remove_performance(index=0) == {"FINISHED"}
    assert not avatar.animation_data.nla_tracks


def test_bad_tables_are_one_sentence(avatar, tmp_path):
    for name, content in (("words.csv", "no table at all"), ("empty.csv", "")):
        (tmp_path / name).write_text(content)
        with pytest.raises(RuntimeError, match=name):
            bpy.ops.hmtalker.import_curves(filepath=str(tmp_path / name))
    with pytest.raises(RuntimeError, match=r"gone\.csv"):
        bpy.ops.hmtalker.import_curves(filepath=str(tmp_path / "gone.csv"))
    with pytest.raises(RuntimeError, match="cannot be written"):
        bpy.ops.hmtalker.export_curves(filepath=str(tmp_path / "words.csv" / "where.csv"))
    assert len(avatar.hmtalker.takes) == 0


def test_the_head_goes_out_as_gaussians(avatar, part, scene, tmp_path):
    avatar.hmtalker.head_rotation = (0.0, 0.4, 0.0)
    read = part("engine.gaussians.ply_file").read_ply
    assert bpy.ops.hmtalker.export_gaussians(filepath=str(tmp_path / "one.ply")) == {"FINISHED"}
    splats, sh = read(tmp_path / "one.ply")
    avatars = part("hmtalker_blender.avatar_object")
    loaded = avatars.load(avatars.file_of(avatar)).avatar
    assert splats.count == loaded.face.count + loaded.mouth.count
    assert sh.shape[1] == 9
    height = np.ptp(loaded.face.means[:, 1])
    assert np.ptp(splats.means[:, 2]) == pytest.approx(height, rel=0.3), "z is up"
    scene.frame_start, scene.frame_end = 3, 5
    bpy.ops.hmtalker.export_gaussians(filepath=str(tmp_path / "all.ply"), range="SCENE", axes="VIEWER")
    assert sorted(path.name for path in tmp_path.glob("all*")) == ["all_0003.ply", "all_0004.ply", "all_0005.ply"]
    assert np.ptp(read(tmp_path / "all_0004.ply")[0].means[:, 1]) == pytest.approx(height, rel=0.3)
