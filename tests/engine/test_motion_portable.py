# SPDX-License-Identifier: GPL-3.0-or-later
"""The motion model without torch gives the numbers of the one with torch."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hmtalker.errors import AvatarError
from hmtalker.motion.config import MotionConfig
from hmtalker.motion.model import MotionModel
from hmtalker.motion.portable import PortableMotion
from hmtalker.motion.state import MotionState

CONFIG = MotionConfig(feature_dimension=24, face_center=(0.0, -0.05, 0.0), face_half_extent=(0.25, 0.25, 0.2))


def random_model(config=CONFIG):
    """Weights that move everything: nothing starts at zero."""
    torch.manual_seed(0)
    model = MotionModel(config).requires_grad_(False).eval()
    model.null_implicit.normal_()
    for field in (model.face_field, model.mouth_field):
        field.encoding.grid.uniform_(-1, 1)
        field.deformation[2].weight.normal_()
    return model


def weights_of(model):
    return {name: value.numpy() for name, value in model.state_dict().items()}


def points(count, seed=0):
    """Some lie outside the fields' boxes."""
    return (np.random.default_rng(seed).uniform(-0.27, 0.27, (count, 3))).astype(np.float32)


def some_state(audio_influence=1.0, heard=True, seed=0):
    rng = np.random.default_rng(seed)
    implicit = rng.standard_normal(32) if heard else None
    return MotionState(rng.uniform(-1, 6, 17), implicit, audio_influence)


def torch_offsets(model, state, face, mouth):
    implicit = None if state.implicit is None else torch.from_numpy(state.implicit)
    conditions = model.conditions(implicit, torch.from_numpy(state.action_units), audio_influence=state.audio_influence)
    return (
        model.face_offsets(torch.from_numpy(face), conditions[0], conditions[1]).numpy(),
        model.mouth_offsets(torch.from_numpy(mouth), conditions[2]).numpy(),
    )


def assert_twins(model, motion, state, face, mouth):
    expected = torch_offsets(model, state, face, mouth)
    for got, wanted in zip((motion.face_offsets(state), motion.mouth_offsets(state)), expected, strict=True):
        assert got.dtype == np.float32
        assert got.flags.c_contiguous
        assert np.abs(wanted).max() > 1e-3
        np.testing.assert_allclose(got, wanted, atol=1e-4 * max(1.0, float(np.abs(wanted).max())))
        np.testing.assert_allclose(got[:, :3], wanted[:, :3], atol=1e-6)


@pytest.mark.parametrize("audio_influence", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("heard", [True, False])
def test_offsets_equal_torch(audio_influence, heard):
    model, face, mouth = random_model(), points(1000), points(333, 1)
    motion = PortableMotion(weights_of(model), CONFIG.to_dict(), face, mouth)
    assert_twins(model, motion, some_state(audio_influence, heard), face, mouth)


@pytest.mark.parametrize("count", [1, 31, 32, 33, 2081])
def test_any_number_of_gaussians_will_do(count):
    model, face, mouth = random_model(), points(count), points(count, 1)
    motion = PortableMotion(weights_of(model), CONFIG.to_dict(), face, mouth)
    expected = torch_offsets(model, some_state(), face, mouth)
    np.testing.assert_allclose(motion.face_offsets(some_state()), expected[0], atol=1e-4)
    np.testing.assert_allclose(motion.mouth_offsets(some_state()), expected[1], atol=1e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {"fusion": "concat"},
        {"fusion": "fixed", "fixed_alpha": 0.2},
        {"use_explicit": False},
        {"use_implicit": False},
        {"mouth_grid": "parent", "grid_levels": 8, "projection_dimension": 16},
    ],
)
def test_every_variant_has_a_twin(changes):
    config = dataclasses.replace(CONFIG, **changes)
    model, face, mouth = random_model(config), points(200), points(50, 1)
    motion = PortableMotion(weights_of(model), config.to_dict(), face, mouth)
    assert_twins(model, motion, some_state(0.7), face, mouth)


