# SPDX-License-Identifier: GPL-3.0-or-later
"""An avatar with the set `extended`: its sliders, one side at a time, and lips that the voice rounds."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import PACKAGE, bpy
from sided_avatar import make_sided_avatar
from test_animate import animate, curve, evaluated
from test_any_face import add_face, weights
from test_interface import draw

EYES, LIPS = ("AU45", "AU45L", "AU45R"), ("AU12", "AU12L", "AU12R")


@pytest.fixture(scope="session")
def sided_file(part, tmp_path_factory):
    avatar = make_sided_avatar(f"{PACKAGE}.engine", encoder="mel", dimension=80)
    path = tmp_path_factory.mktemp("avatar") / "sided.hmt"
    part("engine.avatar").save_avatar(avatar, path)
    return path


@pytest.fixture
def sided(scene, sided_file):
    assert bpy.ops.hmtalker.add_avatar(filepath=str(sided_file)) == {"FINISHED"}
    return bpy.context.active_object


@pytest.fixture
def panels(part):
    return {cls.__name__: cls for cls in part("ui").CLASSES if issubclass(cls, bpy.types.Panel)}


def sliders(panel) -> list[str]:
    return [text for kind, text, _ in draw(panel).drawn if kind == "prop"]


def picture(part, avatar, frame: int) -> np.ndarray:
    evaluated(avatar, frame)
    state = part("hmtalker_blender.motion_state").of_object(avatar)
    model = part("hmtalker_blender.avatar_object").loaded(avatar)
    renderer = part("engine.render").Renderer(model, threads=1)
    pixels = renderer.render_srgb8(state).astype(int)
    renderer.close()
    return pixels


def test_sliders_are_in_groups_with_both_sides_in_a_row(sided, panels, part):
    lower, upper = sliders(panels["HMT_PT_lower_face"]), sliders(panels["HMT_PT_upper_face"])
    assert {"AU16", "AU18", "AU22", "AU24", "AU27", "AU28", *LIPS} <= set(lower)
    at = lower.index("AU12")
    assert tuple(lower[at : at + 3]) == LIPS
    assert set(EYES) <= set(upper)
    assert sorted(lower + upper) == sorted(part("engine.action_unit_sets").EXTENDED.codes)
    assert "Cheeks and Nose" in draw(panels["HMT_PT_upper_face"]).texts()
    assert sliders(panels["HMT_PT_layer_units"]).count("strength") == 47
    sided.hmtalker.layer.unit = "AU12L"
    assert sided.hmtalker.layer.adjustment("AU12L") == sided.hmtalker.layer.AU12L


def test_an_avatar_of_the_17_shows_the_17(avatar, panels):
    assert "AU18" not in sliders(panels["HMT_PT_lower_face"])
    assert avatar.hmtalker.layer.unit == "AU25"
    with pytest.raises(TypeError):
        avatar.hmtalker.layer.unit = "AU18"


def test_a_key_on_one_side_moves_pixels_of_that_side_alone(sided, part):
    for frame, value in ((1, 0.0), (10, 5.0)):
        sided.hmtalker.AU12L = value
        assert sided.hmtalker.keyframe_insert("AU12L", frame=frame)
    before, after = picture(part, sided, 1), picture(part, sided, 10)
    changed = np.abs(after - before).max(2).max(0) > 8  # by column; the person's left is the picture's right
    middle = len(changed) // 2
    assert changed[middle + 4 :].any()
    assert not changed[: middle - 4].any()
    sided.hmtalker.AU12R = 5.0
    both = picture(part, sided, 10)
    assert (np.abs(both - after).max(2).max(0) > 8)[: middle - 4].any()


def test_sides_reach_an_avatar_of_the_17_as_their_mean(avatar, part):
    avatar.hmtalker.AU12L = 3.0
    one = picture(part, avatar, 1)
    avatar.hmtalker.AU12L, avatar.hmtalker.AU12 = 0.0, 1.5
    np.testing.assert_array_equal(picture(part, avatar, 1), one)


def test_speech_rounds_the_lips(sided, strip):
    animate()
    values = [evaluated(sided, frame).AU18 for frame in range(11, 61)]
    assert max(values) > 0.3
    assert max(values) - min(values) > 0.1
    assert len(curve(sided, "hmtalker.AU18").keyframe_points) == 50
    sided.hmtalker.layer.AU18.mute = True
    assert not any(evaluated(sided, frame).AU18 for frame in range(11, 61))


def test_a_side_follows_the_sliders_of_its_unit(sided, strip, part):
    layers, takes = part("hmtalker_blender.generated_layer"), part("hmtalker_blender.takes")
    animate()
    take, units = takes.by_number(sided, 1), part("engine.action_unit_sets").EXTENDED
    rows = take.action_units.copy()
    rows[:, units.index("AU12")], rows[:, units.index("AU12L")] = 1.0, 2.0
    object.__setattr__(take, "action_units", rows)
    layers.refresh(sided)
    left = evaluated(sided, 30).AU12L
    assert left == pytest.approx(2.0)
    sided.hmtalker.layer.AU12.strength = 0.5
    assert [getattr(evaluated(sided, 30), code) for code in LIPS] == pytest.approx([0.5, 1.0, 0.0])
    sided.hmtalker.layer.AU12.mute = True
    assert [getattr(evaluated(sided, 30), code) for code in LIPS] == pytest.approx([0.0, 0.0, 0.0])
    assert bpy.ops.hmtalker.clean_up() == {"FINISHED"}


def test_a_mesh_follows_side_by_side(sided, part):
    face = add_face(part)
    assert bpy.ops.hmtalker.drive_face() == {"FINISHED"}
    drivers = face.data.shape_keys.animation_data.drivers
    assert all(curve.driver.is_valid and curve.driver.is_simple_expression for curve in drivers)
    names = part("engine.capture.curves.arkit_action_units").ARKIT_NAMES
    rng = np.random.default_rng(0)
    units = part("engine.action_unit_sets").EXTENDED
    for _ in range(4):
        row = rng.uniform(0, 2, units.count) * (rng.random(units.count) < 0.5)
        for code, value in zip(units.codes, row, strict=True):
            setattr(sided.hmtalker, code, value)
        sided.update_tag()
        wanted = part("hmtalker_blender.face_rig").weights(row[None].astype(np.float32), np.zeros((1, 2)))[0]
        np.testing.assert_allclose([weights(face, 1)[name] for name in names], wanted, atol=1e-4)
    assert weights(face, 1)["mouthSmileLeft"] != weights(face, 1)["mouthSmileRight"]


@pytest.mark.parametrize("kind", ["LIVELINK", "OPENFACE"])
def test_tables_keep_the_sides(sided, scene, tmp_path, kind):
    scene.frame_start, scene.frame_end = 1, 10
    sided.hmtalker.AU12, sided.hmtalker.AU12L, sided.hmtalker.AU18 = 1.0, 2.0, 3.0
    path = tmp_path / "out.csv"
    assert bpy.ops.hmtalker.export_curves(filepath=str(path), format=kind) == {"FINISHED"}
    sided.hmtalker.AU12 = sided.hmtalker.AU12L = sided.hmtalker.AU18 = 0.0
    scene.frame_set(101)
    assert bpy.ops.hmtalker.import_curves(filepath=str(path)) == {"FINISHED"}
    values = evaluated(sided, 105)
    shown = [getattr(values, code) for code in (*LIPS, "AU18")]
    assert shown == pytest.approx([1, 2, 0, 3], abs=0.02)


def test_faces_as_assets_hold_what_is_shown(sided, part):
    sided.hmtalker.AU18, sided.hmtalker.AU12L = 2.0, 1.0
    assert bpy.ops.hmtalker.save_pose(name="Kiss") == {"FINISHED"}
    poses = part("hmtalker_blender.face_poses")
    assert poses.units_of(bpy.data.actions["Kiss"]) == pytest.approx({"AU18": 2.0, "AU12L": 1.0})


def test_a_saved_file_keeps_its_keys(sided, tmp_path):
    for code in ("AU12", "AU12L", "AU18"):
        setattr(sided.hmtalker, code, 2.0)
        sided.hmtalker.keyframe_insert(code, frame=1)
    name = sided.name
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    shown = evaluated(bpy.data.objects[name], 1)
    assert [shown.AU12, shown.AU12L, shown.AU18] == [2.0, 2.0, 2.0]
