# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Blender camera or viewport sees of an avatar, as the engine's camera.

Blender's own projection matrix is taken apart, so lens, sensor fit, shift, pixel aspect and orthographic scale are
right by Blender's own arithmetic. The avatar's object may be turned, scaled and sheared: all of it goes into the
engine's ``world_to_camera``, whose world is the avatar's canonical space.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..engine.camera import Camera
from ..engine.errors import RenderError

if TYPE_CHECKING:
    import bpy

    from ..engine.avatar import Avatar

OPENCV_FROM_BLENDER = np.diag([1.0, -1.0, -1.0, 1.0])
"""Blender's cameras look along -z with y up; the engine's along +z with y down."""
BLENDER_FROM_CANONICAL = np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], np.float64)
"""Canonical space has y up and the face toward +z; in Blender z is up and a face that looks at the viewer -y."""
ORTHOGRAPHIC_DISTANCE = 1000.0
"""Metres that the pinhole of an orthographic camera is moved back: a head's depth then shifts it by 1e-4 of itself."""
REACH = 0.05
"""Metres that splats and motion may reach beyond the resting centres of an avatar's Gaussians."""


class Projection(NamedTuple):
    """A camera before it is known what it looks at."""

    matrix: np.ndarray
    """float64 [4,4]: Blender's window matrix, view space to normalised device coordinates."""
    view_from_world: np.ndarray
    """float64 [4,4], without scale."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""


class View(NamedTuple):
    """A camera that looks at one avatar."""

    camera: Camera
    """Its world is the avatar's canonical space; depth is in Blender's units."""
    behind: float
    """How far the camera was moved back; subtract it from the engine's depth to get Blender's."""
    object_from_camera: np.ndarray
    """float64 [4,4]: the camera's space (OpenCV) to the space of the avatar's object."""


class Window(NamedTuple):
    """A rectangle of pixels; the picture's corner is (0, 0), rows count downward. It may reach out of the picture."""

    left: int
    top: int
    width: int
    height: int


def object_from_canonical(avatar: Avatar) -> np.ndarray:
    """float64 [4,4]: canonical space to the space of the avatar's object, whose origin is what the head turns about."""
    matrix = BLENDER_FROM_CANONICAL.copy()
    matrix[:3, 3] = -matrix[:3, :3] @ avatar.pivot
    return matrix


