# SPDX-License-Identifier: GPL-3.0-or-later
"""The face as a thing in the scene: in line with the engine's frame, at its depth, and tidy."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import bpy
from pictures import CYCLES_SEES_TWICE, add_camera, apart, prepare, still, use_cycles


@pytest.fixture
def shot(avatar, scene):
    """The tiny avatar making a face before a camera."""
    prepare(scene)
    add_camera(scene)
    avatar.rotation_euler, avatar.scale = (0.1, 0.05, 0.2), (1.1, 1.1, 1.1)
    avatar.hmtalker.AU12, avatar.hmtalker.AU25 = 2.0, 3.0
    return avatar


def add_plane(scene, location, size: float, colour=(0.0, 0.0, 1.0)):
    """A square that faces the camera and shines blue."""
    bpy.ops.mesh.primitive_plane_add(size=size, location=location, rotation=(np.pi / 2, 0, 0))
    plane = bpy.context.active_object
    material = bpy.data.materials.new("blue")
    material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    light, output = tree.nodes.new("ShaderNodeEmission"), tree.nodes.new("ShaderNodeOutputMaterial")
    light.inputs["Color"].default_value = (*colour, 1.0)
    tree.links.new(light.outputs[0], output.inputs["Surface"])
    plane.data.materials.append(material)
    return plane


LENSES = {
    "perspective": {},
    "orthographic": {"type": "ORTHO", "ortho_scale": 0.7},
    "vertical": {"sensor_fit": "VERTICAL"},
}


@pytest.mark.parametrize("lens", LENSES)
def test_the_card_lines_up_with_the_engines_frame_to_the_pixel(shot, scene, tmp_path, lens):
    for name, value in LENSES[lens].items():
        setattr(scene.camera.data, name, value)
    frame = still(scene, tmp_path)
    use_cycles(scene)
    card = still(scene, tmp_path)
    assert 0.05 < frame[..., 3].mean() < 0.9
    assert apart(card, frame, CYCLES_SEES_TWICE) < 1.0


def test_a_flat_card_lines_up_too(shot, scene, tmp_path):
    frame = still(scene, tmp_path)
    shot.hmtalker.display.relief = 0.0
    use_cycles(scene)
    assert apart(still(scene, tmp_path), frame, CYCLES_SEES_TWICE) < 1.0


def test_every_frame_of_an_animation_has_its_own_face(shot, scene, tmp_path):
    scene.render.use_persistent_data = True  # keeps what has not changed: the face has
    for frame, value in ((1, 0.0), (3, 5.0)):
        shot.hmtalker.AU26 = value
        shot.hmtalker.keyframe_insert("AU26", frame=frame)
        scene.camera.location.x = value / 100
        scene.camera.keyframe_insert("location", frame=frame)
    pictures = {}
    for engine in ("HMTALKER", "CYCLES"):
        if engine == "CYCLES":
            use_cycles(scene)
        for frame in (1, 3, 1):
            scene.frame_set(frame)
            pictures[engine, frame] = still(scene, tmp_path)
    assert apart(pictures["HMTALKER", 1], pictures["HMTALKER", 3]) > 20
    assert apart(pictures["CYCLES", 1], pictures["HMTALKER", 1], CYCLES_SEES_TWICE) < 1.0
    assert apart(pictures["CYCLES", 3], pictures["HMTALKER", 3], CYCLES_SEES_TWICE) < 1.0


def test_objects_are_in_front_and_behind(shot, scene, tmp_path):
    frame = still(scene, tmp_path)
    use_cycles(scene)
    plane = add_plane(scene, (0.0, 0.5, 0.0), 3.0)
    behind = still(scene, tmp_path)
    expected = frame[..., :3] + (1 - frame[..., 3:]) * np.float32((0, 0, 1))
    assert np.quantile(abs(behind[..., :3] - expected), 1 - CYCLES_SEES_TWICE) < 0.005
    plane.location.y = -0.6
    front = still(scene, tmp_path)
    assert abs(front[..., :3] - (0, 0, 1)).max() < 1e-4


def test_it_casts_a_shadow_and_no_light_changes_it(shot, scene, tmp_path):
    alpha = still(scene, tmp_path)[..., 3]
    use_cycles(scene)
    bpy.ops.mesh.primitive_plane_add(size=3.0, location=(0.0, 0.5, 0.0), rotation=(np.pi / 2, 0, 0))
    bpy.ops.object.light_add(type="SUN", rotation=(np.pi / 2, 0.0, -0.6))
    sun = bpy.context.active_object
    with_face = still(scene, tmp_path)[..., :3]
    shot.hide_render = True
    wall = still(scene, tmp_path)[..., :3]
    assert ((with_face < 0.5 * wall).all(-1) & (alpha == 0.0)).mean() > 0.02
    shot.hide_render, sun.hide_render = False, True
    unlit = still(scene, tmp_path)[..., :3]
    face = alpha > 0.999
    assert face.mean() > 0.005
    assert np.quantile(abs(with_face - unlit)[face], 1 - CYCLES_SEES_TWICE) < 0.005


def test_an_object_cuts_through_the_face_at_the_depth_of_the_head(shot, scene, part, tmp_path):
    shot.rotation_euler = (0, 0, 0)
    views, objects = part("hmtalker_blender.camera_view"), part("hmtalker_blender.avatar_object")
    avatar = objects.load(objects.file_of(shot)).avatar
    frame = still(scene, tmp_path)
    use_cycles(scene)
    add_plane(scene, (0.0, -0.1, 0.0), 3.0)  # through the middle of the head
    cut = still(scene, tmp_path)
    solid = frame[..., 3] > 0.999
    face = abs(cut[..., :3] - frame[..., :3]).max(2) < 0.02
    blue = abs(cut[..., :3] - (0, 0, 1)).max(2) < 0.02
    assert (face | blue)[solid].mean() > 0.95
    assert 0.1 < face[solid].mean() < 0.9
    # Which pixels are before the plane is what the engine's depth says, up to the smoothing of the relief
    depsgraph = bpy.context.evaluated_depsgraph_get()
    camera = scene.camera.evaluated_get(depsgraph)
    projection = views.of_camera(camera, depsgraph, 160, 120, scene)
    view = views.looking_at(projection, np.array(shot.matrix_world), avatar)
    state = part("hmtalker_blender.motion_state").of_object(shot.evaluated_get(depsgraph))
    depth = part("engine.render").Renderer(avatar, threads=1).render(state, view.camera).depth
    to_plane = distance_to_plane(projection, -0.1)
    clear = solid & (abs(depth - to_plane) > 0.006)
    assert 0.1 < (depth < to_plane)[clear].mean() < 0.9
    assert (face == (depth < to_plane))[clear].mean() > 0.97


def distance_to_plane(projection, y: float) -> np.ndarray:
    """[H,W]: depth along the camera's axis at which each pixel's ray meets the plane of this world y."""
    matrix, world = projection.matrix, np.linalg.inv(projection.view_from_world)
    columns, rows = np.meshgrid(np.arange(projection.width) + 0.5, np.arange(projection.height) + 0.5)
    x = (2 * columns / projection.width - 1 + matrix[0, 2]) / matrix[0, 0]
    up = (1 - 2 * rows / projection.height + matrix[1, 2]) / matrix[1, 1]
    rays = np.stack([x, up, -np.ones_like(x)], 2) @ world[:3, :3].T
    return (y - world[1, 3]) / rays[..., 1]


def test_a_holdout_cuts_the_head_out(shot, scene, tmp_path):
    scene.render.film_transparent = True
    frame = still(scene, tmp_path)
    use_cycles(scene)
    add_plane(scene, (0.0, 0.5, 0.0), 3.0)
    shot.is_holdout = True
    held = still(scene, tmp_path)
    assert np.quantile(abs(held[..., 3] - (1 - frame[..., 3])), 1 - CYCLES_SEES_TWICE) < 0.005


def test_turned_off_it_is_an_outline_that_no_render_shows(shot, scene, tmp_path):
    use_cycles(scene)
    assert still(scene, tmp_path)[..., 3].any()
    shot.hmtalker.display.in_scene = False
    assert not still(scene, tmp_path)[..., 3].any()
    assert (len(shot.data.vertices), len(shot.data.polygons)) == (8, 0)


def test_out_of_sight_there_is_nothing(shot, scene, tmp_path):
    use_cycles(scene)
    scene.camera.rotation_euler.z += np.pi
    assert not still(scene, tmp_path)[..., 3].any()
    assert len(shot.data.vertices) == 0


def test_a_missing_avatar_file_leaves_no_older_face(shot, scene, tmp_path, part):
    use_cycles(scene)
    assert still(scene, tmp_path)[..., 3].any()
    shot.hmtalker.avatar_path = "/nowhere/gone.hmt"
    assert not still(scene, tmp_path)[..., 3].any()
    assert "gone.hmt" in part("hmtalker_blender.live_face").problems[shot.name]


def test_an_artists_own_mesh_is_never_rewritten(shot, scene, tmp_path):
    use_cycles(scene)
    mesh = bpy.data.meshes.new("mine")
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    shot.data = mesh
    still(scene, tmp_path)
    assert len(mesh.vertices) == 3


def test_a_saved_file_holds_outlines_and_no_faces(shot, scene, tmp_path):
    use_cycles(scene)
    still(scene, tmp_path)
    assert len(shot.data.vertices) > 1000
    path = str(tmp_path / "shot.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert len(bpy.data.objects["Tiny"].data.vertices) == 8
    assert not [image for image in bpy.data.images if image.is_dirty]


def test_a_scene_without_a_camera_shows_the_head_from_the_front(avatar, scene, part):
    live = part("hmtalker_blender.live_face")
    live.update(bpy.context.evaluated_depsgraph_get(), wait=True, for_render=False)
    vertices = np.array([vertex.co for vertex in avatar.data.vertices])
    assert len(vertices) > 1000
    assert vertices[:, 1].min() < 0  # the face looks along -y, as Blender's front view sees it
