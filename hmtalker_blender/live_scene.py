# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene behind a live strip: the avatar and a camera, drawn by our own render engine at the Sequencer's time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
import numpy as np
from mathutils import Matrix

from ..engine.errors import RenderError
from . import avatar_object, camera_view, image_strips, render_engine, versions

if TYPE_CHECKING:
    from ..engine.avatar import Avatar

OWNER_KEY = "hmtalker_live_of"
STAND_IN_KEY = "hmtalker_stand_in"
CAMERA_KEY = "hmtalker_camera_of"
SENSOR_WIDTH = 36.0
"""Millimetres; with any width the picture is the same, and this one gives lenses that people know."""


def add_strip(
    sequencer: bpy.types.Scene, speaker: bpy.types.Object, home: bpy.types.Scene, frames: range, owner: str, label: str
) -> bpy.types.Strip:
    """Show the avatar live over these frames of the Sequencer; a strip of the same owner is brought up to date instead.

    home: the scene that the avatar lives in; its camera and resolution are used where the scene's choice says so.
    Frame n of the strip's scene is frame n of the Sequencer, so both play the same moment. Raises AvatarError,
    RenderError.
    """
    scene = _scene_of(sequencer, speaker, home, frames, owner, label)
    strips = versions.top_level_strips(sequencer)
    strip = next((known for known in strips if known.type == "SCENE" and known.get(OWNER_KEY) == owner), None)
    if strip is not None and range(versions.left_handle(strip), versions.right_handle(strip)) == frames:
        return strip
    channel = image_strips.channel_above(strips, strip, frames.start, frames.stop)
    if strip is not None:
        strips.remove(strip)
    strip = strips.new_scene(name=label, scene=scene, channel=channel, frame_start=frames.start)
    strip.blend_type = "ALPHA_OVER"
    strip[OWNER_KEY] = owner
    strip.transform.scale_x = strip.transform.scale_y = sequencer.hmtalker.frames.scale
    strip.transform.offset_x, strip.transform.offset_y = sequencer.hmtalker.frames.position
    return strip


def _scene_of(
    sequencer: bpy.types.Scene, speaker: bpy.types.Object, home: bpy.types.Scene, frames: range, owner: str, label: str
) -> bpy.types.Scene:
    scene = next((known for known in bpy.data.scenes if known.get(OWNER_KEY) == owner), None)
    if scene is None:
        scene = bpy.data.scenes.new(f"{label} (live)")
        scene[OWNER_KEY] = owner
    scene.hmtalker.frames.is_live = True
    if speaker.name not in scene.objects:
        scene.collection.objects.link(speaker)
    _add_stand_in(scene, speaker)
    scene.frame_start, scene.frame_end = frames.start, frames.stop - 1
    render = scene.render
    render.engine = render_engine.IDENTIFIER
    render.film_transparent = not sequencer.hmtalker.frames.use_background
    render.fps, render.fps_base = sequencer.render.fps, sequencer.render.fps_base
    if sequencer.hmtalker.frames.use_background:
        _colour_world(scene, sequencer.hmtalker.frames.background)
    if sequencer.hmtalker.frames.camera == "SCENE":
        _use_camera_of(scene, home)
    else:
        _use_own_camera(scene, speaker, sequencer.hmtalker.resolution_percentage)
    return scene


def _add_stand_in(scene: bpy.types.Scene, speaker: bpy.types.Object) -> None:
    """Let the Sequencer's preview, which draws Scene strips in Solid shading, show the card in its own colours.

    The avatar itself is a box there, because in a 3D viewport its face is drawn for the viewport.
    """
    shading = scene.display.shading
    shading.light, shading.color_type = "FLAT", "VERTEX"
    stand_in = next((known for known in scene.objects if known.get(STAND_IN_KEY)), None)
    if stand_in is None:
        stand_in = bpy.data.objects.new(f"{speaker.name} Preview", speaker.data)
        stand_in[STAND_IN_KEY] = True
        scene.collection.objects.link(stand_in)
    stand_in.data, stand_in.parent = speaker.data, speaker
    stand_in.hide_render = stand_in.hide_select = True


def _use_camera_of(scene: bpy.types.Scene, home: bpy.types.Scene) -> None:
    if home.camera is None:
        raise RenderError(f'The scene "{home.name}" has no camera; add one, or set Camera to Avatar\'s Own.')
    if home.camera.name not in scene.objects:
        scene.collection.objects.link(home.camera)
    scene.camera = home.camera
    for name in ("resolution_x", "resolution_y", "resolution_percentage", "pixel_aspect_x", "pixel_aspect_y"):
        setattr(scene.render, name, getattr(home.render, name))


def _use_own_camera(scene: bpy.types.Scene, speaker: bpy.types.Object, percentage: int) -> None:
    avatar = avatar_object.load(avatar_object.file_of(speaker)).avatar
    camera = next((known for known in scene.objects if known.type == "CAMERA" and known.get(CAMERA_KEY)), None)
    if camera is None:
        data = bpy.data.cameras.new(f"{speaker.name} Camera")
        camera = bpy.data.objects.new(data.name, data)
        camera[CAMERA_KEY] = speaker.name
        scene.collection.objects.link(camera)
    place_camera(camera, avatar, speaker)
    scene.camera = camera
    scene.render.resolution_x, scene.render.resolution_y = avatar.camera.width, avatar.camera.height
    scene.render.resolution_percentage = percentage
    scene.render.pixel_aspect_x, scene.render.pixel_aspect_y = _pixel_aspect(avatar)


def place_camera(camera: bpy.types.Object, avatar: Avatar, speaker: bpy.types.Object) -> None:
    """Make a camera object see what the camera saw that filmed the avatar, wherever the avatar stands."""
    filmed = avatar.camera
    view = camera_view.of_avatar(avatar)
    camera.parent = speaker
    camera.matrix_parent_inverse = Matrix.Identity(4)
    camera.matrix_basis = Matrix((view.object_from_camera @ camera_view.OPENCV_FROM_BLENDER).tolist())
    data, K = camera.data, filmed.K
    data.type, data.sensor_fit, data.sensor_width = "PERSP", "HORIZONTAL", SENSOR_WIDTH
    data.lens = K[0, 0] / filmed.width * SENSOR_WIDTH
    aspect_x, aspect_y = _pixel_aspect(avatar)
    data.shift_x = (filmed.width / 2 - K[0, 2]) / filmed.width
    data.shift_y = (K[1, 2] - filmed.height / 2) / filmed.width * aspect_y / aspect_x


def _pixel_aspect(avatar: Avatar) -> tuple[float, float]:
    """Return the shape of the filmed camera's pixels as Blender counts it: at least 1 each."""
    ratio = float(np.round(avatar.camera.K[0, 0] / avatar.camera.K[1, 1], 6))
    return (1.0, ratio) if ratio >= 1.0 else (1.0 / ratio, 1.0)


def _colour_world(scene: bpy.types.Scene, colour: tuple[float, float, float]) -> None:
    if scene.world is None:
        scene.world = bpy.data.worlds.new(scene.name)
    scene.world.color = colour
    for node in versions.used_nodes(scene.world):
        if node.type == "BACKGROUND":
            node.inputs["Color"].default_value = (*colour, 1.0)
            node.inputs["Strength"].default_value = 1.0
