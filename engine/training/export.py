# SPDX-License-Identifier: GPL-3.0-or-later
"""What was learned -> an avatar file's content: Gaussians, motion weights, statistics, rest pose."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import action_units
from ..action_unit_sets import ActionUnitSet
from ..avatar import Avatar
from ..avatar.header import STATISTICS
from ..motion.model import MotionModel
from .dataset import Dataset, Performance
from .parameters import GaussianParameters
from .speech_stage import hear_clip

TEMPLATE_FRAMES = 500
"""20 s, some 60 kB of the file."""
REST_MAXIMUM = 0.15
"""AU25 and AU26 below this, the mouth counts as resting."""


def action_unit_statistics(values: np.ndarray, units: ActionUnitSet) -> dict[str, dict[str, float]]:
    """values [T,n] -> per code p05, p50, p95, p99, max: what sliders call ordinary."""
    result = {}
    for column, code in enumerate(units.codes):
        row = np.percentile(values[:, column], (5, 50, 95, 99, 100))
        result[code] = {name: round(float(value), 3) for name, value in zip(STATISTICS, row, strict=True)}
    return result


def resting_implicit(model: MotionModel, dataset: Dataset) -> np.ndarray:
    """[32] mean implicit feature of training frames whose mouth rests; what silence sounds like to the face."""
    performance, found = dataset.performance, []
    jaw = [action_units.CODES.index("AU25"), action_units.CODES.index("AU26")]
    for clip in np.flatnonzero(performance.train_clip):
        rows = performance.frames_of(int(clip))
        implicit, _ = hear_clip(model, performance.speech[int(clip)][0], len(rows))
        found.append(implicit[(performance.action_units[rows][:, jaw] < REST_MAXIMUM).all(1)])
    resting = np.concatenate(found)
    return resting.mean(0) if len(resting) else np.zeros(32, np.float32)


def template_motion(performance: Performance) -> dict[str, Any]:
    """Head and upper face of the longest clip that was trained on, at most TEMPLATE_FRAMES of it."""
    clips = [performance.frames_of(int(clip)) for clip in np.flatnonzero(performance.train_clip)]
    rows = max(clips, key=len)[:TEMPLATE_FRAMES]
    upper = performance.units.pulls(performance.action_units[rows], performance.units.upper)
    return {
        "fps": 25,
        "head": [[round(float(value), 5) for value in row] for row in performance.head[rows]],
        "upper": [[round(float(value), 3) for value in row] for row in upper],
    }


def build_avatar(
    model: MotionModel,
    face: GaussianParameters,
    mouth: GaussianParameters,
    dataset: Dataset,
    header: dict[str, Any],
) -> Avatar:
    """header: name, licence, attribution, consent, encoder, training, metrics, thumbnail; the rest is added here."""
    camera = dataset.camera
    full = {
        "au_codes": list(model.config.units.codes),
        "au_statistics": action_unit_statistics(dataset.performance.action_units, model.config.units),
        "camera": {
            "width": camera.width,
            "height": camera.height,
            "K": np.asarray(camera.K).tolist(),
            "world_to_camera": np.asarray(camera.world_to_camera).tolist(),
        },
        "pivot": [float(v) for v in dataset.pivot],
        "motion": model.config.to_dict(),
        "template": template_motion(dataset.performance),
        "rest": {
            "implicit": [round(float(v), 6) for v in resting_implicit(model, dataset)],
            "action_units": [0.0] * model.config.units.count,
        },
    } | header
    weights = {name: value.detach().numpy().astype(np.float32) for name, value in model.state_dict().items()}
    return Avatar(face=face.gaussian_set(), mouth=mouth.gaussian_set(), motion=weights, header=full)
