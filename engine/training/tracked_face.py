# SPDX-License-Identifier: GPL-3.0-or-later
"""What a capture has followed on a person's face, frame by frame, with the head's own motion taken out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .dataset import DatasetError, load_table
from .filmed_motion import way_from_mesh


@dataclass(frozen=True)
class TrackedFace:
    """All frames of a capture, T."""

    mesh: np.ndarray
    """float64 [478,3] metres."""
    way: np.ndarray
    """float32 [T,478,3] metres of the landmarks from the mesh; NaN rows without a face."""
    usable: np.ndarray
    """bool [T]"""
    training: np.ndarray
    """bool [T]"""


def load_tracked_face(folder: Path) -> TrackedFace:
    """Read it from the dataset `folder`. Raises :class:`DatasetError` for one that lacks something."""
    performance, mesh = load_table(folder, "performance"), load_table(folder, "face").get("mesh")
    rotations = load_table(folder, "head").get("rotations")
    if mesh is None or rotations is None or "usable" not in performance:
        raise DatasetError(f"'{folder}' is not a finished capture; run the capture to its end.")
    mesh = mesh.astype(np.float64)
    try:
        landmarks = [np.load(folder / "landmarks" / f"{name}.npy") for name in performance["clips"]]
        way = way_from_mesh(np.concatenate(landmarks), rotations, mesh).astype(np.float32)
    except (OSError, ValueError) as error:
        raise DatasetError(f"'{folder}' is not a finished capture ({error}); run the capture to its end.") from error
    return TrackedFace(mesh, way, performance["usable"], performance["training"])
