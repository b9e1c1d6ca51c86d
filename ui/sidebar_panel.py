# SPDX-License-Identifier: GPL-3.0-or-later
"""What panels of the 3D View's sidebar have in common: the tab, and the avatar that they are about."""

from __future__ import annotations

import bpy

from ..hmtalker_blender import directed_avatar
from . import sections

AVATAR_PANEL = "HMT_PT_avatar"
"""Identifier of the panel that the others are folded into."""


class SidebarPanel:
    """In the tab HM-Talker."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = sections.CATEGORY


class AvatarPanel(SidebarPanel):
    """Folded into the avatar's panel, and only there where there is an avatar."""

    bl_parent_id = AVATAR_PANEL
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return directed_avatar.directed(context) is not None
