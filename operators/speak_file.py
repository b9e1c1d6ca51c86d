# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a sound file on the Sequencer and make the avatar speak it: what dropping a file on the 3D View does."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..engine.errors import AudioError
from ..hmtalker_blender import avatar_object, jobs, sound_strips, versions
from . import reporting
from .animate_strip import AnimateOperator


class HMT_OT_speak_file(AnimateOperator, bpy.types.Operator):
    """Put a sound file on the Sequencer at the current frame and make the avatar speak it"""

    bl_idname = "hmtalker.speak_file"
    bl_label = "Speak Sound File"
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Sound File",
        description="Sound file to speak",
        subtype="FILE_PATH",
        options={"SKIP_SAVE", "PATH_SUPPORTS_BLEND_RELATIVE"},
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        return jobs.busy_reason() or avatar_object.no_speaker_reason(context, versions.sequencer_scene(context))

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if jobs.running or not avatar_object.exist():
            return reporting.allow(cls, context)
        return True

    def prepare(self, context: bpy.types.Context) -> jobs.Job:
        path = Path(bpy.path.abspath(self.filepath))
        if not self.filepath or not path.is_file():
            raise AudioError(f"There is no sound file {path}; choose another one.")
        scene = versions.sequencer_scene(context)
        try:
            strip = sound_strips.add(scene, path, path.stem, scene.frame_current)
        except RuntimeError:
            raise AudioError(f"{path.name} is no audio that Blender knows; choose another file.") from None
        self.strip = strip.name
        try:
            return super().prepare(context)
        except Exception:
            scene.sequence_editor.strips.remove(strip)
            raise


CLASSES = (HMT_OT_speak_file,)
