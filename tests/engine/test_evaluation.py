# SPDX-License-Identifier: GPL-3.0-or-later
"""Scores of held-out frames."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tiny_avatar import make_tiny_avatar

from hmtalker.evaluation.held_out import compare, means, on_grey, psnr
from hmtalker.head_pose import HeadPose
from hmtalker.motion.state import MotionState
from hmtalker.render import Renderer
from hmtalker.training.dataset import Performance, Pictures


def test_psnr_of_a_known_error():
    truth = np.zeros((4, 4, 3))
    assert psnr(truth + 0.1, truth) == pytest.approx(20.0)


def test_psnr_looks_only_at_the_mask():
    truth = np.zeros((4, 4, 3))
    image = truth.copy()
    image[0, 0] = 1.0
    mask = np.ones((4, 4), bool)
    mask[0, 0] = False
    assert psnr(image, truth, mask) > 100 > psnr(image, truth)
    assert math.isnan(psnr(image, truth, np.zeros((4, 4), bool)))


def test_transparent_pixels_are_grey():
    assert on_grey(np.zeros((1, 1, 4), np.uint8)).ravel() == pytest.approx([0.5] * 3)


@pytest.fixture(scope="module")
def scored():
    """Frames that the avatar rendered itself, driven by its own Action Units."""
    avatar = make_tiny_avatar("hmtalker")
    rng = np.random.default_rng(0)
    dimension = avatar.motion_config.feature_dimension
    speech = rng.standard_normal((1, 12, dimension)).astype(np.float16)
    renderer = Renderer(avatar, threads=1)
    implicit = renderer.motion.implicit(speech[0].astype(np.float32), 25.0, 6)
    units = rng.uniform(0, 3, (6, 17)).astype(np.float32)
    head = np.zeros((6, 6), np.float32)
    rgba = np.stack(
        [renderer.render_srgb8(MotionState(units[i], implicit[i], 1.0, HeadPose.from_array(head[i]))) for i in range(6)]
    )
    size = rgba.shape[1]
    masks = np.full((6, size, size, 3), 255, np.uint8)
    pictures = Pictures(
        rgba,
        masks,
        units,
        head,
        np.array([0, 0, -1, 0, 0, 0]),  # the one without a voice is no test of the voice
        np.arange(6),
        np.arange(6) >= 2,
        np.tile([0, 0, size, size], (6, 1)),
        np.arange(6) % 2 == 1,
    )
    performance = Performance(
        units,
        head,
        np.zeros(6, int),
        np.arange(6),
        np.array([False]),
        [speech],
        np.zeros((6, 2), np.float32),
        np.zeros((6, 0), np.float32),
    )
    return compare(avatar, pictures, performance)


def test_only_test_frames_are_compared(scored):
    assert [result.frame for result in scored] == [3, 4, 5]


def test_own_frames_come_back_exactly_and_audio_alone_does_not(scored):
    table = means(scored)
    assert table["action_units_face_psnr"] > 60
    assert table["audio_face_psnr"] < table["action_units_face_psnr"]


def test_whole_frame_scores_come_from_whole_frames(scored):
    assert [("action_units_psnr" in result.scores) for result in scored] == [True, False, True]
