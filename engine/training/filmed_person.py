# SPDX-License-Identifier: GPL-3.0-or-later
"""A captured dataset folder -> what the trainer starts from: a surface with its motion, learnt from the footage."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..action_unit_sets import OPENFACE_17
from ..camera import Camera
from .dataset import Dataset
from .filmed_motion import FaceShapes, channels_of, fit_shapes, generic_shapes, with_motion
from .filmed_surface import Reference, choose_reference, filmed_surface
from .frame_store import FrameStore
from .motion_stage import SurfaceMotion
from .mouth_interior import mouth_interior
from .surface import Surface
from .tracked_face import load_tracked_face

LARGEST_SET = 34_000
"""Samples of the surface that may become Gaussians; larger frames are sampled more coarsely."""
MOUTH_SAMPLES = 4000


def is_filmed(folder: Path) -> bool:
    """Whether a dataset comes from ``hmtalker capture``, and not with a surface of its own."""
    return (folder / "head.npz").is_file() and not (folder / "surface.npz").is_file()


def filmed_person(folder: Path, dataset: Dataset, seed: int = 0) -> SurfaceMotion:
    """Surface and motion of the person in `folder`. Raises :class:`DatasetError` for a folder that lacks something."""
    tracked = load_tracked_face(folder)
    performance = dataset.performance
    units, names = performance.units, channels_of(performance.units)
    if units is OPENFACE_17:
        channels = np.concatenate([performance.action_units, performance.rounding], 1)
    else:
        channels = units.pulls(performance.action_units, units.muscles)
    usable = tracked.usable & tracked.training
    shapes = fit_shapes(tracked.way, channels, usable, tracked.mesh, generic_shapes(names), names)
    row = choose_reference(performance.head, performance.action_units, np.flatnonzero(usable))
    surface = _surface(folder, row, performance.head[row], shapes, dataset.camera, dataset.pivot)
    details = np.concatenate([np.zeros((len(channels), len(names)), np.float32), shapes.detail_weights], 1)

    def weights(values: np.ndarray, pucker: np.ndarray, funnel: np.ndarray) -> np.ndarray:
        if units is OPENFACE_17:
            known = np.concatenate([values, pucker[:, None], funnel[:, None]], 1)
        else:
            known = units.pulls(values, units.muscles)
        return np.pad(known, ((0, 0), (0, shapes.details.shape[0])))

    return SurfaceMotion(surface, mouth_interior(shapes, MOUTH_SAMPLES, seed), weights, details)


def _surface(
    folder: Path, row: int, head: np.ndarray, shapes: FaceShapes, camera: Camera, pivot: np.ndarray
) -> Surface:
    name = f"{row:06d}.png"
    rgba = FrameStore([folder / "frames" / name], 4)[0]
    masks = FrameStore([folder / "masks" / name], 3)[0]
    covered = int((rgba[..., 3] > 127).sum())
    stride = max(1, round(np.sqrt(covered / LARGEST_SET)))
    start = filmed_surface(Reference(rgba, masks, head), shapes.mesh, camera, pivot, stride)
    return with_motion(
        start.positions, start.normals, start.areas, start.regions, start.head_weights, start.colors, shapes
    )
