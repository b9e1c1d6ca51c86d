# SPDX-License-Identifier: GPL-3.0-or-later
"""Breath, gaze, the layer's sliders and the removal of keys."""

from __future__ import annotations

import numpy as np
import pytest

from hmtalker.breath import LONGEST, breath_curve, breaths
from hmtalker.gaze import LARGEST, gaze_curve
from hmtalker.key_reduction import kept_keys, largest_error
from hmtalker.layer import adjusted, heard_units
from hmtalker.prosody import smooth

FPS = 25.0


def speech(seconds: float, pauses: list[tuple[float, float]]) -> np.ndarray:
    speaking = np.ones(round(seconds * FPS), np.float32)
    for begin, end in pauses:
        speaking[round(begin * FPS) : round(end * FPS)] = 0
    return speaking


def test_breath_at_rest_comes_about_fifteen_times_a_minute():
    counts = [len(breaths(np.zeros(1500), FPS, np.random.default_rng(seed))) - 2 for seed in range(20)]
    assert 13 <= np.mean(counts) <= 17


def test_breath_is_drawn_in_pauses_and_is_in_when_speech_begins():
    speaking = speech(30, [(0, 2), (6, 6.6), (11, 11.5), (16, 17), (22, 22.4), (27, 30)])
    for seed in range(10):
        for start, drawn in breaths(speaking, FPS, np.random.default_rng(seed)):
            if 2 < start < 26.9:
                assert speaking[int(start * FPS)] < 0.5
                assert speaking[min(int((start + drawn) * FPS + 1), 749)] > 0.5 or drawn == 1.0


def test_endless_speech_is_breathed_in_all_the_same():
    times = [start for start, _ in breaths(speech(60, []), FPS, np.random.default_rng(0))]
    assert np.diff(times).max() < LONGEST + 1


def test_a_longer_performance_begins_with_the_breath_of_a_shorter_one():
    long = breath_curve(np.zeros(1000), FPS, np.random.default_rng(4))
    np.testing.assert_allclose(breath_curve(np.zeros(500), FPS, np.random.default_rng(4)), long[:500], atol=1e-6)
    assert long.min() >= 0
    assert 0.9 < long.max() <= 1
    assert np.abs(np.diff(long)).max() < 0.2


def test_eyes_stay_on_their_point_while_the_head_turns():
    speaking, still = speech(20, [(5, 8)]), np.zeros((500, 6))
    head = still.copy()
    head[:, 1] = 0.1 * np.sin(np.arange(500) / 20)
    at_rest = gaze_curve(speaking, still, FPS, np.random.default_rng(1))
    turning = gaze_curve(speaking, head, FPS, np.random.default_rng(1))
    free = np.abs(at_rest[:, 0]) < LARGEST - 0.15
    np.testing.assert_allclose((turning[:, 0] + head[:, 1])[free], at_rest[free, 0], atol=1e-6)
    assert (np.abs(at_rest) < 0.05).all(1).mean() > 0.4, "mostly at the viewer"
    assert np.abs(at_rest).max() > 0.1, "and away at times"


def test_a_layers_sliders():
    values = np.array([0.5, 1.0, 3.0, 4.0], np.float32)
    np.testing.assert_allclose(adjusted(values, FPS, 0.5, 5.0, strength=0.0), 0.5)
    np.testing.assert_allclose(adjusted(values, FPS, 0.5, 5.0, strength=2.0), [0.5, 1.5, 5.0, 5.0])
    np.testing.assert_allclose(adjusted(values, FPS, 0.5, 5.0, offset=-1.0), [0.0, 0.0, 2.0, 3.0])
    np.testing.assert_allclose(adjusted(values, FPS, 0.0, 5.0), values)
    noise = np.random.default_rng(0).uniform(0, 5, 200).astype(np.float32)
    twice = adjusted(noise, 2 * FPS, 0.0, 5.0, smoothing=2.0)
    np.testing.assert_allclose(twice, smooth(noise, 4.0), atol=1e-6)


def test_mute_wins_over_solo():
    none = dict.fromkeys("abc", False)
    assert heard_units(none, none) == set("abc")
    assert heard_units(none | {"a": True}, none) == set("bc")
    assert heard_units(none | {"a": True}, none | {"a": True, "b": True}) == {"b"}


@pytest.mark.parametrize("error", [0.0, 0.01, 0.1, 1.0])
def test_keys_go_only_within_the_error(error):
    rng = np.random.default_rng(2)
    for sigma in (0.0, 1.0, 5.0):
        values = np.clip(3 * smooth(rng.normal(size=2000), sigma), 0, 5)
        kept = kept_keys(values, error)
        assert (kept[0], kept[-1]) == (0, 1999)
        assert (np.diff(kept) > 0).all()
        assert largest_error(values, kept) <= error + 1e-9


def test_smooth_curves_lose_most_of_their_keys_and_lines_all():
    curve = 2 + np.sin(np.arange(1000) / 30)
    assert len(kept_keys(curve, 0.05)) < 100
    assert kept_keys(np.linspace(0, 4, 500), 1e-9).tolist() == [0, 499]
    assert kept_keys(np.zeros(1), 0.1).tolist() == [0]
    assert kept_keys(np.array([0.0, 5.0, 0.0]), 0.1).tolist() == [0, 1, 2]
    with pytest.raises(ValueError):
        kept_keys(curve, float("nan"))
