# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove what was generated from a strip; what was keyed by hand stays."""

from __future__ import annotations

import bpy

from ..hmtalker_blender import animation, avatar_object, jobs, sound_strips, versions
from . import reporting


class HMT_OT_clear_take(bpy.types.Operator):
    """Remove the performance that was generated from the active sound strip; keys made by hand stay"""

    bl_idname = "hmtalker.clear_take"
    bl_label = "Remove Performance"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        if jobs.running:
            return f"{jobs.running[0].title} is under way"
        scene = versions.sequencer_scene(context)
        reason = avatar_object.no_speaker_reason(context, scene) or sound_strips.no_strip_reason(scene)
        if reason:
            return reason
        speaker, strip = avatar_object.speaker(context, scene), sound_strips.active(scene)
        if animation.entry_of(speaker, strip, scene) is None:
            return f'{speaker.name} has no performance of "{strip.name}"'
        return ""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene = versions.sequencer_scene(context)
        animation.remove_take_of(avatar_object.speaker(context, scene), sound_strips.active(scene), scene)
        return {"FINISHED"}


CLASSES = (HMT_OT_clear_take,)
