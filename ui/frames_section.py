# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the Sequencer's sidebar about showing the avatar: live, or as rendered frames."""

from __future__ import annotations

import bpy

from ..operators.add_live_strip import HMT_OT_add_live_strip
from ..operators.check_for_farm import HMT_OT_check_for_farm
from ..operators.render_to_sequencer import HMT_OT_render_to_sequencer
from . import sections


def draw(layout: bpy.types.UILayout, context: bpy.types.Context, scene: bpy.types.Scene, told: set[str]) -> None:
    """Draw both ways, and what they have in common."""
    values, frames = scene.hmtalker, scene.hmtalker.frames
    column = layout.column(align=True)
    sections.draw_button(column, context, HMT_OT_add_live_strip, "SCENE_DATA", told=told)
    sections.draw_button(column, context, HMT_OT_render_to_sequencer, "RENDER_ANIMATION", told=told)
    header, body = layout.panel("hmtalker_frames", default_closed=True)
    header.label(text="Frames")
    if body is None:
        return
    body.use_property_split = True
    column = body.column(align=True)
    column.prop(frames, "camera")
    column.prop(values, "resolution_percentage")
    column.prop(values, "output_folder")
    column.prop(frames, "file_format")
    column = body.column(align=True)
    column.prop(frames, "use_background")
    row = column.row()
    row.enabled = frames.use_background
    row.prop(frames, "background", text="Color")
    column = body.column(align=True)
    column.prop(frames, "scale")
    column.prop(frames, "position")
    sections.draw_button(body, context, HMT_OT_check_for_farm, "VIEWZOOM", told=told)
