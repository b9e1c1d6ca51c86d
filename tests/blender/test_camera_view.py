# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's cameras as the engine's: every point lands where Blender says that it does."""

from __future__ import annotations

import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from conftest import bpy
from mathutils import Vector
from pictures import add_camera

WIDTH, HEIGHT = 320, 200
POINTS = [(0.0, 0.0, 0.0), (0.1, 0.05, 0.07), (-0.05, 0.1, 0.1), (0.02, -0.12, -0.03)]

LENSES = {
    "perspective": {},
    "vertical sensor": {"sensor_fit": "VERTICAL", "sensor_height": 20.0},
    "horizontal sensor": {"sensor_fit": "HORIZONTAL", "sensor_width": 22.0},
    "field of view": {"lens_unit": "FOV", "angle": 0.4},
    "orthographic": {"type": "ORTHO", "ortho_scale": 0.9},
}


@pytest.fixture
def view_of(avatar, scene, part):
    """The engine's view of the avatar by the scene camera."""
    views, objects = part("hmtalker_blender.camera_view"), part("hmtalker_blender.avatar_object")

    def make(width: int = WIDTH, height: int = HEIGHT):
        depsgraph = bpy.context.evaluated_depsgraph_get()
        camera = scene.camera.evaluated_get(depsgraph)
        projection = views.of_camera(camera, depsgraph, width, height, scene)
        matrix = np.array(avatar.evaluated_get(depsgraph).matrix_world, np.float64)
        return views.looking_at(projection, matrix, objects.load(objects.file_of(avatar)).avatar)

    return make


@pytest.mark.parametrize("lens", LENSES)
@pytest.mark.parametrize(("size", "aspect"), [((320, 200), (1, 1)), ((200, 320), (1, 1)), ((320, 200), (1, 1.5))])
def test_points_land_where_blender_says(avatar, scene, view_of, part, lens, size, aspect):
    add_camera(scene, **LENSES[lens])
    avatar.location, avatar.rotation_euler, avatar.scale = (0.05, 0.1, 0.02), (0.1, 0.2, 0.3), (1.2, 1.1, 0.9)
    scene.render.resolution_x, scene.render.resolution_y = size
    scene.render.pixel_aspect_x, scene.render.pixel_aspect_y = aspect
    view = view_of(*size)
    views, objects = part("hmtalker_blender.camera_view"), part("hmtalker_blender.avatar_object")
    canonical = views.object_from_canonical(objects.load(objects.file_of(avatar)).avatar)
    # An orthographic camera is a pinhole a kilometre away: a point 0.2 m nearer is 2e-4 of its place off
    limit, depth_limit = (0.03, 1e-4) if lens == "orthographic" else (1e-3, 1e-5)
    for point in POINTS:
        world = avatar.matrix_world @ Vector((canonical @ [*point, 1.0])[:3])
        expected = world_to_camera_view(scene, scene.camera, world)
        seen = view.camera.world_to_camera @ [*point, 1.0]
        pixel = (view.camera.K @ seen[:3])[:2] / seen[2]
        assert abs(pixel - (expected.x * size[0], (1 - expected.y) * size[1])).max() < limit
        assert abs(seen[2] - view.behind - expected.z) < depth_limit


def test_a_panoramic_camera_is_refused_in_a_sentence(avatar, scene, view_of, part):
    add_camera(scene, type="PANO")
    with pytest.raises(part("engine.errors").RenderError, match="panoramic"):
        view_of()


def test_an_avatar_scaled_to_nothing_is_told(avatar, scene, view_of, part):
    add_camera(scene)
    avatar.scale = (1.0, 0.0, 1.0)
    with pytest.raises(part("engine.errors").RenderError, match="scale"):
        view_of()


def test_the_window_holds_the_head_and_ends_where_nothing_is_seen(avatar, scene, view_of, part):
    views, objects = part("hmtalker_blender.camera_view"), part("hmtalker_blender.avatar_object")
    bounds = views.bounds_of(objects.load(objects.file_of(avatar)).avatar)
    camera = add_camera(scene)
    window = views.window_of(view_of(), bounds, 0.0)
    assert 0 <= window.left < window.left + window.width <= WIDTH
    camera.rotation_euler.z += np.pi
    assert views.window_of(view_of(), bounds, 0.0) is None
    camera.location, camera.rotation_euler = (0, -0.05, 0), (1.57, 0, 0)  # inside the head
    assert views.window_of(view_of(), bounds, 0.5) == views.Window(-WIDTH // 2, -HEIGHT // 2, 2 * WIDTH, 2 * HEIGHT)
