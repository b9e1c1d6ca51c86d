# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges of frames: in order, the same bits as one by one, and stopped when asked."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba", reason="the CPU rasterizer is compiled by numba")

from hmtalker.errors import CancelledError
from hmtalker.frames.frame_range import AHEAD, render_range
from hmtalker.motion.state import MotionState
from hmtalker.rasterize import Layer
from hmtalker.render import Frame, Renderer

sys.path.insert(0, str(Path(__file__).parent))
from tiny_avatar import make_tiny_avatar


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(make_tiny_avatar(size=64), threads=2)


def states(count=9):
    return [MotionState(np.full(17, 5 * k / count)) for k in range(count)]


def test_a_range_is_its_frames_one_by_one_in_order(renderer):
    frames = list(render_range(renderer, states()))
    assert len(frames) == 9
    for frame, state in zip(frames, states(), strict=True):
        assert isinstance(frame, Frame)
        np.testing.assert_array_equal(frame.rgba, renderer.render(state).rgba)
    pixels = list(render_range(renderer, states(), renderer.avatar.camera.scaled(40, 30), encoded=True))
    assert pixels[3].shape == (30, 40, 4)
    assert pixels[3].dtype == np.uint8


def test_no_frames_are_no_frames(renderer):
    assert list(render_range(renderer, [])) == []


def test_states_are_taken_as_they_are_needed(renderer):
    taken = 0

    def counted():
        nonlocal taken
        for state in states(50):
            taken += 1
            yield state

    pictures = render_range(renderer, counted())
    next(pictures)
    assert taken == AHEAD * renderer.threads
    pictures.close()
    assert taken == AHEAD * renderer.threads


def test_cancelling_ends_the_range_with_what_is_finished(renderer):
    finished = []
    pictures = render_range(renderer, states(40), cancelled=lambda: len(finished) >= 3)
    with pytest.raises(CancelledError):
        finished.extend(pictures)
    assert len(finished) == 3
    np.testing.assert_array_equal(finished[2].rgba, renderer.render(states(40)[2]).rgba)


def test_what_a_frame_raises_is_raised_here(renderer):
    class Broken:
        name = "broken"

        def render(self, splats, camera, background=(0, 0, 0), depth=True) -> Layer:
            raise RuntimeError("no light")

    with pytest.raises(RuntimeError, match="no light"):
        list(render_range(Renderer(renderer.avatar, Broken(), threads=2), states(5)))