def test_no_gaussians_at_all_is_fine():
    motion = PortableMotion(weights_of(random_model()), CONFIG, np.zeros((0, 3)), np.zeros((0, 3)))
    assert motion.face_offsets(some_state()).shape == (0, 10)
    assert motion.mouth_offsets(some_state()).shape == (0, 3)


def test_thread_count_and_pool_change_no_bit():
    weights, face, mouth = weights_of(random_model()), points(9001), points(4097, 1)
    one = PortableMotion(weights, CONFIG, face, mouth, threads=1)
    with ThreadPoolExecutor(1) as pool:
        for motion in (
            PortableMotion(weights, CONFIG, face, mouth, threads=2),
            PortableMotion(weights, CONFIG, face, mouth, threads=3, executor=pool),
        ):
            np.testing.assert_array_equal(motion.face_offsets(some_state()), one.face_offsets(some_state()))
            np.testing.assert_array_equal(motion.mouth_offsets(some_state()), one.mouth_offsets(some_state()))


def test_a_pool_may_run_the_whole_frame_including_its_helpers():
    """The caller may itself occupy the only thread of the pool that it lends."""
    weights, face = weights_of(random_model()), points(9001)
    with ThreadPoolExecutor(1) as pool:
        motion = PortableMotion(weights, CONFIG, face, face, executor=pool, threads=2)
        offsets = pool.submit(motion.face_offsets, some_state()).result(timeout=60)
    alone = PortableMotion(weights, CONFIG, face, face, threads=1)
    np.testing.assert_array_equal(offsets, alone.face_offsets(some_state()))


def test_a_frame_does_not_depend_on_the_frames_before():
    motion = PortableMotion(weights_of(random_model()), CONFIG, points(500), points(100, 1))
    first = motion.face_offsets(some_state(seed=1))
    motion.face_offsets(some_state(seed=2))
    np.testing.assert_array_equal(motion.face_offsets(some_state(seed=1)), first)


def test_predicted_action_units_equal_torch_and_stay_in_range():
    model = random_model()
    with torch.no_grad():
        model.face_condition.a2am.layers[2].weight.mul_(30)
    motion = PortableMotion(weights_of(model), CONFIG, points(1), points(1))
    implicit = np.random.default_rng(0).standard_normal((12, 32)).astype(np.float32)
    predicted = motion.predicted_action_units(implicit)
    expected = model.explicit_from_audio(torch.from_numpy(implicit))[:, 23:].clamp(0, 5).numpy()
    assert predicted.shape == (12, 9)
    assert predicted.min() >= 0.0
    assert predicted.max() <= 5.0
    np.testing.assert_allclose(predicted, expected, atol=1e-4)


def test_implicit_of_speech_equals_torch():
    model = random_model()
    motion = PortableMotion(weights_of(model), CONFIG, points(1), points(1))
    encoded = np.random.default_rng(0).standard_normal((130, 24)).astype(np.float32)
    np.testing.assert_allclose(
        motion.implicit(encoded, 25.0), model.implicit(torch.from_numpy(encoded), 25.0).numpy(), atol=1e-5
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("null_implicit", None),
        ("face_field.deformation.1.weight", np.zeros((64, 63))),
        ("face_field.deformation.2.weight", np.zeros((9, 64))),
        ("mouth_field.deformation.0.weight", np.zeros((32, 67))),
        ("face_field.encoding.grid", np.zeros((3, 100))),
        ("face_field.encoding.half_extent", np.zeros(3)),
        ("face_field.lower_attention.output.weight", np.zeros((31, 32))),
        ("upper_encoder.hidden.weight", np.zeros((32, 7))),
        ("speech.audio_net.hidden.weight", np.zeros((64, 63))),
    ],
)
def test_weights_that_do_not_fit_are_refused_in_one_sentence(name, value):
    weights = weights_of(random_model())
    if value is None:
        del weights[name]
    else:
        weights[name] = value
    with pytest.raises(AvatarError, match="motion weights do not fit"):
        PortableMotion(weights, CONFIG, points(40), points(40))
