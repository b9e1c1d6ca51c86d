# SPDX-License-Identifier: GPL-3.0-or-later
"""The posed head as a native Gaussian-splat point cloud, which Blender 5.3 and later draw themselves.

Found by what Blender's data can do, never by a version number. The names of the attributes moved while the feature was
developed; they stand in one table here.
"""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
from bpy.app.handlers import persistent

from ..engine.rasterize import Splats
from . import avatar_object, avatars_shown, event_handlers, preferences, renderers

OWNER_KEY = "hmtalker_gaussians_of"
"""Object property: name of the avatar whose Gaussians a point cloud shows."""
KIND = "GAUSSIAN_SPLAT"
ATTRIBUTES = (
    ("position", "FLOAT_VECTOR", "vector"),
    ("rotation", "QUATERNION", "value"),
    ("scale", "FLOAT_VECTOR", "vector"),
    ("radiance:base", "FLOAT4", "vector"),
)
"""Name, type, and the field that holds the numbers. Rotation: w, x, y, z. Scale: standard deviations in metres. Base:
SH coefficients of degree 0, then opacity 0..1."""
HARMONIC = "radiance:sh_{}"
"""FLOAT_VECTOR, from 0: SH coefficients from degree 1 on, red, green and blue."""


def unsupported_reason() -> str:
    """Say why this Blender cannot draw Gaussians itself, or return an empty string."""
    known = "type" in bpy.types.PointCloud.bl_rna.properties
    return "" if known else "This Blender does not draw Gaussian splats itself; Blender 5.3 and later do"


def columns(splats: Splats, sh: np.ndarray) -> dict[str, tuple[str, str, np.ndarray]]:
    """sh: [N,K,3]. Returns attribute -> type, field and values float32 [N,columns], in writing order."""
    base = np.column_stack([sh[:, 0], splats.opacities])
    values = (splats.means, splats.quaternions, splats.scales, base)
    table = {name: (kind, field, value) for (name, kind, field), value in zip(ATTRIBUTES, values, strict=True)}
    for number in range(1, sh.shape[1]):
        table[HARMONIC.format(number - 1)] = ("FLOAT_VECTOR", "vector", sh[:, number])
    return {
        name: (kind, field, np.ascontiguousarray(value, np.float32)) for name, (kind, field, value) in table.items()
    }


def write(cloud: bpy.types.PointCloud, splats: Splats, sh: np.ndarray) -> None:
    """Put Gaussians into a point cloud, whatever it held before."""
    if not unsupported_reason():
        cloud.type = KIND
    if len(cloud.points) != splats.count:
        cloud.resize(splats.count)
    for name, (kind, field, values) in columns(splats, sh).items():
        attribute = cloud.attributes.get(name)
        if attribute is not None and attribute.data_type != kind:
            cloud.attributes.remove(attribute)
            attribute = None
        attribute = attribute or cloud.attributes.new(name, kind, "POINT")
        attribute.data.foreach_set(field, values.ravel())
    cloud.update_tag()


def of_avatar(avatar: bpy.types.Object) -> bpy.types.Object | None:
    """Return the point cloud that follows an avatar, if there is one."""
    return next((child for child in avatar.children if child.get(OWNER_KEY) == avatar.name), None)


def follow(depsgraph: bpy.types.Depsgraph) -> None:
    """Bring the point clouds of a dependency graph's avatars to where its frame has them."""
    for original, shown in avatars_shown.with_objects(depsgraph):
        cloud = of_avatar(original)
        if cloud is not None and cloud.type == "POINTCLOUD":
            show(cloud.data, shown)


def show(cloud: bpy.types.PointCloud, shown: avatars_shown.Shown) -> None:
    """Write the avatar's Gaussians as its properties have them. Raises AvatarError."""
    from ..engine.posed_gaussians import UPRIGHT, posed_gaussians

    loaded = avatar_object.load(shown.path)
    renderer = renderers.of(loaded, preferences.render_threads(bpy.context))
    splats, sh = posed_gaussians(renderer, shown.state, UPRIGHT)
    # the object's origin is the point that the head turns about
    write(cloud, replace(splats, means=splats.means - np.float32(UPRIGHT @ loaded.avatar.pivot)), sh)


@persistent
def _on_frame(_scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    if not unsupported_reason():
        follow(depsgraph)


HANDLERS: event_handlers.Handlers = (("frame_change_post", _on_frame),)


def attach() -> None:
    """Follow the frames."""
    event_handlers.attach(HANDLERS)


def detach() -> None:
    """Stop following them."""
    event_handlers.detach(HANDLERS)
