# SPDX-License-Identifier: GPL-3.0-or-later
"""The HM-Talker tab in the 3D View's sidebar: the active avatar, its face and head, and what it can do."""

from __future__ import annotations

import bpy

from ..engine.consent import consent_sentence
from ..hmtalker_blender import avatar_object, directed_avatar
from ..operators.add_avatar import HMT_OT_add_avatar
from ..operators.add_sample_speech import HMT_OT_add_sample_speech
from ..operators.animate_strip import HMT_OT_animate_from_strip
from ..operators.render_to_sequencer import HMT_OT_render_to_sequencer
from . import face_sliders, sections
from .sidebar_panel import AVATAR_PANEL, AvatarPanel, SidebarPanel


class HMT_PT_avatar(SidebarPanel, bpy.types.Panel):
    """The avatar and its verbs"""

    bl_idname = AVATAR_PANEL
    bl_label = "Talking Avatar"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        avatar = directed_avatar.directed(context)
        if avatar is None:
            sections.draw_button(layout, context, HMT_OT_add_avatar, "USER", "Add Talking Avatar")
            sections.draw_problem(layout, context, context.scene)
            return
        layout.label(text=avatar.name, icon="USER")
        layout.prop(avatar.hmtalker, "avatar_path", text="File")
        column = layout.column(align=True)
        sections.draw_button(column, context, HMT_OT_add_sample_speech, "SPEAKER")
        sections.draw_button(column, context, HMT_OT_animate_from_strip, "PLAY_SOUND")
        sections.draw_button(column, context, HMT_OT_render_to_sequencer, "RENDER_ANIMATION")
        sections.draw_jobs(layout, context)
        sections.draw_problem(layout, context, avatar)


class HMT_PT_upper_face(AvatarPanel, bpy.types.Panel):
    """Action Units of brows and eyes"""

    bl_idname = "HMT_PT_upper_face"
    bl_label = "Upper Face"

    def draw(self, context: bpy.types.Context) -> None:
        face_sliders.draw_upper_face(self.layout.column(align=True), directed_avatar.directed(context))


class HMT_PT_lower_face(AvatarPanel, bpy.types.Panel):
    """Action Units of mouth and chin"""

    bl_idname = "HMT_PT_lower_face"
    bl_label = "Lower Face"

    def draw(self, context: bpy.types.Context) -> None:
        face_sliders.draw_lower_face(self.layout.column(align=True), directed_avatar.directed(context))


class HMT_PT_head_and_speech(AvatarPanel, bpy.types.Panel):
    """Head pose, and how much the speech itself shapes the mouth"""

    bl_idname = "HMT_PT_head_and_speech"
    bl_label = "Head and Speech"

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.use_property_split = True
        column = self.layout.column(align=True)
        values = directed_avatar.directed(context).hmtalker
        column.prop(values, "head_rotation")
        column.prop(values, "head_translation")
        column.prop(values, "body_translation")
        column.prop(values, "gaze")
        column.separator()
        column.prop(values, "audio_influence", slider=True)
        column.prop(values, "speech_time")


class HMT_PT_about(AvatarPanel, bpy.types.Panel):
    """Who made the avatar, and what may be done with it"""

    bl_idname = "HMT_PT_about"
    bl_label = "Licence and Attribution"

    def draw(self, context: bpy.types.Context) -> None:
        header = avatar_object.loaded_header(directed_avatar.directed(context))
        if header is None:
            self.layout.label(text="Known once the avatar was used", icon="INFO")
            return
        for key in ("licence", "attribution"):
            if header.get(key):
                sections.draw_sentence(self.layout, context, str(header[key]), "BLANK1")
        sections.draw_sentence(self.layout, context, consent_sentence(header.get("consent", {})), "BLANK1")


CLASSES = (
    HMT_PT_avatar,
    HMT_PT_upper_face,
    HMT_PT_lower_face,
    HMT_PT_head_and_speech,
    HMT_PT_about,
)
