# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames: pure functions of state and camera, clean alpha, the right colours."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from hmtalker import colour
from hmtalker.avatar import Avatar
from hmtalker.errors import AvatarError, RenderError
from hmtalker.head_pose import HeadPose
from hmtalker.motion.state import MotionState
from hmtalker.rasterize import Layer
from hmtalker.render import Renderer, avatar_camera

sys.path.insert(0, str(Path(__file__).parent))
from tiny_avatar import make_tiny_avatar


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    return make_tiny_avatar(size=64)


@pytest.fixture(scope="module")
def renderer(avatar) -> Renderer:
    return Renderer(avatar, threads=2)


def smile(amount: float = 4.0) -> MotionState:
    units = np.zeros(17, np.float32)
    units[8] = amount
    return MotionState(units)


class Fixed:
    """A rasterizer that returns prepared layers, face first."""

    name = "fixed"

    def __init__(self, *layers: Layer) -> None:
        self.layers = list(layers)

    def render(self, splats, camera, background=(0, 0, 0), depth=True) -> Layer:
        layer = self.layers.pop(0)
        self.layers.append(layer)
        return layer


def random_layer(rng: np.random.Generator, size: int = 64) -> Layer:
    alpha = np.clip(rng.random((size, size)) * 1.6 - 0.4, 0, 1).astype(np.float32)
    rgb = (rng.random((size, size, 3)).astype(np.float32) * 1.1 * alpha[..., None]).astype(np.float32)
    return Layer(rgb, alpha, rng.uniform(0.5, 0.9, (size, size)).astype(np.float32) * (alpha > 0))


def test_frame_shapes_and_ranges(renderer, avatar):
    frame = renderer.render(MotionState.rest())
    assert frame.rgba.shape == (64, 64, 4)
    assert frame.rgba.dtype == frame.depth.dtype == np.float32
    alpha = frame.rgba[..., 3]
    assert alpha.min() == 0
    assert alpha.max() > 0.99
    assert (frame.rgba[..., :3] <= alpha[..., None] + 1e-6).all()
    empty = alpha == 0
    assert empty[:5].all(), "above the head there is nothing"
    assert (frame.rgba[empty] == 0).all()
    assert (frame.depth[empty] == 0).all()
    assert alpha[~empty].min() >= 1 / 255
    assert 0.5 < frame.depth[~empty].min() < frame.depth.max() < 0.8


def test_same_state_gives_the_same_bits(renderer):
    first = renderer.render(smile())
    renderer.render(MotionState.rest())
    again = renderer.render(smile())
    np.testing.assert_array_equal(first.rgba, again.rgba)
    np.testing.assert_array_equal(first.depth, again.depth)


def test_threads_change_nothing(renderer, avatar):
    alone = Renderer(avatar, threads=1)
    np.testing.assert_array_equal(alone.render(smile()).rgba, renderer.render(smile()).rgba)
    alone.close()


def test_calls_from_several_threads_do_not_mix(renderer):
    states = [smile(amount) for amount in (0, 2, 4)] * 3
    expected = [renderer.render_srgb8(state) for state in states]
    found: list = [None] * len(states)

    def work(index):
        found[index] = renderer.render_srgb8(states[index])

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(states))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_state_moves_the_face(renderer):
    rest = renderer.render_srgb8(MotionState.rest())
    assert (renderer.render_srgb8(smile()) != rest).any()
    assert (renderer.render_srgb8(MotionState(np.zeros(17), np.ones(32))) != rest).any()
    assert (renderer.render_srgb8(MotionState(np.zeros(17), head=HeadPose((0, 0.4, 0)))) != rest).any()


def test_audio_influence_of_zero_is_no_audio(renderer):
    rest = renderer.render_srgb8(MotionState.rest())
    np.testing.assert_array_equal(renderer.render_srgb8(MotionState(np.zeros(17), np.ones(32), 0.0)), rest)


