# SPDX-License-Identifier: GPL-3.0-or-later
"""On a real card: the picture of the portable engine. Skipped, with the reason in words, where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba", reason="the portable engine is compiled by numba")

from hmtalker.avatar import load_avatar
from hmtalker.errors import RenderError
from hmtalker.head_pose import HeadPose
from hmtalker.motion.state import MotionState
from hmtalker.rasterize.cuda.renderer import CudaRenderer
from hmtalker.render import Renderer

BUNDLED = Path(__file__).resolve().parents[2] / "assets" / "bundled_avatar.hmt"
STATES = [
    MotionState.rest(),
    MotionState(np.linspace(0, 4, 17), np.sin(np.arange(32.0)), 0.7, HeadPose((0.1, -0.3, 0.05), (0.01, 0.0, 0.02))),
    MotionState(np.full(17, 5.0), head=HeadPose((-0.4, 0.5, 0.3)), body=np.array([0.02, -0.01, 0.0])),
]


@pytest.fixture(scope="module")
def renderers():
    avatar = load_avatar(BUNDLED)
    try:
        cuda = CudaRenderer(avatar)
    except RenderError as reason:
        pytest.skip(str(reason))
    portable = Renderer(avatar)
    yield cuda, portable
    cuda.close()
    portable.close()


@pytest.mark.parametrize("state", STATES, ids=["rest", "speaking", "extreme"])
def test_the_picture_is_that_of_the_portable_engine(renderers, state):
    cuda, portable = renderers
    frame, expected = cuda.render(state), portable.render(state)
    error = np.abs(frame.rgba - expected.rgba).max(-1)
    assert (error > 2e-4).mean() <= 0.002
    assert error.max() < 2e-2
    levels = np.abs(cuda.render_srgb8(state).astype(int) - portable.render_srgb8(state))
    assert (levels > 1).mean() < 0.002


def test_frames_drawn_together_and_again_are_the_same_bits(renderers):
    cuda, _ = renderers
    alone = [cuda.render_srgb8(state) for state in STATES]
    for _ in range(3):
        np.testing.assert_array_equal(cuda.render_many_srgb8(STATES), np.stack(alone))
