# SPDX-License-Identifier: GPL-3.0-or-later
"""From where an avatar can be believed: said in one line, without reading a file."""

from __future__ import annotations

import math

import numpy as np
import pytest
from conftest import bpy
from pictures import add_camera


@pytest.fixture
def around(avatar, scene):
    """Put the camera at an angle around the head, in degrees, and look at it."""
    camera = add_camera(scene)

    def place(yaw: float, pitch: float = 0.0) -> None:
        y, p = math.radians(yaw), math.radians(pitch)
        camera.location = (math.sin(y) * math.cos(p), -math.cos(y) * math.cos(p), math.sin(p))
        bpy.context.view_layer.update()

    return place


@pytest.fixture
def said(avatar, part):
    return lambda: part("hmtalker_blender.view_range").sentence(bpy.context, avatar)


def test_the_front_holds_and_the_side_does_not(around, said):
    around(0.0)
    assert said()[1]
    around(60.0)
    text, holds = said()
    assert not holds
    assert "to the right" in text
    around(-60.0)
    assert "to the left" in said()[0]
    around(0.0, 60.0)
    assert "too high" in said()[0]


def test_a_turned_head_is_seen_from_the_side(around, said, avatar):
    around(0.0)
    avatar.hmtalker.head_rotation = (0.0, 1.0, 0.0)
    avatar.update_tag()  # as the interface does
    bpy.context.view_layer.update()
    assert not said()[1]
    around(math.degrees(1.0))
    assert said()[1]


def test_a_turned_object_is_too(around, said, avatar):
    around(0.0)
    avatar.rotation_euler.z = 1.0
    bpy.context.view_layer.update()
    assert not said()[1]


def test_nothing_is_said_where_nothing_is_known(around, said, scene, part):
    around(0.0)
    scene.camera = None
    assert said() == ("", True)
    add_camera(scene)
    part("hmtalker_blender.avatar_object").forget_loaded()
    assert said() == ("", True)


def test_the_filmed_sides_are_those_of_the_filmed_heads(avatar, part):
    ranges, objects = part("hmtalker_blender.view_range"), part("hmtalker_blender.avatar_object")
    loaded = objects.load(objects.file_of(avatar)).avatar
    low, high = ranges.filmed_sides(loaded)
    assert low.yaw <= high.yaw
    assert np.isfinite([*low, *high]).all()
    assert ranges.beyond(low, loaded) == (0.0, 0.0)


def test_the_panel_says_it_and_what_went_wrong(around, avatar, part):
    from test_interface import draw

    panel = part("ui.display_panel").HMT_PT_in_scene
    assert panel.poll(bpy.context)
    around(60.0)
    assert "not filmed from there" in draw(panel).texts()
    part("hmtalker_blender.live_face").problems[avatar.name] = "The file is gone."
    assert "The file is gone." in draw(panel).texts()
    part("hmtalker_blender.live_face").problems.clear()
    avatar.hmtalker.display.in_scene = False
    assert ("prop", "relief", False) in draw(panel).drawn
    avatar.data = bpy.data.meshes.new("mine")
    assert "Add this avatar again" in draw(panel).texts()


def test_the_engines_own_panels_are_for_it_alone(avatar, scene, part):
    from test_interface import draw

    panels = part("ui.display_panel")
    scene.render.engine = "HMTALKER"
    assert ("prop", "film_transparent", True) in draw(panels.HMT_PT_film).drawn
    assert ("prop", "use_pass_z", True) in draw(panels.HMT_PT_passes).drawn
    for panel in (panels.HMT_PT_film, panels.HMT_PT_passes):
        assert panel.poll(bpy.context)
    scene.render.engine = "CYCLES"
    assert not panels.HMT_PT_film.poll(bpy.context)
