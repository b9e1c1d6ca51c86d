# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the avatar as Gaussians that Blender draws itself, from every side, in EEVEE and Cycles."""

from __future__ import annotations

import bpy

from ..hmtalker_blender import avatars_shown, directed_avatar, engine_paths, point_cloud
from . import reporting


class HMT_OT_add_point_cloud(bpy.types.Operator):
    """Add a point cloud of the avatar's Gaussians, which follows it frame by frame"""

    bl_idname = "hmtalker.add_point_cloud"
    bl_label = "Add Gaussian Point Cloud"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        avatar = directed_avatar.directed(context)
        if avatar is None:
            return directed_avatar.no_avatar_reason(context)
        if point_cloud.of_avatar(avatar) is not None:
            return f"{avatar.name} has a point cloud already"
        return point_cloud.unsupported_reason()

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        avatar = directed_avatar.directed(context)
        engine_paths.prepare_kernel_cache()
        data = bpy.data.pointclouds.new(f"{avatar.name} Gaussians")
        try:
            evaluated = avatar.evaluated_get(context.evaluated_depsgraph_get())
            point_cloud.show(data, avatars_shown.of_object(evaluated, avatar.matrix_world))
        except Exception as error:
            bpy.data.pointclouds.remove(data)
            return reporting.fail(self, error, avatar)
        cloud = bpy.data.objects.new(data.name, data)
        cloud.parent, cloud[point_cloud.OWNER_KEY] = avatar, avatar.name
        for collection in avatar.users_collection:
            collection.objects.link(cloud)
        self.report({"INFO"}, f"{cloud.name} follows {avatar.name}; hide the face of one of them in renders.")
        return {"FINISHED"}


CLASSES = (HMT_OT_add_point_cloud,)
