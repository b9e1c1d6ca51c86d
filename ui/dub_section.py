# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the Sequencer's sidebar about giving a film a new voice."""

from __future__ import annotations

import bpy

from ..hmtalker_blender import dub_job
from ..operators.dub import HMT_OT_dub
from . import sections


def draw(layout: bpy.types.UILayout, context: bpy.types.Context, scene: bpy.types.Scene, told: set[str]) -> None:
    """Draw it where there is a film."""
    if scene.sequence_editor is None or not any(strip.type == "MOVIE" for strip in scene.sequence_editor.strips_all):
        return
    header, body = layout.panel("hmtalker_dub", default_closed=True)
    header.label(text="Dub")
    if body is None:
        return
    body.use_property_split = True
    film, voice = dub_job.film_strip(scene), dub_job.voice_strip(scene)
    for strip, icon in ((film, "FILE_MOVIE"), (voice, "SPEAKER")):
        if strip is not None:
            body.label(text=strip.name, icon=icon)
    column = body.column(align=True)
    column.prop(scene.hmtalker.dub, "region")
    column.prop(scene.hmtalker.dub, "dataset")
    sections.draw_button(body, context, HMT_OT_dub, "FILE_MOVIE", told=told)
