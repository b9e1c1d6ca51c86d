# SPDX-License-Identifier: GPL-3.0-or-later
"""The render engine HM-Talker: the engine's own pixels, the same wherever a frame is rendered."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import PACKAGE, USER_FOLDER, bpy
from pictures import add_camera, apart, compositor_nodes, pixels_of, prepare, still

FRAMES = range(1, 11)


@pytest.fixture
def shot(avatar, scene):
    """The tiny avatar making a face before a camera."""
    prepare(scene)
    add_camera(scene)
    avatar.rotation_euler, avatar.scale = (0.1, 0.05, 0.2), (1.1, 1.1, 1.1)
    avatar.hmtalker.AU12, avatar.hmtalker.AU25 = 2.0, 3.0
    return avatar


def engine_frame(scene, avatar, part):
    """What the engine renders for the scene camera when it is asked without Blender."""
    views, shown = part("hmtalker_blender.camera_view"), part("hmtalker_blender.avatars_shown")
    objects, render = part("hmtalker_blender.avatar_object"), part("engine.render")
    depsgraph = bpy.context.evaluated_depsgraph_get()
    (_, one), *_ = [pair for pair in shown.with_objects(depsgraph) if pair[0] == avatar]
    loaded = objects.load(one.path).avatar
    camera = scene.camera.evaluated_get(depsgraph)
    projection = views.of_camera(camera, depsgraph, *views.render_size(scene), scene)
    view = views.looking_at(projection, one.world_from_object, loaded)
    return render.Renderer(loaded, threads=1).render(one.state, view.camera)


def test_a_render_is_the_engines_own_frame(shot, scene, part, tmp_path):
    frame = engine_frame(scene, shot, part)
    assert 0.05 < frame.rgba[..., 3].mean() < 0.9
    assert np.array_equal(still(scene, tmp_path), frame.rgba)


def test_depth_of_field_is_left_out(shot, scene, tmp_path):
    sharp = still(scene, tmp_path)
    dof = scene.camera.data.dof
    dof.use_dof, dof.focus_distance, dof.aperture_fstop = True, 0.2, 0.5
    assert np.array_equal(still(scene, tmp_path), sharp)


@pytest.mark.parametrize("file_format", ["PNG", "OPEN_EXR"])
def test_the_file_that_blender_writes_says_that_it_is_synthetic_media(shot, scene, part, tmp_path, file_format):
    scene.render.image_settings.file_format = file_format
    scene.render.filepath = str(tmp_path / "frame")
    bpy.ops.render.render(write_still=True)
    (path,) = tmp_path.glob("frame*")
    if file_format == "PNG":
        text = part("engine.png_file").read_text(path)
        assert text["DigitalSourceType"].endswith("/trainedAlgorithmicMedia")
        assert "Attribution" in text
    else:
        assert b"newscodes/digitalsourcetype/trainedAlgorithmicMedia" in path.read_bytes()


def test_depth_is_a_pass(shot, scene, part, tmp_path):
    scene.view_layers[0].use_pass_z = True
    scene.view_layers[0].update_render_passes()
    frame = engine_frame(scene, shot, part)
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format = "OPEN_EXR_MULTILAYER"
    scene.render.filepath = str(tmp_path / "passes")
    bpy.ops.render.render(write_still=True)
    depth = depth_in(tmp_path / "passes.exr", frame.depth.shape)
    drawn = frame.rgba[..., 3] > 0
    assert abs(depth[drawn] - frame.depth[drawn]).max() < 1e-5
    assert (depth[~drawn] >= 1e9).all()


def depth_in(path, shape: tuple[int, int]) -> np.ndarray:
    """[H,W] of the pass Depth, read through the compositor's own image node: any other reader takes the first part."""
    scene = bpy.data.scenes.new("reader")
    image = bpy.data.images.load(str(path))
    scene.render.resolution_y, scene.render.resolution_x = shape
    scene.render.resolution_percentage = 100
    settings = scene.render.image_settings
    settings.file_format, settings.color_depth, settings.color_mode = "OPEN_EXR", "32", "RGB"
    tree, output = compositor_nodes(scene)
    if hasattr(scene.render, "compositor_device"):
        scene.render.compositor_device = "CPU"
    node = tree.nodes.new("CompositorNodeImage")
    node.image = image
    tree.links.new(next(socket for socket in node.outputs if socket.name == "Depth"), output.inputs[0])
    return still(scene, path.parent, "depth")[..., 0]


@pytest.mark.parametrize("crop", [True, False])
def test_a_border_is_a_piece_of_the_whole(shot, scene, part, tmp_path, crop):
    whole = still(scene, tmp_path)
    render = scene.render
    render.use_border, render.use_crop_to_border = True, crop
    render.border_min_x, render.border_max_x, render.border_min_y, render.border_max_y = 0.333, 0.777, 0.211, 0.666
    left, top, width, height = part("hmtalker_blender.render_engine").border_of(scene, 160, 120)
    piece = still(scene, tmp_path)
    if not crop:
        outside = piece.copy()
        outside[top : top + height, left : left + width] = 0
        assert not outside.any()
        piece = piece[top : top + height, left : left + width]
    assert piece[..., 3].any()
    # The same camera, moved by whole pixels: float32 rounding is all that differs
    assert abs(piece - whole[top : top + height, left : left + width]).max() < 1e-4


