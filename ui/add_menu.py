# SPDX-License-Identifier: GPL-3.0-or-later
"""*Talking Avatar* in the Add menu of the 3D View, the speech sample in the Sequencer's, and a strip's context menu."""

from __future__ import annotations

import bpy

from ..operators.add_avatar import HMT_OT_add_avatar, HMT_OT_open_avatar
from ..operators.add_sample_speech import HMT_OT_add_sample_speech
from ..operators.animate_strip import HMT_OT_animate_from_strip
from ..operators.render_to_sequencer import HMT_OT_render_to_sequencer


def _draw_view3d_add(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
    menu.layout.operator(HMT_OT_add_avatar.bl_idname, icon="USER")
    menu.layout.operator(HMT_OT_open_avatar.bl_idname, icon="FILE_FOLDER")


def _draw_sequencer_add(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
    menu.layout.separator()
    menu.layout.operator(HMT_OT_add_sample_speech.bl_idname, text="Speech Sample", icon="SPEAKER")


def _draw_strip_menu(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
    menu.layout.separator()
    menu.layout.operator(HMT_OT_animate_from_strip.bl_idname, icon="USER")
    menu.layout.operator(HMT_OT_render_to_sequencer.bl_idname, icon="RENDER_ANIMATION")


ENTRIES = (
    ("VIEW3D_MT_add", _draw_view3d_add),
    ("SEQUENCER_MT_add", _draw_sequencer_add),
    ("SEQUENCER_MT_context_menu", _draw_strip_menu),
)


def append() -> None:
    """Add the entries to Blender's menus."""
    for menu, draw in ENTRIES:
        getattr(bpy.types, menu).append(draw)


def remove() -> None:
    """Take the entries out again."""
    for menu, draw in ENTRIES:
        getattr(bpy.types, menu).remove(draw)
