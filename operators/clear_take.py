# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove what was generated from a strip; what was keyed by hand stays."""

from __future__ import annotations

import bpy

from ..hmtalker_blender import animation, sound_strips, speakers, versions
from . import reporting
from .animate_strip import no_performance_reason


class HMT_OT_clear_take(bpy.types.Operator):
    """Remove the performance that was generated from the active sound strip; keys made by hand stay"""

    bl_idname = "hmtalker.clear_take"
    bl_label = "Remove Performance"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        if reason := no_performance_reason(context):
            return reason
        scene = versions.sequencer_scene(context)
        strip = sound_strips.active(scene)
        speaker = speakers.directed_to(context, scene, strip)
        if animation.entry_of(speaker, strip, scene) is None:
            return f'{speaker.name} has no performance of "{strip.name}"'
        return ""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene = versions.sequencer_scene(context)
        strip = sound_strips.active(scene)
        kept = animation.remove_take_of(speakers.directed_to(context, scene, strip), strip, scene)
        if kept:
            self.report({"INFO"}, f'Its keys were edited by hand; they are kept as "{kept}".')
        return {"FINISHED"}


CLASSES = (HMT_OT_clear_take,)