def test_yaw_moves_the_nose_to_the_right(renderer):
    """The centre of the picture's dark irises goes where the face turns to."""

    def centre(state):
        pixels = renderer.render_srgb8(state).astype(float)
        dark = (pixels[..., 3] > 200) & (pixels[..., :3].max(2) < 90)
        dark[:20] = False
        return np.nonzero(dark)[1].mean()

    assert centre(MotionState(np.zeros(17), head=HeadPose((0, 0.3, 0)))) > centre(MotionState.rest()) + 1


def test_file_pixels_and_frame_agree(renderer):
    frame, pixels = renderer.render(smile()), renderer.render_srgb8(smile())
    alpha = frame.rgba[..., 3:]
    straight = np.divide(frame.rgba[..., :3], alpha, out=np.zeros_like(frame.rgba[..., :3]), where=alpha > 0)
    expected = np.concatenate([colour.linear_to_srgb(straight), alpha], 2) * 255
    assert np.abs(pixels - expected).max() <= 0.51


def test_compositing_is_that_of_the_paper(avatar):
    """Eq (10) without background, then straight -> linear -> premultiplied, against plain numpy."""
    rng = np.random.default_rng(0)
    face, mouth = random_layer(rng), random_layer(rng)
    through = (1 - face.alpha)[..., None]
    rgb = face.rgb + through * mouth.rgb
    alpha = face.alpha + through[..., 0] * mouth.alpha
    frame = Renderer(avatar, Fixed(face, mouth), threads=2).render(MotionState.rest())
    np.testing.assert_allclose(frame.rgba, colour.to_premultiplied_linear(rgb, alpha), atol=1e-6)
    weight = face.alpha * face.depth + through[..., 0] * mouth.alpha * mouth.depth
    expected = np.where(alpha < 1 / 255, 0, weight / np.maximum(alpha, 1e-9))
    np.testing.assert_allclose(frame.depth, expected, atol=1e-6)
    pixels = Renderer(avatar, Fixed(face, mouth), threads=1).render_srgb8(MotionState.rest())
    assert np.abs(pixels.astype(int) - colour.to_srgb8(rgb, alpha)).max() <= 1


def test_face_hides_the_mouth(avatar):
    full = Layer(np.full((64, 64, 3), 0.25, np.float32), np.ones((64, 64), np.float32), np.ones((64, 64), np.float32))
    red = Layer(np.ones((64, 64, 3), np.float32), np.ones((64, 64), np.float32), np.ones((64, 64), np.float32))
    pixels = Renderer(avatar, Fixed(full, red)).render_srgb8(MotionState.rest())
    assert (pixels == [64, 64, 64, 255]).all()


def test_camera_scales_the_picture(renderer, avatar):
    camera = avatar_camera(avatar)
    assert renderer.render(MotionState.rest(), camera.scaled(32, 48)).rgba.shape == (48, 32, 4)
    with pytest.raises(RenderError):
        renderer.render(MotionState.rest(), camera.scaled(10**6, 10**6))


def test_avatar_without_mouth_renders(avatar):
    mute = Avatar(avatar.face, avatar.mouth.select(np.zeros(0, int)), avatar.motion, avatar.header)
    assert Renderer(mute).render(MotionState.rest()).rgba.max() > 0.5


def test_unknown_rasterizer_and_bad_weights_are_sentences(avatar):
    with pytest.raises(RenderError):
        Renderer(avatar, "magic")
    broken = {name: array for name, array in avatar.motion.items() if "face_field" not in name}
    with pytest.raises(AvatarError):
        Renderer(Avatar(avatar.face, avatar.mouth, broken, avatar.header))


def test_curves_of_colour_are_inverse():
    values = np.linspace(0, 1, 1000)
    np.testing.assert_allclose(colour.linear_to_srgb(colour.srgb_to_linear(values)), values, atol=1e-6)
    assert colour.srgb_to_linear(np.array(0.5)) == pytest.approx(0.21404, abs=1e-5)
