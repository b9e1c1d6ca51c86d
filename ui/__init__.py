# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the artist sees it: panels, menus and drop targets."""

from __future__ import annotations

from . import (
    add_menu,
    display_panel,
    drop_target,
    face_panel,
    layer_panel,
    performance_panel,
    sequencer_panel,
    train_panel,
    training_panel,
    translations,
    view3d_panel,
)

CLASSES = (
    *view3d_panel.CLASSES,
    *performance_panel.CLASSES,
    *layer_panel.CLASSES,
    *face_panel.CLASSES,
    *display_panel.CLASSES,
    *train_panel.CLASSES,
    *training_panel.CLASSES,
    *sequencer_panel.CLASSES,
    *drop_target.CLASSES,
)


def append_to_menus() -> None:
    """Add the entries to Blender's menus, and tell it presets and translations."""
    add_menu.append()
    performance_panel.register_presets()
    translations.register()


def remove_from_menus() -> None:
    """Take all of it back."""
    translations.unregister()
    performance_panel.unregister_presets()
    add_menu.remove()
