# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a performance as Live Link Face does, for programs that read its tables."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ...atomic_file import write_atomically
from .arkit_action_units import ARKIT_NAMES, action_units_to_arkit
from .arkit_gaze import add_gaze
from .livelink_csv import HEAD_SIGNS, SOURCE_FPS

ORDER: tuple[str, ...] = tuple(
    """
    eyeBlinkLeft eyeLookDownLeft eyeLookInLeft eyeLookOutLeft eyeLookUpLeft eyeSquintLeft eyeWideLeft eyeBlinkRight
    eyeLookDownRight eyeLookInRight eyeLookOutRight eyeLookUpRight eyeSquintRight eyeWideRight jawForward jawRight
    jawLeft jawOpen mouthClose mouthFunnel mouthPucker mouthRight mouthLeft mouthSmileLeft mouthSmileRight
    mouthFrownLeft mouthFrownRight mouthDimpleLeft mouthDimpleRight mouthStretchLeft mouthStretchRight mouthRollLower
    mouthRollUpper mouthShrugLower mouthShrugUpper mouthPressLeft mouthPressRight mouthLowerDownLeft mouthLowerDownRight
    mouthUpperUpLeft mouthUpperUpRight browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff
    cheekSquintLeft cheekSquintRight noseSneerLeft noseSneerRight tongueOut
    """.split()  # noqa: SIM905
)
"""The 52 shapes in the order of the app's columns."""
ROTATIONS = (
    "HeadYaw", "HeadPitch", "HeadRoll",
    "LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll", "RightEyeYaw", "RightEyePitch", "RightEyeRoll",
)  # fmt: skip


def write_livelink(path: str | Path, action_units: np.ndarray, head: np.ndarray, gaze: np.ndarray, fps: float) -> None:
    """Write a table of 61 columns beside the timecode and their count.

    action_units: [T,17] 0..5. head: [T,6] pitch, yaw, roll, x, y, z (only the rotation is written). gaze: [T,2] to the
    image's right and down, radians. Raises OSError.
    """
    weights = add_gaze(action_units_to_arkit(action_units), gaze)
    columns = [ARKIT_NAMES.index(name) for name in ORDER]
    pitch, yaw, roll = (np.asarray(head, np.float64)[:, k] * HEAD_SIGNS[k] for k in range(3))
    eyes = np.asarray(gaze, np.float64)
    none = np.zeros(len(weights))
    rotations = [yaw, pitch, roll, *2 * (eyes[:, 0], eyes[:, 1], none)]
    rows = np.column_stack([weights[:, columns], *rotations])
    names = [name[0].upper() + name[1:] for name in ORDER] + list(ROTATIONS)
    lines = [",".join(["Timecode", "BlendshapeCount", *names])]
    for index, row in enumerate(rows):
        lines.append(",".join([_timecode(index, fps), str(len(names)), *(f"{value:.9f}" for value in row)]))
    write_atomically(Path(path), [("\n".join(lines) + "\n").encode("utf-8")])


def _timecode(frame: int, fps: float) -> str:
    """Hours, minutes, seconds, and the place within the second counted in the app's own frames, with its fraction.

    The app's count whatever the rate: a short table does not show how many frames its seconds have.
    """
    count = max(SOURCE_FPS, math.ceil(fps - 1e-6))
    seconds, part = divmod(frame / fps, 1.0)
    place = part * count
    if place > count - 5e-4:  # rounds up to the next second
        seconds, place = seconds + 1, 0.0
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}:{place:06.3f}"
