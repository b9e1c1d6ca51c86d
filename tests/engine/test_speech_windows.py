# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows of 16 steps around the centre of every video frame."""

from __future__ import annotations

import numpy as np
import pytest

from hmtalker.speech.windows import STEPS, window_features, window_starts


def ramp(steps: int, dimension: int = 3) -> np.ndarray:
    return np.repeat(np.arange(1, steps + 1, dtype=np.float32)[:, None], dimension, axis=1)


def test_at_25_fps_the_middle_pair_begins_within_the_frame() -> None:
    windows = window_features(ramp(100), 25, 50)
    assert windows.shape == (50, STEPS, 3)
    assert windows.dtype == np.float32
    assert windows.flags.c_contiguous
    # steps are numbered from 1 in the ramp
    np.testing.assert_array_equal(windows[20, 7:9, 0], [41, 42])


@pytest.mark.parametrize("fps", [23.976, 24.0, 25.0, 29.97, 30.0, 50.0, 60.0, 12.5, 120.0])
def test_the_window_is_centred_within_half_a_step_of_the_frame(fps: float) -> None:
    frames = 200
    centre = (np.arange(frames) + 0.5) * 50.0 / fps
    offset = window_starts(fps, frames) + (STEPS - 1) / 2 - centre
    assert np.all(np.abs(offset) <= 0.5 + 1e-5)


def test_outside_the_sound_is_zero() -> None:
    windows = window_features(ramp(10), 25, 20)
    np.testing.assert_array_equal(windows[0, :7], 0)
    np.testing.assert_array_equal(windows[0, 7:, 0], np.arange(1, 10))
    np.testing.assert_array_equal(windows[4, -1], 0)
    assert not windows[15:].any()


def test_fewer_frames_than_sound_only_reads_those() -> None:
    np.testing.assert_array_equal(window_features(ramp(500), 25, 3), window_features(ramp(500), 25, 90)[:3])


def test_nothing_in_nothing_out() -> None:
    assert window_features(ramp(10), 25, 0).shape == (0, STEPS, 3)
    empty = window_features(np.zeros((0, 3), np.float32), 25, 4)
    assert empty.shape == (4, STEPS, 3)
    assert not empty.any()


def test_wrong_shapes_and_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="dimension"):
        window_features(np.zeros(5, np.float32), 25, 4)
    with pytest.raises(ValueError, match="positive"):
        window_features(ramp(5), 0, 4)
