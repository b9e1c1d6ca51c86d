# SPDX-License-Identifier: GPL-3.0-or-later
"""Viewports in Material Preview show the card; in Solid shading there is an outline, and the face is drawn over it."""

from __future__ import annotations

import pytest
from conftest import bpy


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
