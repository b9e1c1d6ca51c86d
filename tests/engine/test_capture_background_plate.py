# SPDX-License-Identifier: GPL-3.0-or-later
"""The room behind a person, from frames in which somebody is always in the way."""

from __future__ import annotations

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")

from hmtalker.capture.errors import CaptureError
from hmtalker.capture.matte.background_plate import background_plate, evenly
from hmtalker.capture.matte.smooth_fill import extend


def test_background_plate_of_a_room_leaves_the_passer_by_out() -> None:
    rng = np.random.default_rng(5)
    wall = rng.integers(60, 200, (50, 70, 3)).astype(np.uint8)
    frames, masks = [], []
    for index in range(9):
        frame, mask = wall.copy(), np.ones((50, 70), bool)
        left = 6 * index
        frame[10:, left : left + 15], mask[10:, left : left + 15] = 255, False
        mask[40:, 30:35] = False  # never seen
        frames.append(frame)
        masks.append(mask)
    plate = background_plate(frames, masks)
    assert not plate.seen[40:, 30:35].any()
    assert plate.seen.sum() == 50 * 70 - 50
    assert np.allclose(plate.rgb[plate.seen] * 255, wall[plate.seen], atol=0.01)
    assert 0.2 < plate.rgb[40:, 30:35].mean() < 0.8
    with pytest.raises(CaptureError, match="never visible"):
        background_plate(frames, [np.zeros((50, 70), bool)] * 9)


def test_background_plate_is_the_median_of_an_even_and_an_odd_number() -> None:
    frames = [np.full((9, 9, 3), value, np.uint8) for value in (10, 20, 90, 250)]
    every = [np.ones((9, 9), bool)] * 4
    assert np.allclose(background_plate(frames, every).rgb * 255, 55)
    assert np.allclose(background_plate(frames[:3], every[:3]).rgb * 255, 20)


def test_even_choice_has_both_ends() -> None:
    assert evenly(3, 5) == [0, 1, 2]
    chosen = evenly(1000, 7)
    assert (len(chosen), chosen[0], chosen[-1]) == (7, 0, 999)


def test_extension_keeps_what_is_known_and_spreads_it() -> None:
    ramp = np.linspace(0, 1, 41, dtype=np.float32)[None].repeat(33, 0)
    weight = np.ones_like(ramp)
    weight[10:20, 12:25] = 0
    filled = extend(ramp * weight, weight)
    assert np.allclose(filled[weight == 1], ramp[weight == 1], atol=1e-5)
    assert np.abs(filled - ramp).max() < 0.15
    assert (extend(ramp, np.zeros_like(ramp)) == 0).all()
