# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of its two pictures an avatar shows in viewports: in Solid shading the one that is drawn for the view, over an
outline; in Material Preview and Rendered its card, which Blender leaves out of objects that are displayed as bounds. A
display type counts for all viewports: in Solid ones beside a Material Preview the card is there, but clear.
"""

from __future__ import annotations

import bpy

from . import card, live_face

SHADED = ("MATERIAL", "RENDERED")


def wanted() -> str:
    """Return the display type that the viewports on screen want: the card where any of them draws materials."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            shading = area.spaces.active.shading.type if area.type == "VIEW_3D" else ""
            own = shading == "RENDERED" and window.scene.render.engine == live_face.OWN_ENGINE
            if shading in SHADED and not own:
                return card.CARD
    return card.OUTLINE


def update() -> None:
    """Give every avatar that display type. Not while something is drawn."""
    kind = wanted()
    for avatar in _others(kind):
        card.set_display(avatar, kind)


def update_soon() -> None:
    """Do so as soon as nothing is drawn any more, if it is needed. Viewports call this when they are drawn."""
    if _others(wanted()) and not bpy.app.timers.is_registered(update):
        bpy.app.timers.register(update, first_interval=0.0)


def _others(kind: str) -> list[bpy.types.Object]:
    """Return avatars with the other display type."""
    return [
        candidate
        for candidate in bpy.data.objects
        if candidate.hmtalker.is_avatar
        and candidate.display_type in (card.OUTLINE, card.CARD)
        and candidate.display_type != kind
        and candidate.is_editable
        and card.is_card(candidate)
    ]
