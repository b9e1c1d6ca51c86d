# SPDX-License-Identifier: GPL-3.0-or-later
"""*Train Avatar* in the 3D View's sidebar: the environment, the videos, Capture, and what its report says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..hmtalker_blender import capture_job, capture_report, engine_environment
from ..operators.capture import HMT_OT_capture
from ..operators.choose_videos import HMT_OT_add_videos, HMT_OT_remove_video
from ..operators.open_report import HMT_OT_open_report
from ..operators.training_environment import HMT_OT_check_environment, HMT_OT_copy_install_command
from . import sections
from .sidebar_panel import SidebarPanel

if TYPE_CHECKING:
    from ..hmtalker_blender.properties import HMT_PG_capture, HMT_PG_video

SHOWN_FINDINGS = 6
"""More than these are left to the report itself."""


class HMT_UL_videos(bpy.types.UIList):
    """The videos to capture from"""

    bl_idname = "HMT_UL_videos"

    def draw_item(
        self,
        _context: bpy.types.Context,
        layout: bpy.types.UILayout,
        _data: HMT_PG_capture,
        item: HMT_PG_video,
        _icon: int,
        _active_data: HMT_PG_capture,
        _active_property: str,
    ) -> None:
        layout.label(text=item.name, icon="FILE_MOVIE", translate=False)


class HMT_PT_train(SidebarPanel, bpy.types.Panel):
    """From videos of a person to a training set"""

    bl_idname = "HMT_PT_train"
    bl_label = "Train Avatar"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = context.scene.hmtalker.capture
        told = {_draw_environment(layout, context)}
        row = layout.row()
        row.template_list(HMT_UL_videos.bl_idname, "", settings, "videos", settings, "active_video", rows=3)
        column = row.column(align=True)
        column.operator(HMT_OT_add_videos.bl_idname, text="", icon="ADD")
        column.operator(HMT_OT_remove_video.bl_idname, text="", icon="REMOVE")
        column = layout.column(align=True)
        for name in ("dataset", "matte", "size"):
            column.prop(settings, name)
        job = capture_job.running()
        if job is not None:
            sections.draw_progress(layout, context, job)
            return
        sections.draw_button(layout, context, HMT_OT_capture, "RENDER_ANIMATION", told=told)
        if settings.last_error:
            sections.draw_sentence(layout.box(), context, settings.last_error, "ERROR")
        dataset = capture_job.dataset_folder(settings)
        if dataset is not None:
            if stopped := capture_job.unfinished_text(dataset):
                sections.draw_sentence(layout, context, stopped, "INFO")
            else:  # a report that is there beside an unfinished capture tells of the one before it
                _draw_report(layout, context, capture_report.of(dataset))


def _draw_environment(layout: bpy.types.UILayout, context: bpy.types.Context) -> str:
    """Draw how the training environment is, and where it is not ready, the way to make it; returns what was told."""
    found = engine_environment.status(context)
    text, icon = engine_environment.as_text(found)
    if found.ready:
        sections.draw_sentence(layout, context, text, icon)
        return ""
    box = layout.box()
    sections.draw_sentence(box, context, text, icon)
    if found.reason:
        row = box.row(align=True)
        row.operator(HMT_OT_copy_install_command.bl_idname, icon="COPYDOWN")
        row.operator(HMT_OT_check_environment.bl_idname, text="", icon="FILE_REFRESH")
    return found.reason


def _draw_report(layout: bpy.types.UILayout, context: bpy.types.Context, report: capture_report.Report | None) -> None:
    if report is None:
        return
    header, box = layout.panel("hmtalker_capture_report")  # folds away: Training stands below it
    header.label(text="Report", icon=report.icon)
    if box is None:
        return
    sections.draw_sentence(box, context, report.verdict or "The training set is ready", report.icon)
    if report.footage:
        sections.draw_sentence(box, context, report.footage, "BLANK1")
    for line in report.lines[:SHOWN_FINDINGS]:
        column = box.column(align=True)
        sections.draw_sentence(column, context, line.title, line.icon)
        sections.draw_sentence(column, context, line.remedy, "BLANK1")
    if len(report.lines) > SHOWN_FINDINGS:
        box.label(text=f"{len(report.lines) - SHOWN_FINDINGS} more in the report", icon="BLANK1")
    box.operator(HMT_OT_open_report.bl_idname, icon="URL")


CLASSES = (HMT_UL_videos, HMT_PT_train)
