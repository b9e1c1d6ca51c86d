# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing of an avatar reaches far beyond the frame that it was filmed in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from test_training_branches import person  # noqa: F401

from hmtalker.avatar import load_avatar
from hmtalker.camera import Camera
from hmtalker.gaussians.gaussian_set import GaussianSet
from hmtalker.motion.config import MotionConfig
from hmtalker.training.densify import GradientStatistics, densify_and_prune
from hmtalker.training.frame_edge import MOST, within_frame
from hmtalker.training.parameters import GaussianParameters, inverse_softplus
from hmtalker.training.presets import SMOKE
from hmtalker.training.schedules import NEVER
from hmtalker.training.trainer import Trainer

BUNDLED = Path(__file__).resolve().parents[2] / "assets" / "bundled_avatar.hmt"
CAMERA = Camera.in_front(200, 100, 1.0, 0.1)
"""A millimetre is as many pixels everywhere on the plane z = 0."""
MILLIMETRE = float(CAMERA.K[0, 0]) * 1e-3 / 1.0
EDGE = 100 / MILLIMETRE * 1e-3
"""Metres from the middle to the left and the right edge."""
TURNED = (np.cos(np.pi / 4), 0, 0, np.sin(np.pi / 4))
"""About the axis of the view, by 90 degrees."""


def gaussians(*rows):
    """Each (x metres, scales in metres, quaternion)."""
    places, scales, quaternions = (np.array(values, np.float32) for values in zip(*rows, strict=True))
    return GaussianParameters(
        GaussianSet(
            means=np.stack([places, 0 * places, 0 * places], 1),
            raw_scales=inverse_softplus(scales).astype(np.float32),
            quaternions=quaternions,
            raw_opacities=np.full(len(places), 2, np.float32),
            sh=np.zeros((len(places), 1, 3), np.float32),
            head_weights=np.ones(len(places), np.float32),
        )
    )


def test_a_gaussian_may_reach_a_little_beyond_the_frame_and_no_further():
    assert MOST == 0.04
    room = MOST * 2 * EDGE  # the frame's longer side is its width
    small, upright = (0.0005,) * 3, (1, 0, 0, 0)
    parameters = gaussians(
        (0.0, small, upright),
        (EDGE + room - 0.0015, small, upright),
        (EDGE + room + 0.0015, small, upright),
        (-EDGE - room - 0.0015, small, upright),
        (EDGE - 0.001, (0.0005, room, 0.0005), upright),  # long along the edge, whose other sides are near
        (EDGE - 0.001, (room, 0.0005, 0.0005), upright),
        (EDGE - 0.001, (0.0005, room, 0.0005), TURNED),
        (0.0, (EDGE, 0.0005, 0.0005), upright),  # from one side to the other
    )
    tall = room * 2 <= EDGE / 2
    assert within_frame(parameters, CAMERA).tolist() == [True, True, False, False, tall, False, False, False]


def test_what_is_not_allowed_is_dropped_when_others_are_pruned():
    parameters = gaussians(*[(0.001 * k, (0.0005,) * 3, (1, 0, 0, 0)) for k in range(4)])
    optimiser = torch.optim.Adam(parameters.groups(1e-4))
    statistics = GradientStatistics(4)
    statistics.seen += 1
    allowed = torch.tensor([True, False, True, True])
    densify_and_prune(parameters, optimiser, statistics, 1.0, 0.1, 10, torch.Generator(), allowed=allowed)
    np.testing.assert_allclose(parameters.means[:, 0].detach(), [0, 0.002, 0.003], atol=1e-7)


def test_what_has_grown_out_of_the_frame_is_gone_when_the_face_is_finished(person, tmp_path):  # noqa: F811
    dataset, surface = person
    preset = replace(SMOKE, face=replace(SMOKE.face, iterations=2, densify_from=NEVER))
    trainer = Trainer(dataset, preset, surface, MotionConfig(feature_dimension=8), tmp_path, 1)
    face, (stage, _) = trainer.trained.face, trainer._face()
    count = face.count
    with torch.no_grad():
        face.raw_scales[7] = 1.0  # more than a metre
    stage.step()
    assert face.count == count
    stage.step()
    assert face.count == count - 1
    assert face.raw_scales.max() < 1.0


def test_the_avatar_in_the_box_ends_at_its_frame():
    avatar = load_avatar(BUNDLED)
    assert within_frame(GaussianParameters(avatar.face), avatar.camera).all()
