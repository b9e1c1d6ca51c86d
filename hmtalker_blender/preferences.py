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

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "threads")


def render_threads(context: bpy.types.Context) -> int:
    """Return how many threads a render job may use, at least one. In background mode nobody waits for the interface."""
    addon = context.preferences.addons.get(EXTENSION)
    chosen = addon.preferences.threads if addon is not None and addon.preferences is not None else 0
    available = os.cpu_count() or 1
    return chosen or max(1, available if bpy.app.background else available - 1)


CLASSES = (HMT_preferences,)
