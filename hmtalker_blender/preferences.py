# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's preferences."""

from __future__ import annotations

import os

import bpy

from .engine_paths import EXTENSION


class HMT_preferences(bpy.types.AddonPreferences):
    bl_idname = EXTENSION

    threads: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Threads",
        description="Processor threads that rendering may use; 0 uses all but one, so that Blender stays responsive",
        default=0,
        min=0,
        soft_max=64,
    )

    training_environment: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Training Environment",
        description="Folder of the Python environment for Capture; leave empty for one in HM-Talker's own folder",
        subtype="DIR_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "threads")
        layout.prop(self, "training_environment")
        row = layout.row()
        row.operator("hmtalker.copy_install_command", icon="COPYDOWN")
        row.operator("hmtalker.check_environment", icon="FILE_REFRESH")


def render_threads(context: bpy.types.Context) -> int:
    """Return how many threads a render job may use, at least one. In background mode nobody waits for the interface."""
    preferences = _preferences(context)
    chosen = preferences.threads if preferences is not None else 0
    available = os.cpu_count() or 1
    return chosen or max(1, available if bpy.app.background else available - 1)


def chosen_environment(context: bpy.types.Context) -> str:
    """Return the folder of the training environment that the artist chose, or an empty string."""
    preferences = _preferences(context)
    return preferences.training_environment if preferences is not None else ""


def _preferences(context: bpy.types.Context) -> HMT_preferences | None:
    addon = context.preferences.addons.get(EXTENSION)
    return addon.preferences if addon is not None else None


CLASSES = (HMT_preferences,)
