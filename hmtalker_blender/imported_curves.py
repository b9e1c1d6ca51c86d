# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of other trackers as takes. Nobody speaks in them: the face runs on Action Units alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from . import avatar_object

if TYPE_CHECKING:
    from ..engine.capture.curves.curves import Curves
    from ..engine.take import Take


class Imported(NamedTuple):
    """A performance out of a file."""

    name: str
    take: Take
    data: bytes


def read(path: Path, fps: float, with_head: bool, avatar_path: Path) -> Imported:
    """Read a table of OpenFace, or of ARKit's shapes. Any thread.

    fps: that Live Link Face's rows are brought to. Raises CurvesError, AvatarError.
    """
    from ..engine.action_unit_sets import as_controls
    from ..engine.capture.curves.arkit_action_units import to_action_unit_curves
    from ..engine.capture.curves.arkit_gaze import gaze_of
    from ..engine.capture.curves.livelink_csv import read_livelink
    from ..engine.capture.curves.openface_csv import read_openface
    from ..engine.take import Take

    avatar = avatar_object.load(avatar_path).avatar
    gaze: np.ndarray | None = None
    curves: Curves
    if _has_action_units(path):
        curves = read_openface(path)
    else:
        shapes = read_livelink(path, fps)
        curves, gaze = to_action_unit_curves(shapes, avatar.units), gaze_of(shapes.values)
    frames = curves.frames
    take = Take(
        fps=curves.fps,
        action_units=as_controls(curves.values, curves.codes, avatar.units),
        implicit=np.tile(avatar.rest_implicit, (frames, 1)),
        head=curves.head if with_head and curves.head is not None else np.zeros((frames, 6), np.float32),
        gaze=np.zeros((frames, 2), np.float32) if gaze is None else gaze,
        seconds=frames / curves.fps,
        settings={"avatar": avatar.name, "rest": [float(unit) for unit in avatar.rest_action_units]},
        warnings=curves.warnings,
    )
    return Imported(path.name, take, take.to_bytes())


def _has_action_units(path: Path) -> bool:
    """Say whether the first line names Action Units as OpenFace does; a file that is no table is told by its reader."""
    try:
        with path.open("rb") as file:
            return b"AU12" in file.readline(1 << 20).replace(b"\0", b"").upper()
    except OSError:
        return False
