# SPDX-License-Identifier: GPL-3.0-or-later
"""From encoder steps to implicit conditions: windows, context, cuts between clips, and the numpy twin."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hmtalker.motion import portable_speech
from hmtalker.motion.model import MotionConfig, MotionModel
from hmtalker.motion.portable_speech import OUTSIDE, PortableSpeech, clip_table, context_frames, window_steps
from hmtalker.speech.windows import window_features

D = 24


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = MotionModel(MotionConfig(feature_dimension=D)).eval()
    model.requires_grad_(False)
    model.speech.projection.standardise(torch.randn(500, D) * 3 + 1)
    return model


@pytest.fixture(scope="module")
def twin(model):
    return PortableSpeech({name: value.numpy() for name, value in model.state_dict().items()})


def speech(steps, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((steps, D)).astype(np.float32))


@pytest.mark.parametrize("fps", [24.0, 25.0, 30.0])
def test_window_indices_cut_the_windows_that_the_speech_module_cuts(fps):
    encoded = np.random.default_rng(0).standard_normal((90, 3)).astype(np.float32)
    steps = window_steps(50, fps, 90)
    cut = np.where(steps[..., None] == OUTSIDE, 0.0, encoded[steps])
    np.testing.assert_array_equal(cut, window_features(encoded, fps, 50))


def test_context_is_four_frames_back_and_three_ahead():
    context = context_frames(20)
    assert context[10].tolist() == [6, 7, 8, 9, 10, 11, 12, 13]
    assert context[0].tolist() == [OUTSIDE] * 4 + [0, 1, 2, 3]
    assert context[19].tolist() == [15, 16, 17, 18, 19] + [OUTSIDE] * 3


def test_implicit_has_32_numbers_per_frame(model):
    assert model.implicit(speech(100), fps=25.0).shape == (50, 32)
    assert model.implicit(speech(100), fps=30.0, frames=61).shape == (61, 32)


def test_a_frame_hears_its_neighbourhood_and_nothing_else(model):
    encoded = speech(400)
    changed = encoded.clone()
    changed[200] += 5.0
    difference = (model.implicit(encoded) - model.implicit(changed)).abs().amax(dim=1)
    touched = np.flatnonzero(difference.numpy() > 1e-7)
    # Step 200 lies in the windows of frames 96..103; their neighbours look at those windows from 3 before to 4 after.
    assert touched.min() >= 93
    assert touched.max() <= 107
    assert len(touched) > 8


def test_no_window_and_no_context_crosses_a_cut(model):
    first, second = speech(60, 1), speech(84, 2)
    together = model.implicit([first, second], 25.0, [30, 42])
    alone = torch.cat([model.implicit(first, 25.0, 30), model.implicit(second, 25.0, 42)])
    assert torch.allclose(together, alone, atol=1e-6)
    louder = model.implicit([first, second * 10], 25.0, [30, 42])
    assert torch.allclose(louder[:30], together[:30], atol=1e-6)


def test_a_few_frames_equal_the_same_frames_of_all(model):
    clips = [speech(60, 1), speech(84, 2)]
    table = clip_table([60, 84], [30, 42], 25.0)
    frames = np.array([0, 29, 30, 71, 29])
    some = model.implicit_at(torch.cat(clips), table, frames)
    assert torch.allclose(some, model.implicit(clips, 25.0, [30, 42])[frames], atol=1e-6)


def test_speech_learns_through_every_layer():
    torch.manual_seed(3)
    model = MotionModel(MotionConfig(feature_dimension=D))
    model.implicit(speech(100)).square().sum().backward()
    for name, parameter in model.speech.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("fps", [24.0, 25.0, 30.0])
@pytest.mark.parametrize("steps", [1, 7, 131])
def test_twin_equals_torch(model, twin, fps, steps):
    encoded = speech(steps)
    np.testing.assert_allclose(twin.implicit(encoded.numpy(), fps), model.implicit(encoded, fps).numpy(), atol=1e-5)


def test_twin_works_in_chunks(twin, monkeypatch):
    encoded = speech(300).numpy()
    whole = twin.implicit(encoded)
    monkeypatch.setattr(portable_speech, "CHUNK", 7)
    np.testing.assert_allclose(twin.implicit(encoded), whole, atol=1e-6)


def test_no_speech_at_all_gives_the_condition_of_silence(model, twin):
    nothing = np.zeros((0, D), np.float32)
    implicit = twin.implicit(nothing, frames=9)
    np.testing.assert_allclose(implicit, np.broadcast_to(implicit[0], (9, 32)), atol=1e-6)
    np.testing.assert_allclose(implicit, model.implicit(torch.from_numpy(nothing), frames=9).numpy(), atol=1e-5)


def test_features_of_another_encoder_are_refused(twin):
    with pytest.raises(ValueError, match=f"needs \\[T, {D}\\]"):
        twin.implicit(np.zeros((10, D + 1), np.float32))
