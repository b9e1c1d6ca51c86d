# SPDX-License-Identifier: GPL-3.0-or-later
"""What an avatar is inside Blender: properties, scene objects, F-curves, strips, preferences."""

from __future__ import annotations

from . import (
    avatar_object,
    capture_report,
    command_line,
    engine_environment,
    kernel_preparation,
    live_face,
    point_cloud,
    preferences,
    properties,
    render_engine,
    renderers,
    speakers,
    strip_following,
    synthetic_marks,
    takes,
    training_picture,
    viewport_face,
)

CLASSES = (*preferences.CLASSES, *properties.CLASSES, *speakers.CLASSES, *render_engine.CLASSES)


def attach_properties() -> None:
    """Put the property groups on objects and scenes, and watch strips, frames and viewports."""
    properties.attach()
    speakers.attach()
    strip_following.attach()
    render_engine.attach()
    live_face.attach()
    viewport_face.attach()
    point_cloud.attach()
    synthetic_marks.attach()
    command_line.attach()


def detach_properties() -> None:
    """Take all of it back."""
    command_line.detach()
    synthetic_marks.detach()
    point_cloud.detach()
    viewport_face.detach()
    live_face.detach()
    render_engine.detach()
    strip_following.detach()
    speakers.detach()
    properties.detach()


def forget_loaded_data() -> None:
    """Drop avatars, takes, reports and pictures kept in memory; they are read again when needed."""
    avatar_object.forget_loaded()
    capture_report.forget()
    engine_environment.forget()
    kernel_preparation.forget()
    renderers.forget()
    takes.forget_decoded()
    training_picture.forget()
