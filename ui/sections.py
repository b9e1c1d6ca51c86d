# SPDX-License-Identifier: GPL-3.0-or-later
"""Pieces that both sidebars show: buttons that say why they are grey, progress, and the last problem."""

from __future__ import annotations

import textwrap

import bpy

from ..hmtalker_blender import jobs, kernel_preparation
from ..operators.cancel_job import HMT_OT_cancel_job

CATEGORY = "HM-Talker"
CHARACTERS_PER_UNIT = 0.13
"""How many characters of the interface font fit into one pixel of region width, at scale 1."""
BOX_CHARACTERS = 4
"""How many fewer fit between the edges of a box."""


def draw_button(
    layout: bpy.types.UILayout,
    context: bpy.types.Context,
    operator: type[bpy.types.Operator],
    icon: str,
    text: str = "",
    told: set[str] | None = None,
) -> None:
    """Draw an operator's button; where it cannot be pressed, the reason stands under it unless it is in `told`."""
    reason = operator.disabled_reason(context)  # type: ignore[attr-defined]
    row = layout.row()
    row.enabled = not reason
    row.operator(operator.bl_idname, icon=icon, text=text or operator.bl_label)
    told = set() if told is None else told
    if reason and reason not in told and not jobs.busy_reason():
        told.add(reason)
        draw_sentence(layout, context, reason, "INFO")


def draw_jobs(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw all that is under way, with a way to stop it."""
    if (preparing := kernel_preparation.progress()) is not None:
        fraction, sentence = preparing
        layout.progress(factor=fraction, text=f"{fraction:.0%}")
        draw_sentence(layout, context, sentence, "SORTTIME")
    for job in jobs.running:
        layout.label(text=job.title)
        draw_progress(layout, context, job)


def draw_progress(layout: bpy.types.UILayout, context: bpy.types.Context, job: jobs.Job) -> None:
    """Draw how far a job is, a way to stop it, and what it does, which is longer than a bar is wide."""
    row = layout.row(align=True)
    row.progress(factor=job.fraction, text=f"{job.fraction:.0%}")
    row.operator(HMT_OT_cancel_job.bl_idname, text="", icon="CANCEL").title = job.title
    draw_sentence(layout, context, job.status, "SORTTIME")


def draw_problem(layout: bpy.types.UILayout, context: bpy.types.Context, owner: bpy.types.ID | None) -> None:
    """Draw what went wrong with this object or scene last time."""
    if owner is not None and owner.hmtalker.last_error:
        draw_sentence(layout.box(), context, owner.hmtalker.last_error, "ERROR")


def draw_sentence(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str) -> None:
    """Draw a sentence over as many lines as the sidebar is narrow."""
    width = context.region.width if context.region is not None else 300
    scale = context.preferences.system.ui_scale or 1.0
    column = layout.column(align=True)
    column.scale_y = 0.8
    fitting = int(width / scale * CHARACTERS_PER_UNIT) - BOX_CHARACTERS
    for number, line in enumerate(textwrap.wrap(text, max(20, fitting))):
        column.label(text=line, icon=icon if number == 0 else "BLANK1")
