# SPDX-License-Identifier: GPL-3.0-or-later
"""What an avatar does over a range of frames, all layers, drivers and the NLA included, for faces and programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import bpy
import numpy as np

from . import avatar_units


@dataclass
class Rows:
    """A performance as a table, filled a frame at a time."""

    units: list[list[float]] = field(default_factory=list)
    head: list[list[float]] = field(default_factory=list)
    gaze: list[list[float]] = field(default_factory=list)

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """float32 [T,17] Action Units, or [T,47] where more are in use, [T,6] head and [T,2] gaze, as in a take."""
        units, head, gaze = (np.array(rows, np.float32) for rows in (self.units, self.head, self.gaze))
        return avatar_units.narrowed(units), head, gaze


def collect(scene: bpy.types.Scene, avatar_object: bpy.types.Object, frames: range, rows: Rows) -> Iterator[float]:
    """Fill `rows` frame by frame, yielding the share that is done; the scene is put back where it was. Main thread."""
    before = scene.frame_current, scene.frame_subframe
    layer = next((layer for layer in scene.view_layers if avatar_object.name in layer.objects), scene.view_layers[0])
    avatar_object.update_tag()  # an action that a script has just made is not seen by the dependency graph otherwise
    try:
        for number, frame in enumerate(frames):
            scene.frame_set(frame)
            values = avatar_object.evaluated_get(layer.depsgraph).hmtalker
            rows.units.append(avatar_units.row(values))
            rows.head.append([*values.head_rotation, *values.head_translation])
            rows.gaze.append(list(values.gaze))
            yield (number + 1) / len(frames)
    finally:
        scene.frame_set(before[0], subframe=before[1])
