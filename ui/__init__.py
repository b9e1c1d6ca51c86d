# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the artist sees it: panels, menus and drop targets."""

from __future__ import annotations

from . import add_menu, drop_target, sequencer_panel, train_panel, training_panel, view3d_panel

CLASSES = (
    *view3d_panel.CLASSES,
    *train_panel.CLASSES,
    *training_panel.CLASSES,
    *sequencer_panel.CLASSES,
    *drop_target.CLASSES,
)

append_to_menus = add_menu.append
remove_from_menus = add_menu.remove
