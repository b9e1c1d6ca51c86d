# SPDX-License-Identifier: GPL-3.0-or-later
"""The ablation row "3dmm": coefficients of a linear face model, fitted to the landmarks, instead of measured units.

The model is the generic face whose shapes are the Action Units' (``filmed_motion.generic_shapes``), so its coefficients
are intensities, and everything else stays as it is. Unlike the measured units they know nothing of how the person's own
face moves. Only the lower face's are replaced: landmarks tell too little of lids and brows.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .. import action_units
from .action_unit_smoothing import with_action_units
from .dataset import Dataset
from .filmed_motion import generic_shapes
from .tracked_face import load_tracked_face

RIDGE = 2.0e-5
"""Square metres per squared intensity: some 0.2 mm of each landmark, as much as a tracker is sure of."""


def fit_coefficients(way: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """way: [T,478,3] metres from rest, NaN rows where there is no face. shapes: [C,478,3] metres per intensity 1.

    Returns float32 [T,C] >= 0, the ridge solution; NaN where there is no face.
    """
    from scipy.optimize import nnls

    flat = shapes.reshape(len(shapes), -1).astype(np.float64)
    factor = np.linalg.cholesky(flat @ flat.T + RIDGE * np.eye(len(flat)))
    targets = np.linalg.solve(factor, flat @ way.reshape(len(way), -1).T.astype(np.float64)).T
    rows = [
        nnls(factor.T, target)[0] if np.isfinite(target).all() else np.full(len(flat), np.nan) for target in targets
    ]
    return np.asarray(rows, np.float32).reshape(len(way), len(flat))


def with_face_model_cue(folder: Path, dataset: Dataset) -> Dataset:
    """`dataset` with the face model's coefficients for the lower face's units; frames without a face keep theirs.

    folder: the dataset's. Raises DatasetError where its landmarks are missing.
    """
    tracked = load_tracked_face(folder)
    units = dataset.performance.action_units.copy()
    usual = units.sum(1)
    rest = tracked.usable & (usual <= np.percentile(usual[tracked.usable], 5))
    way = tracked.way - np.nanmedian(tracked.way[rest], axis=0)
    fitted = fit_coefficients(way, generic_shapes())[:, : units.shape[1]]
    seen = np.isfinite(fitted).all(1)
    lower = list(action_units.LOWER_INDEX)
    units[np.ix_(seen, lower)] = action_units.clip(fitted)[np.ix_(seen, lower)]
    return with_action_units(dataset, units)
