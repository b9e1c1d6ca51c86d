# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the artist sees it: panels and menus."""

from __future__ import annotations

from . import add_menu, sequencer_panel, view3d_panel

CLASSES = (*view3d_panel.CLASSES, *sequencer_panel.CLASSES)

append_to_menus = add_menu.append
remove_from_menus = add_menu.remove
