# SPDX-License-Identifier: GPL-3.0-or-later
"""Viewports in Material Preview show the card; in Solid shading there is an outline, and the face is drawn over it."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import bpy
from pictures import add_camera, prepare, still

WIDTH, HEIGHT = 160, 120


@pytest.fixture
def shading(scene):
    """Set the shading of the first 3D viewport of the startup file."""
    areas = [area for window in bpy.context.window_manager.windows for area in window.screen.areas]
    views = [area.spaces.active for area in areas if area.type == "VIEW_3D"]
    if not views:
        pytest.skip("the startup file has no 3D viewport")

    def choose(kind: str) -> None:
        views[0].shading.type = kind

    yield choose
    choose("SOLID")


@pytest.mark.parametrize("kind", ["MATERIAL", "RENDERED"])
def test_the_card_is_displayed_where_materials_are_drawn(avatar, scene, part, shading, kind):
    update = part("hmtalker_blender.viewport_shading").update
    assert avatar.display_type == "BOUNDS"  # Blender draws no materials of such an object
    shading(kind)
    update()
    assert avatar.display_type == "TEXTURED"
    shading("SOLID")
    update()
    assert avatar.display_type == "BOUNDS"


def test_our_render_engine_needs_no_card(avatar, scene, part, shading):
    scene.render.engine = "HMTALKER"
    shading("RENDERED")
    part("hmtalker_blender.viewport_shading").update()
    assert avatar.display_type == "BOUNDS"


def test_the_artists_choice_stays(avatar, scene, part, shading):
    avatar.display_type = "WIRE"
    shading("MATERIAL")
    part("hmtalker_blender.viewport_shading").update()
    assert avatar.display_type == "WIRE"


@pytest.fixture
def solid_viewport(scene, shading, tmp_path):
    """Draw a Solid viewport from the scene camera: its colours and its depth."""
    camera = add_camera(scene)
    prepare(scene, WIDTH, HEIGHT)
    scene.render.engine = "BLENDER_WORKBENCH"
    still(scene, tmp_path)  # drawing needs what a render sets up
    scene.render.engine = "CYCLES"
    import gpu

    areas = [area for window in bpy.context.window_manager.windows for area in window.screen.areas]
    area = next(area for area in areas if area.type == "VIEW_3D")
    space, region = area.spaces.active, next(region for region in area.regions if region.type == "WINDOW")
    space.overlay.show_overlays = False
    space.shading.show_object_outline = False
    target = gpu.types.GPUOffScreen(WIDTH, HEIGHT)

    def values(buffer, columns: int) -> np.ndarray:
        buffer.dimensions = WIDTH * HEIGHT * columns
        return np.array(buffer, np.float32)

    def drawn() -> tuple[np.ndarray, np.ndarray]:
        view_layer = bpy.context.view_layer
        view_layer.update()
        projection = camera.calc_matrix_camera(bpy.context.evaluated_depsgraph_get(), x=WIDTH, y=HEIGHT)
        target.draw_view3d(scene, view_layer, space, region, camera.matrix_world.inverted(), projection)
        with target.bind():
            frame = gpu.state.active_framebuffer_get()
            colour = frame.read_color(0, 0, WIDTH, HEIGHT, 4, 0, "FLOAT")
            depth = frame.read_depth(0, 0, WIDTH, HEIGHT)
            return values(colour, 4), values(depth, 1)

    yield drawn
    target.free()


def test_in_a_solid_viewport_beside_a_material_preview_nothing_is_seen_of_the_card(
    avatar, part, shading, solid_viewport
):
    part("hmtalker_blender.live_face").update(bpy.context.evaluated_depsgraph_get(), wait=True, for_render=False)
    shading("MATERIAL")
    part("hmtalker_blender.viewport_shading").update()
    shading("SOLID")
    assert avatar.display_type == "TEXTURED"
    seen = solid_viewport()
    avatar.hide_viewport = True
    empty = solid_viewport()
    assert all(np.array_equal(one, other) for one, other in zip(seen, empty, strict=True))
    avatar.hide_viewport = False
    avatar.data.materials[0].diffuse_color[3] = 1.0
    assert (solid_viewport()[0] != empty[0]).any()  # it is there
