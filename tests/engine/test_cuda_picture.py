# SPDX-License-Identifier: GPL-3.0-or-later
"""The CUDA kernels' own text, run on a processor, draws the picture of the portable engine and of the reference."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba", reason="the portable engine is compiled by numba")

from hmtalker.avatar import Avatar, load_avatar
from hmtalker.colour import to_premultiplied_linear
from hmtalker.errors import RenderError
from hmtalker.head_pose import HeadPose
from hmtalker.motion.state import MotionState
from hmtalker.rasterize.cuda import launch, layout
from hmtalker.rasterize.cuda.renderer import CudaRenderer
from hmtalker.render import Renderer

sys.path.insert(0, str(Path(__file__).parent))
import cuda_on_processor
from cuda_on_processor import Processor
from tiny_avatar import make_tiny_avatar

BUNDLED = Path(__file__).resolve().parents[2] / "assets" / "bundled_avatar.hmt"
STATES = [
    MotionState.rest(),
    MotionState(np.linspace(0, 4, 17), np.sin(np.arange(32.0)), 0.7, HeadPose((0.1, -0.3, 0.05), (0.01, 0.0, 0.02))),
    MotionState(np.full(17, 5.0), head=HeadPose((-0.4, 0.5, 0.3)), body=np.array([0.02, -0.01, 0.0])),
]


def assert_close(rgba, expected, flip=2e-5):
    """As the rasterizer's contract (there 2e-4): a splat at the 1/255 cut or at the stop may fall on either side."""
    error = np.abs(rgba - expected).max(-1)
    assert (error > flip).mean() <= 0.002
    assert error.max() < 2e-2
    assert np.median(error[expected[..., 3] > 0]) < 1e-5


@pytest.fixture
def drawn():
    """Makes renderers, and looks at the card's memory when it is given back."""
    made = []

    def make(avatar, **options):
        made.append(CudaRenderer(avatar, Processor(**options)))
        return made[-1]

    yield make
    for renderer in made:
        renderer.close()


@pytest.mark.parametrize("state", STATES, ids=["rest", "speaking", "extreme"])
def test_the_picture_is_that_of_the_float64_reference(drawn, state):
    pytest.importorskip("torch", reason="the reference rasterizer is written in torch")
    avatar = make_tiny_avatar(size=75)
    frame = drawn(avatar).render(state)
    face, mouth = Renderer(avatar, "reference", threads=1).layers(state)
    through = (1 - face.alpha)[..., None]
    alpha = face.alpha + through[..., 0] * mouth.alpha
    assert_close(frame.rgba, to_premultiplied_linear(face.rgb + through * mouth.rgb, alpha))
    depth = (face.alpha * face.depth + through[..., 0] * mouth.alpha * mouth.depth) / np.maximum(alpha, 1e-10)
    solid = alpha > 0.5
    assert np.median(np.abs(frame.depth - depth)[solid]) < 1e-6
    assert np.abs(frame.depth - depth)[solid].max() < 2e-3
    assert not frame.depth[alpha < 1e-3].any()


@pytest.mark.parametrize("state", STATES, ids=["rest", "speaking", "extreme"])
@pytest.mark.parametrize("name", ["tiny", "bundled"])
def test_the_picture_is_that_of_the_portable_engine(drawn, name, state):
    avatar = make_tiny_avatar(size=75) if name == "tiny" else load_avatar(BUNDLED)
    camera = avatar.camera.scaled(149, 131)
    portable, cuda = Renderer(avatar, threads=1), drawn(avatar)
    expected, frame = portable.render(state, camera), cuda.render(state, camera)
    assert_close(frame.rgba, expected.rgba)
    levels = np.abs(cuda.render_srgb8(state, camera).astype(int) - portable.render_srgb8(state, camera))
    assert levels.max() <= 1
    portable.close()


@pytest.mark.parametrize("degree", [0, 1])
def test_colours_of_lower_degrees(drawn, degree):
    avatar = make_tiny_avatar(size=40, sh_degree=degree)
    assert_close(drawn(avatar).render(STATES[1]).rgba, Renderer(avatar, threads=1).render(STATES[1]).rgba)


def test_the_order_of_threads_changes_no_bit(drawn):
    avatar = make_tiny_avatar(size=75)
    one, other = drawn(avatar).render(STATES[1]), drawn(avatar, backwards=True).render(STATES[1])
    np.testing.assert_array_equal(one.rgba, other.rgba)
    np.testing.assert_array_equal(one.depth, other.depth)


def test_frames_drawn_together_are_those_drawn_alone(drawn):
    avatar = make_tiny_avatar(size=50)
    renderer = drawn(avatar)
    alone = [renderer.render(state) for state in STATES]
    for frame, expected in zip(renderer.render_many(STATES), alone, strict=True):
        np.testing.assert_array_equal(frame.rgba, expected.rgba)
        np.testing.assert_array_equal(frame.depth, expected.depth)
    together = renderer.render_many_srgb8(STATES)
    np.testing.assert_array_equal(together[2], renderer.render_srgb8(STATES[2]))
    assert renderer.render_many([]) == []
    assert renderer.render_many_srgb8([]).shape == (0, 50, 50, 4)


