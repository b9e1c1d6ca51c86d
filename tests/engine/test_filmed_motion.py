# SPDX-License-Identifier: GPL-3.0-or-later
"""An avatar may move its head and upper face as the person was filmed, for longer than the film lasts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tiny_avatar import make_tiny_avatar

from hmtalker import action_units
from hmtalker.filmed_motion import filmed_motion, forth_and_back
from hmtalker.take import AnimateSettings, animate

FILM = 10
TEMPLATE = {
    "fps": 25,
    "head": [[0.01 * t, 0, 0, 0, 0, 0.001 * t] for t in range(FILM)],
    "upper": [[0.1 * t] + [0.0] * 7 for t in range(FILM)],
}


def avatar(template: dict):
    made = make_tiny_avatar("hmtalker")
    return dataclasses.replace(made, header=made.header | {"template": template})


def test_the_film_is_played_forth_and_back_without_a_jump():
    moments = np.arange(60) / 25
    head, upper = filmed_motion(avatar(TEMPLATE), moments)
    frames = np.rint(100 * head[:, 0]).astype(int)
    assert frames[:21].tolist() == [*range(10), *range(8, -1, -1), 1, 2]
    np.testing.assert_allclose(upper[:, 0], 0.1 * frames, atol=1e-6)


def test_between_frames_there_is_motion_too():
    head, _ = filmed_motion(avatar(TEMPLATE), np.array([0.5, 1.5]) / 25)
    np.testing.assert_allclose(head[:, 0], [0.005, 0.015], atol=1e-7)


@pytest.mark.parametrize(("template", "length"), [({"fps": 25, "head": []}, None), ({}, None), (TEMPLATE, 50)])
def test_an_avatar_without_a_film_performs_and_says_so(template, length):
    silence = np.zeros(2 * 16_000, np.float32)
    take = animate(avatar(template), silence, settings=AnimateSettings(filmed=True))
    told = any("no filmed motion" in warning for warning in take.warnings)
    assert told == (length is None)
    if length is not None:
        brow = action_units.CODES.index("AU01")
        np.testing.assert_allclose(take.head[:, 0], 0.01 * forth_and_back(np.arange(50), FILM), atol=1e-6)
        np.testing.assert_allclose(take.action_units[:, brow], 10 * take.head[:, 0], atol=1e-5)


def test_older_avatars_know_the_head_alone():
    old = avatar({key: TEMPLATE[key] for key in ("fps", "head")})
    head, upper = filmed_motion(old, np.arange(5) / 25)
    assert head[4, 0] == pytest.approx(0.04)
    assert not upper.any()
