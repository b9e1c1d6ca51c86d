# SPDX-License-Identifier: GPL-3.0-or-later
"""Which frame comes next, and what it is paired with."""

from __future__ import annotations

import collections
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

from hmtalker import action_units
from hmtalker.camera import Camera
from hmtalker.capture.face.blendshape_names import BLENDSHAPES
from hmtalker.motion.fusion import Pairing
from hmtalker.training.action_unit_smoothing import smooth_action_units, with_action_units
from hmtalker.training.blendshape_cue import with_blendshape_cue
from hmtalker.training.curricula import BLINK, OPENING, FrameDraw, Lesson
from hmtalker.training.dataset import Dataset, DatasetError, Performance, Pictures
from hmtalker.training.pairing_draw import draw_pairing
from hmtalker.training.schedules import BranchSchedule, Curriculum, Pairings

FRAMES = 200
FACE = BranchSchedule(
    iterations=1000, motion_from=100, curriculum=Curriculum(opening_every=15, blink_every=15, until=0.8)
)
MOUTH = replace(FACE, curriculum=Curriculum(widest_first=True, widest_every=7, until=0.8))


@pytest.fixture
def units():
    """AU25 from 0 to 4 and AU45 from 0 to 2, in an order of their own."""
    values = np.zeros((FRAMES, 17), np.float32)
    rng = np.random.default_rng(0)
    values[:, OPENING] = rng.permutation(np.linspace(0, 4, FRAMES))
    values[:, BLINK] = rng.permutation(np.linspace(0, 2, FRAMES))
    return values


def test_every_frame_is_drawn_once_before_one_is_drawn_again():
    draw, rng = FrameDraw(np.arange(10, 30)), np.random.default_rng(0)
    assert sorted(draw.next(rng) for _ in range(20)) == list(range(10, 30))
    assert draw.next(rng) in range(10, 30)


def test_the_upcoming_frame_is_the_one_that_comes():
    draw, rng = FrameDraw(np.arange(5)), np.random.default_rng(0)
    assert draw.upcoming is None
    for _ in range(12):
        upcoming, drawn = draw.upcoming, draw.next(rng)
        assert upcoming in (None, drawn)


def test_wanted_frames_come_first_and_the_rest_is_kept():
    draw, rng = FrameDraw(np.arange(20)), np.random.default_rng(0)
    wanted = np.zeros(20, bool)
    wanted[[3, 8]] = True
    first = {draw.next(rng, wanted), draw.next(rng, wanted)}
    assert first == {3, 8}
    assert len(draw.order) == 18
    assert draw.next(rng, wanted) in (3, 8)  # a new pass


def test_a_person_without_such_frames_gets_any():
    draw, rng = FrameDraw(np.arange(20)), np.random.default_rng(0)
    assert sorted(draw.next(rng, np.zeros(20, bool)) for _ in range(20)) == list(range(20))
    outside = np.ones(30, bool)
    outside[:20] = False  # fitting frames that are not to be learnt from
    assert draw.next(rng, outside) < 20


def test_the_face_sees_wider_mouths_as_it_warms_up(units):
    lesson = Lesson("face", FACE, units, np.arange(FRAMES))
    asked = {i: lesson.wanted(i) for i in range(100)}
    due = [i for i, wanted in asked.items() if wanted is not None]
    assert due == list(range(7, 100, 15))
    opening = [units[asked[i], OPENING].mean() for i in due]
    assert (np.diff(opening) > 0).all()
    assert np.ptp(units[asked[7], OPENING]) == pytest.approx(2 * 0.2 * 3.2, abs=0.05)


def test_the_face_sees_lids_ever_more_closed(units):
    lesson = Lesson("face", FACE, units, np.arange(FRAMES))
    early, late = units[lesson.wanted(112), BLINK] / 2, units[lesson.wanted(787), BLINK] / 2
    assert early.max() <= 112 / 800 + 0.30
    assert late.min() >= 787 / 800 - 0.15
    assert lesson.wanted(113) is None
    assert lesson.wanted(802) is None


def test_the_mouth_starts_with_the_widest_and_ends_with_all(units):
    lesson = Lesson("mouth", MOUTH, units, np.arange(FRAMES))
    assert all(lesson.wanted(i) is not None for i in range(100))
    assert units[lesson.wanted(50), OPENING].min() >= np.percentile(units[:, OPENING], 95) - 1e-6
    shares = [lesson.wanted(i).mean() for i in range(101, 800, 7)]
    assert shares[-1] > 0.7 > 0.2 > shares[0]
    assert lesson.wanted(900) is None


def test_a_face_that_never_moves_has_a_curriculum_too():
    still = np.zeros((30, 17), np.float32)
    draw, rng = FrameDraw(np.arange(30)), np.random.default_rng(0)
    for branch, schedule in (("face", FACE), ("mouth", MOUTH)):
        lesson = Lesson(branch, schedule, still, np.arange(30))
        assert all(draw.next(rng, lesson.wanted(i)) < 30 for i in range(1000))
    Lesson("mouth", MOUTH, still, np.zeros(0, int))


