# SPDX-License-Identifier: GPL-3.0-or-later
"""The HM-Talker tab in the Sequencer's sidebar: which strip, who speaks it, and where the frames go."""

from __future__ import annotations

import bpy

from ..hmtalker_blender import animation, sound_strips, speakers, strip_following, versions
from ..operators.add_sample_speech import HMT_OT_add_sample_speech
from ..operators.animate_all import HMT_OT_animate_all
from ..operators.animate_strip import HMT_OT_animate_from_strip
from ..operators.clear_take import HMT_OT_clear_take
from . import dub_section, frames_section, sections


class HMT_PT_sequencer(bpy.types.Panel):
    """The strip, its speaker and the verbs"""

    bl_idname = "HMT_PT_sequencer"
    bl_label = "Talking Avatar"
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = sections.CATEGORY

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        scene = versions.sequencer_scene(context)
        strip = sound_strips.active(scene)
        if strip is not None:
            layout.label(text=strip.name, icon="SOUND")
            layout.prop(strip.hmtalker, "speaker")
        else:
            sections.draw_button(layout, context, HMT_OT_add_sample_speech, "SPEAKER")
        layout.prop(scene.hmtalker, "avatar")
        speaker = speakers.directed_to(context, scene, strip)
        if speaker is not None and scene.hmtalker.avatar is None:
            layout.label(text=f"{speaker.name} speaks", icon="USER")
        told: set[str] = set()
        column = layout.column(align=True)
        sections.draw_button(column, context, HMT_OT_animate_from_strip, "PLAY_SOUND", told=told)
        if not HMT_OT_clear_take.disabled_reason(context):
            sections.draw_button(column, context, HMT_OT_clear_take, "X")
        entry = animation.entry_of(speaker, strip, scene) if speaker is not None and strip is not None else None
        if entry is not None and (lacking := strip_following.unspoken_reason(entry, scene, strip)):
            sections.draw_sentence(layout, context, lacking, "INFO")
        if sound_strips.several(scene):
            column = layout.column(align=True)
            sections.draw_button(column, context, HMT_OT_animate_all, "SEQ_SEQUENCER", told=told)
            if strip is not None:
                column.prop(strip.hmtalker, "is_speech")
        frames_section.draw(layout, context, scene, told)
        dub_section.draw(layout, context, scene, told)
        sections.draw_jobs(layout, context)
        sections.draw_problem(layout, context, scene)


CLASSES = (HMT_PT_sequencer,)