def render_size(scene: bpy.types.Scene) -> tuple[int, int]:
    """Return width and height of the scene's pictures in pixels, before any border."""
    render = scene.render
    return (
        max(1, render.resolution_x * render.resolution_percentage // 100),
        max(1, render.resolution_y * render.resolution_percentage // 100),
    )


def of_camera(
    camera: bpy.types.Object, depsgraph: bpy.types.Depsgraph, width: int, height: int, scene: bpy.types.Scene
) -> Projection:
    """Return the projection of a camera object (evaluated). Raises RenderError for panoramic cameras."""
    if camera.type != "CAMERA":
        raise RenderError(f'The scene\'s camera "{camera.name}" is not a camera object; choose another one.')
    if camera.data.type not in ("PERSP", "ORTHO"):
        raise RenderError(f'"{camera.name}" is a panoramic camera; make it perspective or orthographic to see avatars.')
    matrix = camera.calc_matrix_camera(
        depsgraph,
        x=width,
        y=height,
        scale_x=scene.render.pixel_aspect_x,
        scale_y=scene.render.pixel_aspect_y,
    )
    world = camera.matrix_world.normalized()
    return Projection(np.array(matrix, np.float64), np.linalg.inv(np.array(world, np.float64)), width, height)


def of_scene(scene: bpy.types.Scene, avatar_object: bpy.types.Object, percentage: int) -> tuple[Projection, np.ndarray]:
    """Return the scene camera's projection at a share of the render's pixels, and the matrix of an object, as they are.

    For the scene's current frame, in the first view layer that has the object.
    """
    layer = next((layer for layer in scene.view_layers if avatar_object.name in layer.objects), scene.view_layers[0])
    depsgraph = layer.depsgraph
    width, height = (max(1, side * percentage // 100) for side in render_size(scene))
    projection = of_camera(scene.camera.evaluated_get(depsgraph), depsgraph, width, height, scene)
    return projection, np.array(avatar_object.evaluated_get(depsgraph).matrix_world, np.float64)


def of_region(region: bpy.types.Region, region_data: bpy.types.RegionView3D) -> Projection:
    """Return the projection of a 3D viewport."""
    window, view = np.array(region_data.window_matrix, np.float64), np.array(region_data.view_matrix, np.float64)
    return Projection(window, view, region.width, region.height)


def of_avatar(avatar: Avatar) -> View:
    """Return the view of the camera that the avatar was filmed with."""
    return _view(avatar, avatar.camera, 0.0)


def looking_at(projection: Projection, world_from_object: np.ndarray, avatar: Avatar) -> View:
    """Return the view of an avatar whose object has this matrix [4,4]. Raises RenderError if its scale is 0."""
    canonical = object_from_canonical(avatar)
    camera_from_canonical = OPENCV_FROM_BLENDER @ projection.view_from_world @ world_from_object @ canonical
    if abs(np.linalg.det(camera_from_canonical[:3, :3])) < 1e-12:
        raise RenderError("The avatar is scaled to nothing, so it cannot be seen; clear its scale.")
    matrix, width, height = projection.matrix, projection.width, projection.height
    half_x, half_y = width / 2, height / 2
    if matrix[3, 3] == 0.0:
        focal = matrix[0, 0] * half_x, matrix[1, 1] * half_y
        centre = half_x * (1.0 - matrix[0, 2]), half_y * (1.0 + matrix[1, 2])
        behind = 0.0
    else:
        behind = ORTHOGRAPHIC_DISTANCE
        pivot = camera_from_canonical @ np.append(avatar.pivot, 1.0)
        distance = behind + pivot[2]
        focal = matrix[0, 0] * half_x * distance, matrix[1, 1] * half_y * distance
        centre = half_x * (1.0 + matrix[0, 3]), half_y * (1.0 - matrix[1, 3])
        camera_from_canonical[2, 3] += behind
    K = np.array([[focal[0], 0.0, centre[0]], [0.0, focal[1], centre[1]], [0.0, 0.0, 1.0]])
    return _view(avatar, Camera(width, height, K, camera_from_canonical), behind)


def cropped(view: View, window: Window) -> View:
    """Return the same view of a rectangle of its picture, pixel for pixel."""
    K = view.camera.K.copy()
    K[0, 2] -= window.left
    K[1, 2] -= window.top
    return view._replace(camera=Camera(window.width, window.height, K, view.camera.world_to_camera))


def window_of(view: View, bounds: np.ndarray, margin: float) -> Window | None:
    """Return the part of the picture where the avatar is, or None when it is out of sight.

    bounds: float64 [2,3], the least and greatest canonical coordinates. margin: how far outside of the picture may be
    looked, relative to its size.
    """
    camera = view.camera
    points = np.append(corners_of(bounds), np.ones((8, 1)), axis=1) @ camera.world_to_camera.T
    near = points[:, 2] < 0.02
    if near.all():
        return None
    limits = np.array([camera.width, camera.height], np.float64)
    first, last = -margin * limits, (1.0 + margin) * limits
    if not near.any():
        pixels = points[:, :2] / points[:, 2:3] * (camera.K[0, 0], camera.K[1, 1]) + camera.K[:2, 2]
        first, last = np.maximum(first, pixels.min(0)), np.minimum(last, pixels.max(0))
    left, top = np.floor(first).astype(int)
    right, bottom = np.ceil(last).astype(int)
    if right <= left or bottom <= top:
        return None
    return Window(int(left), int(top), int(right - left), int(bottom - top))


def bounds_of(avatar: Avatar) -> np.ndarray:
    """float64 [2,3]: the box in canonical space, metres, that the avatar stays in."""
    means = avatar.face.means.astype(np.float64)
    return np.stack([means.min(0) - REACH, means.max(0) + REACH])


def corners_of(bounds: np.ndarray) -> np.ndarray:
    """float64 [8,3]: the corners of a box [2,3]; corner k is at the greater x, y, z where bits 4, 2, 1 of k are set."""
    return np.array([bounds[[k >> 2, k >> 1 & 1, k & 1], range(3)] for k in range(8)])


def _view(avatar: Avatar, camera: Camera, behind: float) -> View:
    return View(camera, behind, object_from_canonical(avatar) @ np.linalg.inv(camera.world_to_camera))
