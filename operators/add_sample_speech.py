# SPDX-License-Identifier: GPL-3.0-or-later
"""Add the speech sample that comes with the extension as a sound strip."""

from __future__ import annotations

import bpy

from ..engine.errors import AudioError
from ..hmtalker_blender import engine_paths, sound_strips, versions
from . import reporting


class HMT_OT_add_sample_speech(bpy.types.Operator):
    """Add the speech sample that comes with the extension as a sound strip at the current frame"""

    bl_idname = "hmtalker.add_sample_speech"
    bl_label = "Add Speech Sample"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        return "" if versions.sequencer_scene(context) is not None else "There is no scene"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene = versions.sequencer_scene(context)
        path = engine_paths.SAMPLE_SPEECH
        if not path.is_file():
            error = AudioError("The speech sample is not in the extension's folder; install HM-Talker again.")
            return reporting.fail(self, error, scene)
        strip = sound_strips.add(scene, path, "Speech Sample", scene.frame_current)
        strip.sound.pack()  # the extension's folder differs from machine to machine, so the .blend carries the sound
        reporting.keep("", scene)
        return {"FINISHED"}


CLASSES = (HMT_OT_add_sample_speech,)
