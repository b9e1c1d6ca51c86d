# SPDX-License-Identifier: GPL-3.0-or-later
"""An avatar as the kernels read it: what no frame changes, and the row of numbers that each frame brings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ...gaussians.posing import common_row
from ...gaussians.rest_rows import rest_rows
from ..projection import camera_vector
from . import layout

if TYPE_CHECKING:
    from ...avatar import Avatar
    from ...camera import Camera
    from ...motion.folded_field import FoldedField
    from ...motion.portable import PortableMotion
    from ...motion.state import MotionState


def avatar_arrays(avatar: Avatar, motion: PortableMotion) -> dict[str, np.ndarray]:
    """Flat arrays for the buffers of layout.POINTERS that belong to the avatar."""
    face, mouth = motion.face, motion.mouth
    return {
        "face_weights": np.concatenate([face.condition.T.ravel(), _last_layers(avatar.motion, "face_field", face)]),
        "mouth_weights": _last_layers(avatar.motion, "mouth_field", mouth),
        "face_constants": face.constants,
        "mouth_constants": mouth.constants,
        "face_rest": rest_rows(avatar.face, face.order),
        "mouth_rest": rest_rows(avatar.mouth, mouth.order),
        "order": np.concatenate([face.order, mouth.order + face.count]).astype(np.int32),
    }


def drive_row(avatar: Avatar, motion: PortableMotion, state: MotionState, camera: Camera) -> np.ndarray:
    """float32 [DRIVE]: everything about one frame, in the order of layout.DRIVE_FACE and those after it."""
    lower, upper, mouth = motion.conditions(state)
    head = state.head
    common = common_row(head.matrix(), head.translation, avatar.pivot, camera.position, state.body)
    row = np.concatenate([upper, lower, motion.mouth.condition @ mouth, common, camera_vector(camera)])
    assert row.shape == (layout.DRIVE,)
    return row.astype(np.float32)


def _last_layers(weights: Mapping[str, np.ndarray], field: str, folded: FoldedField) -> np.ndarray:
    """Second layer [unit, input]; third [unit, output] with the outputs' scale in it."""
    second, third = (weights[f"{field}.deformation.{layer}.weight"] for layer in (1, 2))
    return np.concatenate([second.ravel(), (third * folded.scale[:, None]).T.ravel()]).astype(np.float32)
