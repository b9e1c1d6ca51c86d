# SPDX-License-Identifier: GPL-3.0-or-later
"""*Train Avatar ▸ Training*: from a training set to an avatar, with what is missing, where it stands, how it looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..hmtalker_blender import engine_environment, train_job, training_picture
from ..operators.add_avatar import HMT_OT_add_avatar
from ..operators.recall_training import HMT_OT_recall_training
from ..operators.train import HMT_OT_train
from . import sections
from .sidebar_panel import SidebarPanel
from .train_panel import HMT_PT_train

if TYPE_CHECKING:
    from pathlib import Path

    from ..hmtalker_blender.training_properties import HMT_PG_training

ICON_UNIT = 20.0
"""Pixels of an icon of scale 1, at interface scale 1."""
LARGEST_ICON = 16.0


class HMT_PT_training(SidebarPanel, bpy.types.Panel):
    """From a training set to an avatar"""

    bl_idname = "HMT_PT_training"
    bl_label = "Training"
    bl_parent_id = HMT_PT_train.bl_idname

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = context.scene.hmtalker.training
        job = train_job.running()
        _draw_settings(layout, settings, enabled=job is None)
        if job is not None:
            sections.draw_progress(layout, context, job)
            if job.losses:
                sections.draw_sentence(layout, context, job.losses, "BLANK1")
            _draw_picture(layout, context, job.picture)
            return
        told = {engine_environment.status(context).reason}  # stands above, in the panel around this one
        sections.draw_button(layout, context, HMT_OT_train, "RENDER_ANIMATION", told=told)
        if settings.last_error:
            sections.draw_sentence(layout.box(), context, settings.last_error, "ERROR")
        output, stopped = train_job.output_file(settings), train_job.unfinished_text(context)
        if stopped:
            sections.draw_sentence(layout, context, stopped, "INFO")
            if not settings.consent.given and not HMT_OT_recall_training.disabled_reason(context):
                layout.operator(HMT_OT_recall_training.bl_idname, icon="FILE_REFRESH")
        elif output is not None and output.is_file():
            _draw_avatar(layout, context, settings, output)
        if output is not None:
            _draw_picture(layout, context, train_job.picture(settings))


def _draw_settings(layout: bpy.types.UILayout, settings: HMT_PG_training, enabled: bool) -> None:
    column = layout.column(align=True)
    column.enabled = enabled
    for name in ("preset", "units", "name", "output", "licence", "attribution"):
        column.prop(settings, name)
    box = layout.box()
    box.enabled = enabled
    box.label(text="Consent", icon="USER")
    column = box.column(align=True)
    for name in ("person", "statement", "date", "recorded_by"):
        column.prop(settings.consent, name, placeholder="2026-01-31" if name == "date" else "")
    row = box.row()
    row.use_property_split = False
    row.prop(settings.consent, "given")


def _draw_avatar(
    layout: bpy.types.UILayout, context: bpy.types.Context, settings: HMT_PG_training, output: Path
) -> None:
    box = layout.box()
    sections.draw_sentence(box, context, f"{output.name} is ready", "CHECKMARK")
    row = box.row()
    row.enabled = not HMT_OT_add_avatar.disabled_reason(context)
    button = row.operator(HMT_OT_add_avatar.bl_idname, text="Add Avatar", icon="USER")
    button.filepath = train_job.with_suffix(settings.output.strip())


def _draw_picture(layout: bpy.types.UILayout, context: bpy.types.Context, path: Path | None) -> None:
    """The avatar as it is now, and the film, as large as the sidebar is wide."""
    found = training_picture.icons(path) if path is not None else None
    if found is None:
        return
    width = context.region.width if context.region is not None else 300
    scale = context.preferences.system.ui_scale or 1.0
    size = min(LARGEST_ICON, max(4.0, (width / scale - 60.0) / ICON_UNIT / 2))
    row = layout.row(align=True)
    for title, icon in zip(("Avatar", "Film"), found, strict=True):
        column = row.column(align=True)
        column.template_icon(icon_value=icon, scale=size)
        label = column.row()
        label.alignment = "CENTER"
        label.label(text=title)


CLASSES = (HMT_PT_training,)
