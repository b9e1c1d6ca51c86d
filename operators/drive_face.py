# SPDX-License-Identifier: GPL-3.0-or-later
"""Let any mesh with ARKit's shape keys perform what the avatar performs; and let it go again."""

from __future__ import annotations

import bpy

from ..hmtalker_blender import directed_avatar, evaluated_curves, face_rig, jobs
from . import reporting
from .job_operator import JobOperator


class HMT_OT_drive_face(JobOperator, bpy.types.Operator):
    """Let the selected meshes make the avatar's face, by shape keys with ARKit's names, however they are spelled"""

    bl_idname = "hmtalker.drive_face"
    bl_label = "Follow Avatar"
    bl_options = {"REGISTER", "UNDO"}

    method: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Method",
        description="How the mesh follows",
        items=(
            ("DRIVERS", "Drivers", "Follow live, slider by slider"),
            ("KEYS", "Keys", "Write keys for the scene's frames; the mesh is then free of the avatar"),
        ),
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        avatar = directed_avatar.directed(context)
        nobody = directed_avatar.no_avatar_reason(context) if avatar is None else ""
        return jobs.busy_reason() or nobody or face_rig.no_face_reason(context)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)

    def owners(self, context: bpy.types.Context) -> tuple[bpy.types.ID | None, ...]:
        return (directed_avatar.directed(context),)

    def prepare(self, context: bpy.types.Context) -> jobs.Job:
        scene, avatar = context.scene, directed_avatar.directed(context)
        self._avatar, self._meshes = avatar.name, [mesh.name for mesh in face_rig.faces(context)]
        self._rows, self._first = evaluated_curves.Rows(), scene.frame_start
        steps = None
        if self.method == "KEYS":
            frames = range(scene.frame_start, scene.frame_end + 1)
            steps = evaluated_curves.collect(scene, avatar, frames, self._rows)
        return jobs.Job("Making the mesh follow", lambda job: None, steps)

    def finish(self, context: bpy.types.Context, _result: None) -> str:
        avatar, told = bpy.data.objects[self._avatar], []
        for name in self._meshes:
            mesh = bpy.data.objects[name]
            if self.method == "KEYS":
                units, _head, gaze = self._rows.arrays()
                face_rig.write_keys(mesh, self._first, face_rig.weights(units, gaze))
                told.append(f"{name} has keys for {len(units)} frames")
            else:
                told.append(f"{face_rig.drive(mesh, avatar)} shape keys of {name} follow {avatar.name}")
        return "; ".join(told) + "."


class HMT_OT_release_face(bpy.types.Operator):
    """Take the avatar's drivers or keys off the selected meshes"""

    bl_idname = "hmtalker.release_face"
    bl_label = "Stop Following"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        return "" if face_rig.followers(context) else "No selected mesh follows an avatar"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        for mesh in face_rig.followers(context):
            self.report({"INFO"}, f"{face_rig.release(mesh)} shape keys of {mesh.name} are free.")
        return {"FINISHED"}


CLASSES = (HMT_OT_drive_face, HMT_OT_release_face)
