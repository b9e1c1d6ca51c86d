# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's preferences."""

from __future__ import annotations

import os

import bpy

from ..engine.marking import credentials
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

    certificate: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Certificate",
        description="PEM file of the certificate that finished renders are signed with (C2PA); empty for none",
        subtype="FILE_PATH",
    )

    certificate_key: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Private Key", description="PEM file of the certificate's private key, without a password",
        subtype="FILE_PATH",
    )  # fmt: skip

    def draw(self, context: bpy.types.Context) -> None:
        from . import content_credentials  # which asks for what is chosen here

        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "threads")
        layout.prop(self, "training_environment")
        row = layout.row()
        row.operator("hmtalker.copy_install_command", icon="COPYDOWN")
        row.operator("hmtalker.check_environment", icon="FILE_REFRESH")
        reason = content_credentials.unable_reason(context)
        layout.label(text="Content Credentials (C2PA)")
        column = layout.column()
        column.enabled = credentials.is_installed()
        column.prop(self, "certificate")
        column.prop(self, "certificate_key")
        layout.label(text=reason or "Finished renders are signed", icon="INFO" if reason else "CHECKMARK")


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


def chosen_certificate(context: bpy.types.Context) -> tuple[str, str]:
    """Return the certificate and the key that the artist chose, each empty where there is none."""
    preferences = _preferences(context)
    return (preferences.certificate, preferences.certificate_key) if preferences is not None else ("", "")


def _preferences(context: bpy.types.Context) -> HMT_preferences | None:
    addon = context.preferences.addons.get(EXTENSION)
    return addon.preferences if addon is not None else None


CLASSES = (HMT_preferences,)
