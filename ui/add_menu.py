# SPDX-License-Identifier: GPL-3.0-or-later
"""*Talking Avatar* in the Add menu of the 3D View, the speech sample in the Sequencer's, and a strip's context menu."""

from __future__ import annotations

import bpy

from ..hmtalker_blender import face_poses
from ..operators.add_avatar import HMT_OT_add_avatar, HMT_OT_open_avatar
from ..operators.add_live_strip import HMT_OT_add_live_strip
from ..operators.add_sample_speech import HMT_OT_add_sample_speech
from ..operators.animate_all import HMT_OT_animate_all
from ..operators.animate_strip import HMT_OT_animate_from_strip
from ..operators.apply_pose import HMT_OT_apply_pose
from ..operators.dub import HMT_OT_dub
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
    menu.layout.operator(HMT_OT_animate_all.bl_idname, icon="COMMUNITY", text="Animate Selected Strips").selected = True
    menu.layout.operator(HMT_OT_add_live_strip.bl_idname, icon="SCENE_DATA")
    menu.layout.operator(HMT_OT_render_to_sequencer.bl_idname, icon="RENDER_ANIMATION")
    menu.layout.operator(HMT_OT_dub.bl_idname, icon="FILE_MOVIE")


def _draw_asset_menu(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    asset = getattr(context, "asset", None)
    action = asset.local_id if asset is not None else None
    if isinstance(action, bpy.types.Action) and face_poses.is_pose(action):
        menu.layout.separator()
        menu.layout.operator(HMT_OT_apply_pose.bl_idname, icon="USER", text="Apply to Avatar").action = action.name


ENTRIES = (
    ("VIEW3D_MT_add", _draw_view3d_add),
    ("SEQUENCER_MT_add", _draw_sequencer_add),
    ("SEQUENCER_MT_context_menu", _draw_strip_menu),
)


ASSET_ENTRIES = (("ASSETBROWSER_MT_context_menu", _draw_asset_menu),)
"""Entries that are there only where the asset under the pointer is a face."""


def append() -> None:
    """Add the entries to Blender's menus."""
    for menu, draw in (*ENTRIES, *ASSET_ENTRIES):
        getattr(bpy.types, menu).append(draw)


def remove() -> None:
    """Take the entries out again."""
    for menu, draw in (*ENTRIES, *ASSET_ENTRIES):
        getattr(bpy.types, menu).remove(draw)