def test_without_transparent_film_the_world_is_behind(shot, scene, tmp_path, part):
    clear = still(scene, tmp_path)
    scene.render.film_transparent = False
    scene.world = bpy.data.worlds.new("world")
    part("hmtalker_blender.versions").node_tree(scene.world)
    for node in scene.world.node_tree.nodes:
        if node.type == "BACKGROUND":
            node.inputs["Color"].default_value = (0.1, 0.2, 0.4, 1.0)
    opaque = still(scene, tmp_path)
    expected = clear[..., :3] + (1 - clear[..., 3:]) * np.float32((0.1, 0.2, 0.4))
    assert abs(opaque[..., :3] - expected).max() < 1e-6
    assert (opaque[..., 3] == 1).all()


def test_the_nearer_of_two_avatars_is_in_front(shot, scene, part, tmp_path):
    front = still(scene, tmp_path)
    second = shot.copy()
    scene.collection.objects.link(second)
    second.location.y = 3.0  # away from the camera
    both = still(scene, tmp_path)
    covered = front[..., 3] > 0.9999
    assert covered.any()
    assert abs(both[covered] - front[covered]).max() < 2e-4
    assert both[..., 3].sum() > front[..., 3].sum()
    shot.hide_render = True
    assert abs(still(scene, tmp_path)[..., 3] - both[..., 3]).max() > 0.5


def test_an_instanced_collection_shows_its_avatar(shot, scene, tmp_path):
    alone = still(scene, tmp_path)
    collection = bpy.data.collections.new("Cast")
    collection.objects.link(shot)
    scene.collection.objects.unlink(shot)
    instance = bpy.data.objects.new("instance", None)
    instance.instance_type, instance.instance_collection = "COLLECTION", collection
    scene.collection.objects.link(instance)
    assert np.array_equal(still(scene, tmp_path), alone)


@pytest.mark.parametrize("broken", ["camera", "file"])
def test_what_cannot_be_drawn_stops_the_render_with_a_sentence(shot, scene, tmp_path, broken):
    if broken == "camera":
        scene.camera = None
    else:
        shot.hmtalker.avatar_path = "/nowhere/gone.hmt"
    scene.render.filepath = str(tmp_path / "never")
    with pytest.raises(RuntimeError, match="camera" if broken == "camera" else r"gone\.hmt"):
        bpy.ops.render.render(write_still=True)


def test_the_view_transform_is_applied_once(shot, scene, tmp_path):
    linear = still(scene, tmp_path)
    settings = scene.render.image_settings
    settings.file_format, settings.color_depth = "PNG", "16"
    scene.render.film_transparent = True
    scene.view_settings.view_transform = "Standard"
    scene.render.filepath = str(tmp_path / "seen")
    bpy.ops.render.render(write_still=True)
    seen = pixels_of(tmp_path / "seen.png")
    whole = linear[..., 3] > 0.9999
    decoded = np.where(seen <= 0.04045, seen / 12.92, ((seen + 0.055) / 1.055) ** 2.4)
    decoded[..., 3] = seen[..., 3]
    assert whole.any()
    assert apart(decoded[whole][:, None], linear[whole][:, None]) < 0.1


RENDER_SEVEN = f"""
import os, sys
import bpy
import addon_utils
addon_utils.enable({PACKAGE!r})
bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
bpy.context.scene.frame_start = bpy.context.scene.frame_end = 7
bpy.context.scene.render.filepath = sys.argv[2]
bpy.ops.render.render(animation=True)
os._exit(0)
"""


def test_frame_7_alone_in_another_process_is_frame_7_of_1_to_10(shot, scene, tmp_path):
    for frame, value in ((1, 0.0), (10, 4.0)):
        shot.hmtalker.AU12 = value
        shot.hmtalker.keyframe_insert("AU12", frame=frame)
        shot.rotation_euler.z = value / 10
        shot.keyframe_insert("rotation_euler", frame=frame)
    scene.frame_start, scene.frame_end = FRAMES.start, FRAMES.stop - 1
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    scene.render.filepath = str(tmp_path / "all_")
    bpy.ops.render.render(animation=True)
    done = subprocess.run(
        [sys.executable, "-c", RENDER_SEVEN, str(tmp_path / "shot.blend"), str(tmp_path / "alone_")],
        env=os.environ | {"BLENDER_USER_RESOURCES": USER_FOLDER},
        capture_output=True,
        text=True,
    )
    assert (tmp_path / "alone_0007.exr").is_file(), done.stdout[-2000:] + done.stderr[-2000:]
    frames = [pixels_of(tmp_path / f"all_{frame:04d}.exr") for frame in FRAMES]
    assert np.array_equal(pixels_of(tmp_path / "alone_0007.exr"), frames[6])
    assert abs(frames[0] - frames[9]).max() > 0.1
