# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces as assets: the emotions, with pictures of this very avatar, and the face that is shown now."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from ..engine import emotions
from ..engine.action_unit_sets import EXTENDED, carry, set_of_width
from ..hmtalker_blender import avatar_object, directed_avatar, engine_paths, face_poses, jobs, motion_state, preferences
from . import reporting
from .job_operator import JobOperator

PREVIEW = 256
"""Pixels of a side of an asset's picture."""


def render_previews(
    job: jobs.Job, path: Path, faces: dict[str, dict[str, float]], threads: int
) -> dict[str, np.ndarray]:
    """Pictures of an avatar that makes these faces: float32 [PREVIEW, PREVIEW, 4], row 0 at the bottom, sRGB.

    faces: name -> Action Unit -> intensity. Any thread. Raises AvatarError, RenderError, CancelledError.
    """
    from ..engine.errors import CancelledError
    from ..engine.motion.state import MotionState
    from ..engine.render import Renderer

    job.progress(0.0, "Preparing (the first time takes a little longer)")
    avatar = avatar_object.load(path).avatar
    renderer = Renderer(avatar, threads=threads)
    try:
        pictures = {}
        for number, (name, units) in enumerate(faces.items()):
            if job.cancelled():
                raise CancelledError("Cancelled; nothing was changed.")
            added = np.array([units.get(code, 0.0) for code in EXTENDED.codes], np.float32)
            values = avatar.rest_action_units + carry(added, avatar.units)
            pixels = renderer.render_srgb8(MotionState(values), avatar.camera.scaled(PREVIEW, PREVIEW))
            pictures[name] = np.ascontiguousarray(pixels[::-1], np.float32) / 255
            job.progress((number + 1) / len(faces), name)
        return pictures
    finally:
        renderer.close()


def _set_preview(action: bpy.types.Action, pixels: np.ndarray) -> None:
    preview = action.preview_ensure()
    preview.image_size = (pixels.shape[1], pixels.shape[0])
    preview.image_pixels_float.foreach_set(pixels.ravel())


class _AssetOperator(JobOperator):
    """Make poses of faces, each with a picture of the avatar."""

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        return directed_avatar.no_avatar_reason(context)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)

    def owners(self, context: bpy.types.Context) -> tuple[bpy.types.ID | None, ...]:
        return (directed_avatar.directed(context),)

    def faces(self, context: bpy.types.Context, avatar: bpy.types.Object) -> dict[str, dict[str, float]]:
        """Return name -> Action Unit -> intensity of what shall become assets."""
        raise NotImplementedError

    def prepare(self, context: bpy.types.Context) -> jobs.Job:
        avatar = directed_avatar.directed(context)
        self._faces = self.faces(context, avatar)
        path, threads = avatar_object.file_of(avatar), preferences.render_threads(context)
        engine_paths.prepare_kernel_cache()
        return jobs.Job("Making face assets", lambda job: render_previews(job, path, self._faces, threads))

    def finish(self, context: bpy.types.Context, result: dict[str, np.ndarray]) -> str:
        for name, units in self._faces.items():
            action = bpy.data.actions.get(name)
            if not face_poses.is_pose(action):
                action = face_poses.make(name, units, ", ".join(units) or "The face at rest")
            _set_preview(action, result[name])
        made = ", ".join(f'"{name}"' for name in self._faces)
        return f"In the Asset Browser, under Current File: {made}."


class HMT_OT_make_pose_assets(_AssetOperator, bpy.types.Operator):
    """Make assets of the emotions in this file, with pictures of the avatar, to be changed and used in other files"""

    bl_idname = "hmtalker.make_pose_assets"
    bl_label = "Make Emotion Assets"
    bl_options = {"REGISTER", "UNDO"}

    def faces(self, context: bpy.types.Context, avatar: bpy.types.Object) -> dict[str, dict[str, float]]:
        return dict(emotions.EMOTIONS)


class HMT_OT_save_pose(_AssetOperator, bpy.types.Operator):
    """Make an asset of the face that the avatar shows now"""

    bl_idname = "hmtalker.save_pose"
    bl_label = "Save Face as Asset"
    bl_options = {"REGISTER", "UNDO"}

    name: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Name", description="What the face is called", default="Face"
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if bpy.app.background or context.window is None:
            return self.execute(context)
        return context.window_manager.invoke_props_dialog(self)

    def faces(self, context: bpy.types.Context, avatar: bpy.types.Object) -> dict[str, dict[str, float]]:
        shown = motion_state.of_object(avatar).action_units
        codes = set_of_width(len(shown)).codes
        units = {code: float(value) for code, value in zip(codes, shown, strict=True) if value > 0.005}
        name, number = self.name or "Face", 1
        while name in bpy.data.actions:
            name, number = f"{self.name or 'Face'} {number}", number + 1
        return {name: units}


CLASSES = (HMT_OT_make_pose_assets, HMT_OT_save_pose)
