# SPDX-License-Identifier: GPL-3.0-or-later
"""HM-Talker: audio to Action Units to a Gaussian-splat talking head, inside Blender."""

from __future__ import annotations

import bpy

from . import hmtalker_blender, operators, ui

CLASSES = (*hmtalker_blender.CLASSES, *operators.CLASSES, *ui.CLASSES)


def register() -> None:
    """Tell Blender what there is. Nothing is read, loaded or computed until the artist asks for it."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    hmtalker_blender.attach_properties()
    ui.append_to_menus()


def unregister() -> None:
    """Take everything back, in reverse order."""
    operators.stop_running_jobs()
    ui.remove_from_menus()
    hmtalker_blender.detach_properties()
    hmtalker_blender.forget_loaded_data()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
