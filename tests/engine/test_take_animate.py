# SPDX-License-Identifier: GPL-3.0-or-later
"""Speech to a take, and a take to bytes and back."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest

from hmtalker import action_units, prosody
from hmtalker.blinks import blink_curve, blink_times
from hmtalker.errors import AudioError, AvatarError, CancelledError
from hmtalker.performance import STILL_SHARE
from hmtalker.take import AnimateSettings, Take, TakeError, animate

sys.path.insert(0, str(Path(__file__).parent))
from tiny_avatar import TinyEncoder, make_tiny_avatar

LOWER, AU45 = list(action_units.LOWER_INDEX), action_units.CODES.index("AU45")


def babble(seconds: float, seed: int = 0) -> np.ndarray:
    """Noise in syllables, with a second of near-silence in the middle."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * 16000)) / 16000
    sound = 0.3 * rng.normal(size=len(time)) * np.clip(np.sin(2 * np.pi * 3 * time), 0, 1)
    sound[(time > seconds / 2 - 0.6) & (time < seconds / 2 + 0.6)] *= 1e-4
    return sound.astype(np.float32)


@pytest.fixture(scope="module")
def avatar():
    return make_tiny_avatar()


@pytest.fixture(scope="module")
def take(avatar) -> Take:
    return animate(avatar, babble(6.0), encoder=TinyEncoder())


def test_take_lasts_as_long_as_the_audio(avatar, take):
    assert take.frames == 150
    assert take.action_units.shape == (150, 17)
    assert take.implicit.shape == (150, 32)
    assert take.head.shape == (150, 6)
    assert take.seconds == 6.0
    assert animate(avatar, babble(1.03), 30.0, TinyEncoder()).frames == 31
    assert animate(avatar, np.full(3, 0.5, np.float32), encoder=TinyEncoder()).frames == 1


def test_values_are_in_range(take):
    assert take.action_units.min() >= 0
    assert (take.action_units <= action_units.CONDITION_MAXIMUM).all()
    assert np.isfinite(take.implicit).all()
    assert np.abs(take.head[:, :3]).max() < 0.3
    assert np.abs(take.head[:, 3:]).max() < 0.02


def test_same_seed_same_take_other_seed_other_blinks(avatar, take):
    again = animate(avatar, babble(6.0), encoder=TinyEncoder())
    assert again.to_bytes() == take.to_bytes()
    other = animate(avatar, babble(6.0), encoder=TinyEncoder(), settings=AnimateSettings(seed=1))
    assert (other.head != take.head).any()
    np.testing.assert_array_equal(other.implicit, take.implicit)
    np.testing.assert_array_equal(other.action_units[:, LOWER], take.action_units[:, LOWER])


def test_silence_in_speech_rests_the_mouth_unless_something_is_strongly_heard(avatar, take):
    middle = slice(73, 77)
    rest = avatar.rest_action_units[LOWER]
    np.testing.assert_allclose(take.implicit[middle], np.tile(avatar.rest_implicit, (4, 1)), atol=1e-3)
    restless = animate(avatar, babble(6.0), encoder=TinyEncoder(), settings=AnimateSettings(silence=False))
    assert np.abs(restless.implicit[middle] - avatar.rest_implicit).max() > 0.01
    ordinary = np.array([avatar.header["au_statistics"][code]["p95"] for code in action_units.LOWER])
    heard = restless.action_units[middle][:, LOWER] - rest
    expected = rest + np.maximum(heard - STILL_SHARE * ordinary, 0)
    np.testing.assert_allclose(take.action_units[middle][:, LOWER], expected, atol=1e-3)
    assert (expected < restless.action_units[middle][:, LOWER]).any()


def test_silent_audio_gives_a_resting_face_that_blinks(avatar):
    take = animate(avatar, np.zeros(16000 * 20, np.float32))
    assert len(take.warnings) == 1
    assert take.warnings[0].endswith(".")
    np.testing.assert_array_equal(take.implicit, np.tile(avatar.rest_implicit, (500, 1)))
    assert (take.action_units[:, LOWER] == avatar.rest_action_units[LOWER]).all()
    assert take.action_units[:, AU45].max() == 2.0


@pytest.mark.parametrize(
    ("samples", "word"),
    [
        (np.zeros(0, np.float32), "no samples"),
        (np.zeros((2, 16000), np.float32), "channels"),
        (np.array([0.0, np.nan], np.float32), "not numbers"),
        (["a", "b"], "samples"),
    ],
)
def test_bad_audio_is_one_sentence(avatar, samples, word):
    with pytest.raises(AudioError, match=word):
        animate(avatar, samples, encoder=TinyEncoder())


def test_wrong_encoder_is_refused(avatar):
    with pytest.raises(AvatarError, match="encoder"):
        animate(avatar, babble(4), encoder=TinyEncoder(9))


