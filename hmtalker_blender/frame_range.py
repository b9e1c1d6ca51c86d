# SPDX-License-Identifier: GPL-3.0-or-later
"""Which frames of the Sequencer an avatar is shown over, and what the strip that shows it is called."""

from __future__ import annotations

import bpy

from ..engine.errors import RenderError
from . import sound_strips, versions


def of_strip_or_scene(scene: bpy.types.Scene, speaker: bpy.types.Object, strip_name: str = "") -> tuple[range, str]:
    """Return the frames of the named or active sound strip, or of the scene where there is none, and a label.

    Raises AudioError, RenderError.
    """
    if not strip_name and sound_strips.active(scene) is None:
        return of_scene(scene, speaker)
    strip = sound_strips.find(scene, strip_name)
    return _some(range(versions.left_handle(strip), versions.right_handle(strip))), f"{speaker.name}: {strip.name}"


def of_scene(scene: bpy.types.Scene, speaker: bpy.types.Object) -> tuple[range, str]:
    """Return the frames of the scene, and a label. Raises RenderError."""
    return _some(range(scene.frame_start, scene.frame_end + 1)), speaker.name


def _some(frames: range) -> range:
    if len(frames) == 0:
        raise RenderError("There are no frames in this range; set the scene's start and end.")
    return frames
