# SPDX-License-Identifier: GPL-3.0-or-later
"""Put videos on the list of what is captured, and take them off again."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..hmtalker_blender import capture_job
from . import reporting


class HMT_OT_add_videos(bpy.types.Operator):
    """Choose videos of one person, filmed from one place and with sound"""

    bl_idname = "hmtalker.add_videos"
    bl_label = "Add Videos"
    bl_options = {"REGISTER", "UNDO"}

    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN"})  # type: ignore[valid-type]
    files: bpy.props.CollectionProperty(  # type: ignore[valid-type]
        type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"}
    )
    filter_movie: bpy.props.BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})  # type: ignore[valid-type]
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})  # type: ignore[valid-type]

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        return "" if context.scene.is_editable else "This scene is linked from another file"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        folder = Path(bpy.path.abspath(self.directory))
        chosen = [folder / file.name for file in self.files if file.name]
        if not chosen:
            self.report({"WARNING"}, "No video was chosen.")
            return {"CANCELLED"}
        relative = context.preferences.filepaths.use_relative_paths
        added = capture_job.add_videos(context.scene.hmtalker.capture, chosen, relative)
        if added < len(chosen):
            self.report({"INFO"}, f"{len(chosen) - added} of these videos were on the list before.")
        return {"FINISHED"}


class HMT_OT_remove_video(bpy.types.Operator):
    """Take the active video off the list; the file stays where it is"""

    bl_idname = "hmtalker.remove_video"
    bl_label = "Remove Video"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        settings = context.scene.hmtalker.capture
        return "" if 0 <= settings.active_video < len(settings.videos) else "There is no video on the list"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.hmtalker.capture
        settings.videos.remove(settings.active_video)
        settings.active_video = max(0, min(settings.active_video, len(settings.videos) - 1))
        return {"FINISHED"}


CLASSES = (HMT_OT_add_videos, HMT_OT_remove_video)