def test_pairings_are_drawn_as_often_as_asked():
    rng, odds = np.random.default_rng(0), Pairings(0.40, 0.35, 0.15, 0.10)
    drawn = collections.Counter(draw_pairing(rng, odds) for _ in range(4000))
    for pairing, probability in zip(Pairing, odds.probabilities(), strict=True):
        assert drawn[pairing] / 4000 == pytest.approx(probability, abs=0.03)


def test_a_pairing_of_probability_zero_is_never_drawn():
    rng = np.random.default_rng(0)
    assert {draw_pairing(rng, Pairings(1.0, 0.0, 0.0, 0.0)) for _ in range(200)} == {Pairing.VIDEO}
    assert {draw_pairing(rng, Pairings(0.0, 0.0, 0.0, 2.0)) for _ in range(200)} == {Pairing.IMPLICIT_MASKED}


@pytest.mark.parametrize("odds", [(0.0, 0.0, 0.0, 0.0), (1.5, -0.5, 0.0, 0.0)])
def test_odds_that_are_none_are_refused(odds):
    with pytest.raises(ValueError, match="positive"):
        Pairings(*odds)


def test_smoothing_stills_a_tremble_inside_each_clip():
    rng = np.random.default_rng(0)
    slow = np.repeat(np.sin(np.arange(40) / 6)[:, None] + 1, action_units.COUNT, 1)
    values = np.concatenate([slow, slow[:3]])
    clips = np.repeat([0, 1], [40, 3])
    noisy = np.maximum(values + rng.normal(0, 0.2, values.shape), 0).astype(np.float32)
    smooth = smooth_action_units(noisy, clips)
    assert np.abs(np.diff(smooth[:40], 2, axis=0)).mean() < 0.7 * np.abs(np.diff(noisy[:40], 2, axis=0)).mean()
    assert np.array_equal(smooth[40:], noisy[40:])  # three frames are too few
    assert (smooth >= 0).all()


@pytest.fixture
def heard():
    """Two clips of six frames; four pictures, the last of which nobody heard."""
    performance = Performance(
        np.zeros((12, 17), np.float32),
        np.zeros((12, 6), np.float32),
        np.repeat([0, 1], 6),
        np.tile(np.arange(6), 2),
        np.array([True, True]),
        [],
        np.zeros((12, 2), np.float32),
        np.zeros((12, 0), np.float32),
    )
    nothing = np.zeros((4, 2, 2, 4), np.uint8)
    clips, frames = np.array([1, 0, 1, -1]), np.array([2, 5, 0, -1])
    pictures = Pictures(
        nothing,
        nothing[..., :3],
        np.full((4, 17), 9, np.float32),
        np.zeros((4, 6), np.float32),
        clips,
        frames,
        np.zeros(4, bool),
        np.zeros((4, 4), int),
        np.ones(4, bool),
    )
    return Dataset(Camera.in_front(2, 2), np.zeros(3), performance, pictures)


def test_pictures_take_the_action_units_of_their_moment(heard):
    units = np.repeat(np.arange(12, dtype=np.float32)[:, None], 17, 1)
    changed = with_action_units(heard, units)
    assert changed.pictures.action_units[:, 0].tolist() == [8, 5, 6, 9]
    assert (heard.pictures.action_units == 9).all()


def test_blendshapes_can_stand_in_for_measured_action_units(heard, tmp_path):
    np.savez(tmp_path / "performance.npz", clips=np.array(["a", "b"]))
    (tmp_path / "tracking").mkdir()
    shapes, seen = np.zeros((6, 52), np.float32), np.ones(6, np.float32)
    shapes[:, BLENDSHAPES.index("jawOpen")] = 0.5
    shapes[:, BLENDSHAPES.index("eyeBlinkLeft")] = shapes[:, BLENDSHAPES.index("eyeBlinkRight")] = 1
    seen[3] = 0
    for name in "ab":
        np.savez(tmp_path / "tracking" / f"{name}.npz", blendshapes=shapes, presence=seen)
    units = with_blendshape_cue(tmp_path, heard).performance.action_units
    assert units[0, action_units.CODES.index("AU26")] == pytest.approx(2.5, abs=0.01)
    assert units[0, BLINK] == pytest.approx(2.0, abs=0.01)
    assert (units[[3, 9]] == 0).all()
    np.savez(tmp_path / "tracking" / "b.npz", blendshapes=shapes[:4], presence=seen[:4])
    with pytest.raises(DatasetError, match="longer take"):
        with_blendshape_cue(tmp_path, heard)
    (tmp_path / "tracking" / "b.npz").unlink()
    with pytest.raises(DatasetError, match="has no blendshapes"):
        with_blendshape_cue(tmp_path, heard)
