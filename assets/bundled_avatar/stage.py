# SPDX-License-Identifier: GPL-3.0-or-later
"""The studio: one fixed camera, five soft lights, and Cycles set for many cheap frames."""

from __future__ import annotations

import math
from dataclasses import dataclass

import bpy
import numpy as np
from head import CANONICAL_TO_BLENDER, Head
from materials import LABEL_PASS
from mathutils import Vector

FIELD_OF_VIEW = 20.0
"""Degrees, horizontal."""
CAMERA_DISTANCE = 0.90
"""Metres from the face plane."""

# position relative to the face, disk diameter, watts, colour
_LIGHTS = {
    "key": ((-0.62, -0.95, 0.55), 0.65, 12.5, (1, 0.965, 0.92)),
    "fill": ((0.95, -0.80, 0.05), 1.0, 5.5, (0.90, 0.95, 1)),
    "front": ((0.08, -1.1, 0.10), 0.35, 3.2, (1, 0.98, 0.96)),
    "rim": ((0.55, 0.75, 0.55), 0.5, 9.0, (1, 0.98, 0.95)),
    "back": ((-0.75, 0.65, 0.35), 0.4, 4.5, (0.93, 0.96, 1)),
}
_SKY, _SKY_STRENGTH = (0.80, 0.86, 1, 1), 0.22


@dataclass(frozen=True)
class Stage:
    """The camera in the engine's convention (OpenCV axes, pixels, canonical world)."""

    size: int
    intrinsics: np.ndarray
    world_to_camera: np.ndarray


def set_stage(head: Head, size: int, samples: int, threads: int) -> Stage:
    """Light and frame the head, and set up rendering. size: pixels of the square frame; samples: per pixel."""
    scene = bpy.context.scene
    eyes = CANONICAL_TO_BLENDER @ head.eye_centre
    face = Vector((0.0, eyes[1], eyes[2] - 0.035))
    for name, (position, diameter, watts, colour) in _LIGHTS.items():
        light = bpy.data.lights.new(name, "AREA")
        light.shape, light.size, light.energy, light.color = "DISK", diameter, watts, colour
        lamp = bpy.data.objects.new(name, light)
        scene.collection.objects.link(lamp)
        lamp.location = face + Vector(position)
        lamp.rotation_euler = (face - lamp.location).to_track_quat("-Z", "Y").to_euler()
    world = bpy.data.worlds.new("sky")
    scene.world = world
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs[0].default_value = _SKY
    world.node_tree.nodes["Background"].inputs[1].default_value = _SKY_STRENGTH

    lens = bpy.data.cameras.new("camera")
    camera = bpy.data.objects.new("camera", lens)
    scene.collection.objects.link(camera)
    scene.camera = camera
    lens.sensor_fit, lens.angle = "HORIZONTAL", math.radians(FIELD_OF_VIEW)
    lens.clip_start, lens.clip_end = 0.05, 20
    camera.location = face + Vector((0, -CAMERA_DISTANCE, 0))
    camera.rotation_euler = (math.pi / 2, 0, 0)
    _configure_render(scene, size, samples, threads)

    focal = size / 2 / math.tan(math.radians(FIELD_OF_VIEW) / 2)
    position = CANONICAL_TO_BLENDER.T @ np.array(camera.location)
    flip = np.diag([1.0, -1.0, -1.0])  # the camera looks along -z of canonical space with y up; OpenCV: +z, y down
    world_to_camera = np.eye(4)
    world_to_camera[:3, :3] = flip
    world_to_camera[:3, 3] = -flip @ position
    intrinsics = np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]])
    return Stage(size, intrinsics, world_to_camera)


def _configure_render(scene: bpy.types.Scene, size: int, samples: int, threads: int) -> None:
    render = scene.render
    render.engine = "CYCLES"
    render.resolution_x = render.resolution_y = size
    render.resolution_percentage = 100
    render.film_transparent = True
    render.use_persistent_data = True
    render.threads_mode, render.threads = "FIXED", threads
    render.use_compositing = render.use_sequencer = False
    cycles = scene.cycles
    cycles.device, cycles.samples = "CPU", samples
    cycles.use_adaptive_sampling = False
    cycles.use_animated_seed = True  # a training that sees many frames averages fresh noise away
    cycles.use_denoising = True
    cycles.denoiser, cycles.denoising_input_passes = "OPENIMAGEDENOISE", "RGB_ALBEDO_NORMAL"
    cycles.denoising_prefilter, cycles.denoising_quality = "FAST", "BALANCED"
    cycles.use_light_tree = False
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 4, 2, 2
    cycles.transmission_bounces, cycles.transparent_max_bounces = 2, 12
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 3.0
    cycles.filter_width = 1.3
    view = scene.view_settings
    view.view_transform, view.look, view.exposure, view.gamma = "Standard", "None", 0, 1
    layer = bpy.context.view_layer
    layer.use_pass_z = False
    layer.pass_alpha_threshold = 0.5
    label = layer.aovs.add()
    label.name, label.type = LABEL_PASS, "COLOR"
    settings = render.image_settings
    settings.file_format, settings.color_depth, settings.exr_codec = "OPEN_EXR_MULTILAYER", "16", "NONE"
