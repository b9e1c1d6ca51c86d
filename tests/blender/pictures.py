# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes with a camera, rendered to linear pixels, and how far two pictures are apart as they are seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from conftest import bpy


def add_camera(scene: Any, **lens: Any) -> Any:
    """A camera in front of the origin that is turned and shifted a little, so that a mistake shows."""
    data = bpy.data.cameras.new("camera")
    camera = bpy.data.objects.new("camera", data)
    scene.collection.objects.link(camera)
    scene.camera = camera
    camera.location, camera.rotation_euler = (0.05, -1.2, 0.1), (1.52, 0.03, 0.04)
    data.lens, data.shift_x, data.shift_y = 60.0, 0.06, -0.04
    for name, value in lens.items():
        setattr(data, name, value)
    return camera


def prepare(scene: Any, width: int = 160, height: int = 120) -> None:
    """Small linear pictures with alpha, drawn by our engine."""
    render = scene.render
    render.engine = "HMTALKER"
    render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, 100
    render.film_transparent = True
    settings = render.image_settings
    settings.file_format, settings.color_depth, settings.color_mode = "OPEN_EXR", "32", "RGBA"


CYCLES_SEES_TWICE = 0.005
"""Share of pixels that may differ in Cycles: a ray through the very corner of a pixel's quad may meet two of them, or
none. A filter as wide as an artist's has no such rays; this one goes through corners only, to compare pixels."""


def use_cycles(scene: Any) -> None:
    """Cycles, sampled at the middle of each pixel, without chance in what shines through."""
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 16, False
    scene.cycles.pixel_filter_type, scene.cycles.filter_width = "GAUSSIAN", 0.01
    scene.cycles.min_transparent_bounces = scene.cycles.transparent_max_bounces = 8


def pixels_of(path: Path | str) -> np.ndarray:
    """float32 [H,W,4], row 0 at the top, as they are in the file."""
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name = "Non-Color"
    values = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(values)
    width, height = image.size
    bpy.data.images.remove(image)
    return values.reshape(height, width, -1)[::-1]


def still(scene: Any, folder: Path, name: str = "still") -> np.ndarray:
    """The current frame, rendered: float32 [H,W,4], row 0 at the top."""
    scene.render.filepath = str(folder / name)
    assert bpy.ops.render.render(write_still=True, scene=scene.name) == {"FINISHED"}
    return pixels_of(folder / f"{name}.exr")


def encoded(values: np.ndarray) -> np.ndarray:
    """Linear to sRGB: as it is seen."""
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * np.maximum(values, 0.0) ** (1 / 2.4) - 0.055)


def apart(first: np.ndarray, second: np.ndarray, but: float = 0.0) -> float:
    """The greatest difference of colour as it is seen, and of alpha, in steps of 1/255, but for the worst share."""
    colour = abs(encoded(first[..., :3]) - encoded(second[..., :3])).max(-1)
    return float(np.quantile(np.maximum(colour, abs(first[..., 3] - second[..., 3])), 1.0 - but) * 255)


def compositor_nodes(scene) -> tuple[Any, Any]:
    """The scene's compositor, new and empty but for its end, and that end: a node group since 5.0, its own before."""
    if "compositing_node_group" in scene.bl_rna.properties:
        tree = scene.compositing_node_group = bpy.data.node_groups.new("Compositor", "CompositorNodeTree")
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        return tree, tree.nodes.new("NodeGroupOutput")
    scene.use_nodes = True
    tree = scene.node_tree
    tree.nodes.clear()
    return tree, tree.nodes.new("CompositorNodeComposite")
