# SPDX-License-Identifier: GPL-3.0-or-later
"""What an avatar is inside Blender: properties, scene objects, F-curves, strips, preferences."""

from __future__ import annotations

from . import avatar_object, capture_report, engine_environment, preferences, properties, takes, training_picture

CLASSES = (*preferences.CLASSES, *properties.CLASSES)

attach_properties = properties.attach
detach_properties = properties.detach


def forget_loaded_data() -> None:
    """Drop avatars, takes, reports and pictures kept in memory; they are read again when needed."""
    avatar_object.forget_loaded()
    capture_report.forget()
    engine_environment.forget()
    takes.forget_decoded()
    training_picture.forget()