def test_too_many_pairs_are_drawn_again_with_more_room(drawn, monkeypatch):
    avatar = make_tiny_avatar(size=75)
    expected = drawn(avatar).render(STATES[1]).rgba
    first = launch.first_sizes
    monkeypatch.setattr(launch, "first_sizes", lambda *sizes: launch.replace(first(*sizes), capacity=10))
    renderer = drawn(avatar)
    np.testing.assert_array_equal(renderer.render(STATES[1]).rgba, expected)
    assert renderer._device.launched.count("draw_linear") == 2
    renderer.render(STATES[1])  # the room is kept
    assert renderer._device.launched.count("draw_linear") == 3


def test_a_tile_of_more_splats_than_shared_memory_holds(drawn):
    avatar = load_avatar(BUNDLED)
    camera = avatar.camera.scaled(24, 20)
    renderer = drawn(avatar)
    frame = renderer.render(STATES[1], camera)
    counts = renderer._device.memory(renderer._batch._addresses["count"]).view(np.int32)
    assert counts.max() > layout.SORTED
    expected = Renderer(avatar, threads=1).render(STATES[1], camera)
    assert_close(frame.rgba, expected.rgba, flip=2e-4)  # so many splats a pixel, so many that may flip


@pytest.mark.parametrize("empty", ["face", "mouth", "both"])
def test_layers_without_gaussians_are_transparent(drawn, empty):
    whole = make_tiny_avatar(size=40)
    none = np.zeros(0, int)
    face = whole.face if empty == "mouth" else whole.face.select(none)
    mouth = whole.mouth if empty == "face" else whole.mouth.select(none)
    avatar = Avatar(face, mouth, whole.motion, whole.header)
    frame = drawn(avatar).render(STATES[0])
    np.testing.assert_allclose(frame.rgba, Renderer(avatar, threads=1).render(STATES[0]).rgba, atol=2e-4)
    assert frame.rgba.any() == (empty != "both")


def test_of_two_at_the_same_depth_the_first_is_in_front(drawn):
    whole = make_tiny_avatar(size=40)
    face = whole.face.select(np.repeat(np.arange(whole.face.count), 2)[::-1].copy())
    face.sh[::2, 0] += 1.0  # twins differ in colour
    face.raw_opacities[:] = 3.0
    avatar = Avatar(face, whole.mouth, whole.motion, whole.header)
    assert_close(drawn(avatar).render(STATES[1]).rgba, Renderer(avatar, threads=1).render(STATES[1]).rgba)


def test_numbers_that_are_not_finite_draw_nothing_and_harm_nothing(drawn):
    renderer = drawn(make_tiny_avatar(size=40))
    expected = renderer.render(STATES[0]).rgba
    assert np.isfinite(renderer.render(MotionState(np.zeros(17), head=HeadPose((np.nan, 0, 0)))).rgba).all()
    np.testing.assert_array_equal(renderer.render(STATES[0]).rgba, expected)


def test_sizes_may_change_from_frame_to_frame(drawn):
    avatar = make_tiny_avatar(size=40)
    renderer = drawn(avatar)
    for size in ((40, 40), (1, 1), (70, 7), (40, 40)):
        camera = avatar.camera.scaled(*size)
        np.testing.assert_array_equal(
            renderer.render_srgb8(STATES[1], camera), drawn(avatar).render_srgb8(STATES[1], camera)
        )


@pytest.mark.parametrize("last", [0, 5])
def test_a_full_card_is_one_sentence_and_gives_all_memory_back(drawn, monkeypatch, last):
    renderer = drawn(make_tiny_avatar(size=40))
    expected = renderer.render_srgb8(STATES[1])
    before = len(renderer._device._memory)
    alloc, left = renderer._device.alloc, iter(range(last))

    def scarce(size):
        if next(left, None) is None:
            raise RenderError("The card is full.")
        return alloc(size)

    monkeypatch.setattr(renderer._device, "alloc", scarce)
    with pytest.raises(RenderError, match=r"The card is full\."):
        renderer.render_srgb8(STATES[1], renderer.avatar.camera.scaled(20, 20))
    assert len(renderer._device._memory) == before - len(launch.batch_bytes(launch.first_sizes(1, 1, 1, 1, 1)))
    monkeypatch.setattr(renderer._device, "alloc", alloc)
    np.testing.assert_array_equal(renderer.render_srgb8(STATES[1]), expected)


def test_the_argument_of_the_kernels_is_the_same_on_both_sides():
    assert ctypes.sizeof(layout.Work) == cuda_on_processor.library().bytes_of_work()
