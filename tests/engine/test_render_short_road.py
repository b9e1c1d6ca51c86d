# SPDX-License-Identifier: GPL-3.0-or-later
"""The fused road of frames.pipeline draws the picture of the long one, and of the float64 reference."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba", reason="the CPU rasterizer is compiled by numba")

from hmtalker.avatar import Avatar, load_avatar
from hmtalker.colour import to_premultiplied_linear
from hmtalker.head_pose import HeadPose
from hmtalker.motion.state import MotionState
from hmtalker.rasterize.cpu import CpuRasterizer
from hmtalker.render import Renderer

sys.path.insert(0, str(Path(__file__).parent))
from tiny_avatar import make_tiny_avatar

BUNDLED = Path(__file__).resolve().parents[2] / "assets" / "bundled_avatar.hmt"
STATES = [
    MotionState.rest(),
    MotionState(np.linspace(0, 4, 17), np.sin(np.arange(32.0)), 0.7, HeadPose((0.1, -0.3, 0.05), (0.01, 0.0, 0.02))),
    MotionState(np.full(17, 5.0), head=HeadPose((-0.4, 0.5, 0.3)), body=np.array([0.02, -0.01, 0.0])),
]


class LongRoad(CpuRasterizer):
    """The same rasterizer, but not by the name for which the renderer takes the short road."""

    name = "long"


@pytest.fixture(scope="module", params=["tiny", "bundled"])
def avatar(request) -> Avatar:
    return make_tiny_avatar(size=75) if request.param == "tiny" else load_avatar(BUNDLED)


def small(avatar):
    return avatar.camera.scaled(149, 131)


@pytest.mark.parametrize("state", STATES, ids=["rest", "speaking", "extreme"])
def test_both_roads_give_the_same_picture(avatar, state):
    short, long = Renderer(avatar, threads=2), Renderer(avatar, LongRoad(2), threads=2)
    one, other = short.render(state, small(avatar)), long.render(state, small(avatar))
    np.testing.assert_allclose(one.rgba, other.rgba, atol=2e-6)
    np.testing.assert_allclose(one.depth, other.depth, atol=2e-6)
    files = short.render_srgb8(state, small(avatar)), long.render_srgb8(state, small(avatar))
    assert np.abs(files[0].astype(int) - files[1]).max() <= 1
    short.close()
    long.close()


@pytest.mark.parametrize("state", STATES[:2], ids=["rest", "speaking"])
def test_the_picture_is_that_of_the_float64_reference(state):
    pytest.importorskip("torch", reason="the reference rasterizer is written in torch")
    avatar = make_tiny_avatar(size=75)
    frame = Renderer(avatar, threads=2).render(state)
    exact = Renderer(avatar, "reference", threads=1)
    face, mouth = exact.layers(state)
    through = (1 - face.alpha)[..., None]
    expected = to_premultiplied_linear(face.rgb + through * mouth.rgb, face.alpha + through[..., 0] * mouth.alpha)
    error = np.abs(frame.rgba - expected).max(2)
    # As in the rasterizer's contract: a splat at the 1/255 cut or at the stop may fall on either side in float32.
    assert (error > 2e-4).mean() <= 0.002
    assert error.max() < 2e-2
    assert np.median(error[expected[..., 3] > 0]) < 1e-5


def test_frame_seven_is_the_same_alone_in_a_row_and_on_any_number_of_threads(avatar):
    states = [
        MotionState(np.full(17, 0.4 * k), np.cos(np.arange(32.0) * k), 1.0, HeadPose((0.02 * k, 0, 0)))
        for k in range(10)
    ]
    alone = Renderer(avatar, threads=1)
    expected = alone.render(states[7], small(avatar))
    for threads in (1, 2, 3):
        renderer = Renderer(avatar, threads=threads)
        row = [renderer.render(state, small(avatar)) for state in states]
        np.testing.assert_array_equal(row[7].rgba, expected.rgba)
        np.testing.assert_array_equal(row[7].depth, expected.depth)
        renderer.close()


def test_frames_side_by_side_do_not_mix(avatar):
    renderer = Renderer(avatar, threads=2)
    expected = [renderer.render_srgb8(state, small(avatar)) for state in STATES]
    with ThreadPoolExecutor(3) as pool:
        jobs = [(pool.submit(renderer.render_srgb8, STATES[k % 3], small(avatar), 1 + k % 2), k % 3) for k in range(12)]
        for job, k in jobs:
            np.testing.assert_array_equal(job.result(timeout=60), expected[k])
    renderer.close()


def test_sizes_may_change_from_frame_to_frame(avatar):
    renderer = Renderer(avatar, threads=2)
    for size in ((64, 64), (200, 7), (1, 1), (33, 90), (64, 64)):
        camera = avatar.camera.scaled(*size)
        fresh = Renderer(avatar, threads=1).render_srgb8(STATES[1], camera)
        np.testing.assert_array_equal(renderer.render_srgb8(STATES[1], camera), fresh)
    renderer.close()


@pytest.mark.parametrize("empty", ["face", "mouth", "both"])
def test_layers_without_gaussians_are_transparent(empty):
    whole = make_tiny_avatar(size=64)
    none = np.zeros(0, int)
    face = whole.face if empty == "mouth" else whole.face.select(none)
    mouth = whole.mouth if empty == "face" else whole.mouth.select(none)
    avatar = Avatar(face, mouth, whole.motion, whole.header)
    frame = Renderer(avatar, threads=2).render(STATES[0])
    expected = Renderer(avatar, LongRoad(1), threads=1).render(STATES[0])
    np.testing.assert_allclose(frame.rgba, expected.rgba, atol=2e-6)
    assert frame.rgba.any() == (empty != "both")


def test_numbers_that_are_not_finite_draw_nothing_and_harm_nothing():
    avatar = make_tiny_avatar(size=64)
    renderer = Renderer(avatar, threads=2)
    expected = renderer.render(STATES[0]).rgba
    lost = renderer.render(MotionState(np.zeros(17), head=HeadPose((np.nan, 0, 0))))
    assert np.isfinite(lost.rgba).all()
    np.testing.assert_array_equal(renderer.render(STATES[0]).rgba, expected)


def test_of_two_at_the_same_depth_the_first_is_in_front():
    """Blocks and records hold Gaussians in an order of their own; the picture breaks ties by the avatar's."""
    whole = make_tiny_avatar(size=64)
    rows = np.repeat(np.arange(whole.face.count), 2)[::-1].copy()
    face = whole.face.select(rows)
    face.sh[::2, 0] += 1.0  # twins differ in colour
    face.raw_opacities[:] = 3.0
    avatar = Avatar(face, whole.mouth, whole.motion, whole.header)
    frame = Renderer(avatar, threads=2).render(STATES[1])
    expected = Renderer(avatar, LongRoad(1), threads=1).render(STATES[1])
    np.testing.assert_allclose(frame.rgba, expected.rgba, atol=2e-6)
    swapped = Avatar(face.select(np.arange(face.count) ^ 1), whole.mouth, whole.motion, whole.header)
    assert np.abs(Renderer(swapped, threads=1).render(STATES[1]).rgba - frame.rgba).max() > 0.05
