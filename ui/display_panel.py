# SPDX-License-Identifier: GPL-3.0-or-later
"""How the avatar shows itself in the scene, and from where it can be believed; the render engine's own properties."""

from __future__ import annotations

import bpy

from ..hmtalker_blender import card, directed_avatar, live_face, render_engine, view_range
from ..operators.add_point_cloud import HMT_OT_add_point_cloud
from . import sections
from .sidebar_panel import AvatarPanel


class HMT_PT_in_scene(AvatarPanel, bpy.types.Panel):
    """The face in viewport, EEVEE and Cycles"""

    bl_idname = "HMT_PT_in_scene"
    bl_label = "In the Scene"

    def draw(self, context: bpy.types.Context) -> None:
        layout, avatar = self.layout, directed_avatar.directed(context)
        layout.use_property_split = True
        settings = avatar.hmtalker.display
        layout.prop(settings, "in_scene")
        column = layout.column(align=True)
        column.enabled = settings.in_scene
        for name in ("relief", "viewport_percentage", "render_percentage"):
            column.prop(settings, name)
        layout.prop(settings, "use_mark")
        if settings.use_mark:
            column = layout.column(align=True)
            for name in ("mark_corner", "mark_size", "mark_opacity"):
                column.prop(settings, name)
        sections.draw_button(layout, context, HMT_OT_add_point_cloud, "POINTCLOUD_DATA")
        draw_view_range(layout, context, avatar)
        if not card.is_card(avatar):
            reason = "Leave Edit Mode to see the face" if avatar.mode != "OBJECT" else "Add this avatar again to see it"
            sections.draw_sentence(layout, context, reason, "INFO")
        if avatar.name in live_face.problems:
            sections.draw_sentence(layout.box(), context, live_face.problems[avatar.name], "ERROR")
        if not context.scene.render.use_lock_interface and context.scene.render.engine != render_engine.IDENTIFIER:
            sections.draw_sentence(
                layout, context, "While animations render, Lock Interface keeps the viewport out of the way", "INFO"
            )
            layout.prop(context.scene.render, "use_lock_interface")


class _Properties:
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    COMPAT_ENGINES = {render_engine.IDENTIFIER}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.engine in cls.COMPAT_ENGINES


class HMT_PT_film(_Properties, bpy.types.Panel):
    """What is behind the avatars"""

    bl_idname = "HMT_PT_film"
    bl_label = "Film"
    bl_context = "render"

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.use_property_split = True
        self.layout.prop(context.scene.render, "film_transparent", text="Transparent")


class HMT_PT_passes(_Properties, bpy.types.Panel):
    """Which passes are rendered"""

    bl_idname = "HMT_PT_passes"
    bl_label = "Passes"
    bl_context = "view_layer"

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.use_property_split = True
        self.layout.prop(context.view_layer, "use_pass_z", text="Depth")


def draw_view_range(layout: bpy.types.UILayout, context: bpy.types.Context, avatar: bpy.types.Object) -> None:
    """Say gently whether the scene camera sees a side that the avatar was filmed from."""
    text, holds = view_range.sentence(context, avatar)
    if text:
        sections.draw_sentence(layout, context, text, "CHECKMARK" if holds else "INFO")


CLASSES = (HMT_PT_in_scene, HMT_PT_film, HMT_PT_passes)
