# SPDX-License-Identifier: GPL-3.0-or-later
"""What an avatar is inside Blender: properties, scene objects, F-curves, strips, preferences."""

from __future__ import annotations

from . import avatar_object, preferences, properties, takes

CLASSES = (*preferences.CLASSES, *properties.CLASSES)

attach_properties = properties.attach
detach_properties = properties.detach


def forget_loaded_data() -> None:
    """Drop avatars and takes kept in memory; they are read again when needed."""
    avatar_object.forget_loaded()
    takes.forget_decoded()