def test_strength_and_gains(avatar, take):
    rest = avatar.rest_action_units[LOWER]
    still = animate(avatar, babble(6.0), encoder=TinyEncoder(), settings=AnimateSettings(strength=0))
    np.testing.assert_allclose(still.action_units[:, LOWER], np.tile(rest, (150, 1)), atol=1e-6)
    loud = animate(avatar, babble(6.0), encoder=TinyEncoder(), settings=AnimateSettings(strength=100))
    assert loud.action_units[:, LOWER].max() == pytest.approx(4.8, abs=0.01), "1.2 times what the avatar was shown"
    active = max(action_units.LOWER, key=lambda code: take.action_units[:, action_units.CODES.index(code)].max())
    one = animate(avatar, babble(6.0), encoder=TinyEncoder(), settings=AnimateSettings(gains={active: 0.0}))
    column = action_units.CODES.index(active)
    assert take.action_units[:, column].max() > 0
    assert one.action_units[:, column].max() <= avatar.rest_action_units[column] + 1e-6


@pytest.mark.parametrize(
    "bad", [{"gains": {"AU45": 1}}, {"strength": -1}, {"brows": float("nan")}, {"seed": -1}, {"gains": {"AU12": -1}}]
)
def test_bad_settings_are_refused(bad):
    with pytest.raises(ValueError):
        AnimateSettings(**bad)


def test_progress_rises_and_cancel_stops(avatar):
    seen: list[float] = []
    animate(avatar, babble(2), encoder=TinyEncoder(), progress=seen.append)
    assert seen == sorted(seen)
    assert seen[0] == 0
    assert seen[-1] == 1
    with pytest.raises(CancelledError):
        animate(avatar, babble(2), encoder=TinyEncoder(), cancelled=lambda: True)


def test_bytes_round_trip(take):
    again = Take.from_bytes(take.to_bytes())
    for name in ("action_units", "implicit", "head"):
        np.testing.assert_array_equal(getattr(again, name), getattr(take, name))
    assert (again.fps, again.seconds, again.audio_sha256) == (take.fps, take.seconds, take.audio_sha256)
    assert again.settings == take.settings
    assert again.warnings == take.warnings


def test_damaged_bytes_are_one_sentence(take):
    data = take.to_bytes()
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 0xFF
    for bad in (b"", b"nonsense", data[:100], data[:-30], bytes(flipped)):
        with pytest.raises(TakeError):
            Take.from_bytes(bad)


def test_pickles_in_a_take_are_not_opened():
    file = io.BytesIO()
    np.savez(file, about=np.array([{"x": 1}], object), action_units=np.zeros((1, 17)))
    with pytest.raises(TakeError):
        Take.from_bytes(file.getvalue())


def test_sampling_is_exact_on_frames_and_linear_between(take):
    moments = (np.arange(take.frames) + 0.5) / take.fps
    np.testing.assert_array_equal(take.sample_action_units(moments), take.action_units)
    np.testing.assert_array_equal(take.sample_implicit(moments), take.implicit)
    state = take.sample(11.0 / 25)
    np.testing.assert_allclose(state.action_units, (take.action_units[10] + take.action_units[11]) / 2, atol=1e-6)
    np.testing.assert_allclose(state.head.to_array(), (take.head[10] + take.head[11]) / 2, atol=1e-6)
    np.testing.assert_array_equal(take.sample_head(-5.0), take.head[0])
    np.testing.assert_array_equal(take.sample_head(999.0), take.head[-1])
    assert take.state(3).implicit.shape == (32,)


def test_blink_rate_is_as_asked():
    times = blink_times(3600, 17, np.random.default_rng(0))
    assert len(times) == pytest.approx(17 * 60, rel=0.1)
    assert np.diff(times).min() >= 0.5
    assert len(blink_times(60, 0, np.random.default_rng(0))) == 0


def test_longer_performance_begins_with_the_shorter_one():
    short, long = (blink_times(seconds, 17, np.random.default_rng(3)) for seconds in (60, 120))
    np.testing.assert_array_equal(long[: len(short)], short)


def test_blinks_close_fast_and_open_slowly():
    moments = np.arange(0, 60, 0.01)
    curve = blink_curve(moments, 10, np.random.default_rng(0))
    assert curve.max() == 2.0
    assert curve.min() == 0
    start = np.flatnonzero(curve > 0)[0]
    part = curve[start : start + 40]
    assert np.argmax(part) < 12
    assert np.flatnonzero(part[np.argmax(part) :] < 0.05)[0] > 12


def test_stress_follows_loudness():
    loudness = np.full(200, -30.0)
    loudness[100:104] = 0
    stressed = prosody.stress(loudness, 25)
    assert stressed.argmax() in range(99, 105)
    assert stressed[:80].max() == 0


def test_smoothing_keeps_constants_and_shape():
    values = np.full((20, 3), 2.5, np.float32)
    np.testing.assert_allclose(prosody.smooth(values, 1.5), values, rtol=1e-6)
    assert prosody.smooth(np.zeros((1, 3)), 2).shape == (1, 3)
