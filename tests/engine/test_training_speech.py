# SPDX-License-Identifier: GPL-3.0-or-later
"""The speech stage learns Action Units from sound and motion from a surface."""

from __future__ import annotations

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hmtalker import action_units
from hmtalker.motion.model import MotionConfig, MotionModel, Pairing
from hmtalker.training.dataset import Performance
from hmtalker.training.motion_stage import MotionStage, SurfaceMotion
from hmtalker.training.presets import MotionSchedule, Pairings, SpeechSchedule
from hmtalker.training.speech_stage import SpeechStage, hear_clip
from hmtalker.training.surface import FACE, MOUTH, Surface

JAW = action_units.CODES.index("AU26")
LIPS = action_units.CODES.index("AU25")
BROW = action_units.CODES.index("AU01")


def square(region: int, seed: int) -> Surface:
    """120 points in a square; shape "open" drops the lower half by 1 cm, shape "brow" lifts the top by 5 mm."""
    rng = np.random.default_rng(seed)
    positions = rng.uniform(-0.05, 0.05, (120, 3)).astype(np.float32)
    deltas = np.zeros((2, 120, 3), np.float16)
    deltas[0, positions[:, 1] < 0, 1] = -0.010
    deltas[1, positions[:, 1] > 0.03, 1] = 0.005
    ones = np.ones(120, np.float32)
    normals = np.tile(np.float32([0, 0, 1]), (120, 1))
    return Surface(
        positions,
        normals,
        ones * 1e-5,
        np.full(120, region, np.uint8),
        ones,
        np.full((120, 3), 0.5, np.float32),
        deltas,
        ["open", "brow"],
    )


def weights(units: np.ndarray, pucker: np.ndarray, funnel: np.ndarray) -> np.ndarray:
    return np.stack([units[:, JAW] / 5, units[:, BROW] / 5], 1)


def made_up_performance(clips: int = 6, frames: int = 50, dimension: int = 12) -> Performance:
    """Speech whose channel 0 is the jaw: a mapping that can be learnt."""
    rng = np.random.default_rng(0)
    time = np.arange(frames)
    action, speech = [], []
    for _ in range(clips):
        jaw = 1.5 + 1.5 * np.sin(time * rng.uniform(0.2, 0.6) + rng.uniform(0, 6))
        units = np.zeros((frames, 17), np.float32)
        units[:, JAW] = jaw
        units[:, LIPS] = jaw
        action.append(units)
        encoded = 0.1 * rng.standard_normal((1, 2 * frames, dimension))
        encoded[0, :, 0] += np.repeat(jaw, 2)
        speech.append(encoded.astype(np.float16))
    total = clips * frames
    return Performance(
        np.concatenate(action),
        np.zeros((total, 6), np.float32),
        np.repeat(np.arange(clips), frames),
        np.tile(time, clips),
        np.array([True] * (clips - 1) + [False]),
        speech,
        np.zeros((total, 2), np.float32),
        np.zeros((total, 0), np.float32),
    )


@pytest.fixture(scope="module")
def learnt():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    performance = made_up_performance()
    config = MotionConfig(
        feature_dimension=12, face_half_extent=(0.06,) * 3, mouth_half_extent=(0.06,) * 3, face_finest=64.0
    )
    model = MotionModel(config)
    speech = SpeechStage(model, performance, SpeechSchedule(150, clips=4, dropout=0.0, noise=0.0, learning_rate=4e-3))
    for _ in range(150):
        speech.step()
    surface = SurfaceMotion(square(FACE, 1), square(MOUTH, 2), weights)
    motion = MotionStage(
        model,
        performance,
        surface,
        MotionSchedule(320, frames=24, points=100, learning_rate=6e-3),
        Pairings(0.45, 0.3, 0.0, 0.25),
    )
    for _ in range(320):
        motion.step()
    return model.eval(), performance, surface


def test_unheard_clip_gives_its_jaw(learnt):
    model, performance, _ = learnt
    _, lower = hear_clip(model, performance.speech[5][0], 50)
    truth = performance.action_units[performance.frames_of(5), JAW]
    assert np.corrcoef(lower[:, action_units.LOWER.index("AU26")], truth)[0, 1] > 0.9


def moved(model, surface: Surface, **units: float) -> np.ndarray:
    values = torch.zeros(1, 17)
    for code, value in units.items():
        values[0, action_units.CODES.index(code)] = value
    with torch.no_grad():
        lower, upper, _ = model.conditions(None, values, Pairing.IMPLICIT_MASKED)
        return model.face_offsets(torch.from_numpy(surface.positions), lower, upper)[0].numpy()


def test_keyed_jaw_moves_the_lower_half_without_a_voice(learnt):
    model, _, surface = learnt
    low = surface.face.positions[:, 1] < -0.005
    offsets = moved(model, surface.face, AU26=5.0)[:, 1] - moved(model, surface.face)[:, 1]
    assert offsets[low].mean() < -0.006
    assert abs(offsets[surface.face.positions[:, 1] > 0.005].mean()) < 0.002


def test_brow_leaves_the_jaw_alone(learnt):
    model, _, surface = learnt
    offsets = moved(model, surface.face, AU01=5.0)[:, 1] - moved(model, surface.face)[:, 1]
    assert offsets[surface.face.positions[:, 1] > 0.035].mean() > 0.002
    assert abs(offsets[surface.face.positions[:, 1] < 0].mean()) < 0.001


def test_a_face_that_pictures_moved_keeps_its_rest_while_motion_is_learnt_anew(learnt):
    model, performance, surface = learnt
    model = copy.deepcopy(model).train()
    lifted = moved(model, surface.face)
    lifted[:, 2] += 0.003
    rest = {"face": lifted, "mouth": np.zeros((120, 3), np.float32)}
    schedule = MotionSchedule(120, frames=24, points=100, learning_rate=6e-3)
    again = SurfaceMotion(surface.face, surface.mouth, weights, rest=rest)
    stage = MotionStage(model, performance, again, schedule, Pairings(0.45, 0.3, 0.0, 0.25))
    for _ in range(120):
        stage.step()
    low = surface.face.positions[:, 1] < -0.005
    resting = moved(model, surface.face)
    assert np.abs(resting[:, 2] - lifted[:, 2]).mean() < 0.001
    assert (moved(model, surface.face, AU26=5.0)[low, 1] - resting[low, 1]).mean() < -0.006
