# SPDX-License-Identifier: GPL-3.0-or-later
"""The matte of a person before any background: exact on painted people, and what the plate and the edges do to it."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")

from painted_person import SKIN, Painted, RoughPerson, paint, wall

from hmtalker.capture.errors import CaptureError
from hmtalker.capture.matte.guided_filter import GuidedFilter, read_off
from hmtalker.capture.matte.person_matte import PersonMatte
from hmtalker.capture.matte.still_camera import still_room

ROOM = wall(240, 240)


@pytest.fixture(scope="module")
def people() -> list[Painted]:
    return [paint(ROOM, (8 * np.sin(i), 3 * np.cos(i)), seed=i) for i in range(12)]


@pytest.fixture(scope="module")
def still(people: list[Painted]) -> PersonMatte:
    return PersonMatte.fit([person.frame for person in people], RoughPerson(ROOM))


def edge_error(alpha: np.ndarray, exact: np.ndarray) -> float:
    mixed = (exact > 0.02) & (exact < 0.98)
    edge = cv2.dilate(mixed.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    return float(np.abs(alpha - exact)[edge].mean())


def test_edges_are_nearer_than_those_of_the_network(people: list[Painted], still: PersonMatte) -> None:
    person = people[4]
    rough = cv2.resize(RoughPerson(ROOM)(person.frame), (240, 240), interpolation=cv2.INTER_LINEAR)
    matte = still(person.frame)
    assert matte.alpha.dtype == np.float32
    assert matte.foreground.dtype == np.uint8
    assert edge_error(matte.alpha, person.alpha) < 0.5 * edge_error(rough, person.alpha)
    deep = cv2.erode(person.alpha, np.ones((15, 15))) == 1
    distant = cv2.dilate(person.alpha, np.ones((25, 25))) == 0
    assert (matte.alpha[deep] == 1).all()
    assert (matte.alpha[distant] == 0).all()


def test_the_plate_is_the_empty_room_and_helps(people: list[Painted], still: PersonMatte) -> None:
    assert still.room is not None
    assert np.abs(still.room.rgb * 255 - ROOM)[still.room.steady].mean() < 1.5
    assert not still.room.steady[120, 120]
    blind = PersonMatte(RoughPerson(ROOM), None)
    with_plate = np.mean([edge_error(still(p.frame).alpha, p.alpha) for p in people[::3]])
    without = np.mean([edge_error(blind(p.frame).alpha, p.alpha) for p in people[::3]])
    assert with_plate < without


def test_light_that_changes_on_the_room_does_not_become_person(people: list[Painted], still: PersonMatte) -> None:
    darker = (people[4].frame * 0.88).astype(np.uint8)

    class Same:
        def __call__(self, frame: np.ndarray) -> np.ndarray:
            return RoughPerson(ROOM)(people[4].frame)

    alpha = PersonMatte(Same(), still.room)(darker).alpha
    assert np.abs(alpha - still(people[4].frame).alpha).mean() < 0.004


def test_foreground_has_no_fringe_of_the_room() -> None:
    red = np.full((240, 240, 3), (230, 40, 40), np.uint8)
    person = paint(red, seed=3)
    matte = PersonMatte(RoughPerson(red), None)(person.frame)
    below = np.zeros_like(person.alpha, bool)
    below[120:165] = True  # cheeks: skin against red
    edge = below & (person.alpha > 0.2) & (person.alpha < 0.95) & (person.face > 0.9 * person.alpha)
    assert edge.sum() > 10
    before = np.abs(person.frame[edge].astype(float) - SKIN).mean()
    after = np.abs(matte.foreground[edge].astype(float) - SKIN).mean()
    assert after < 0.5 * before
    assert np.array_equal(matte.foreground[100:130, 110:130], person.frame[100:130, 110:130])


def test_large_frames_are_refined_at_their_full_size() -> None:
    room = wall(720, 720, 3)
    person = paint(room, seed=1, fine=2)
    matte = PersonMatte(RoughPerson(room), None)(person.frame)
    assert matte.alpha.shape == (720, 720)
    assert edge_error(matte.alpha, person.alpha) < 0.1
    assert ((matte.alpha > 0.5) == (person.alpha > 0.5)).mean() > 0.995


def test_moving_camera_has_no_plate(people: list[Painted]) -> None:
    frames, masks = [], []
    for index in range(8):
        room = np.roll(wall(240, 240, 7), (11 * index, 17 * index), (0, 1))
        person = paint(room, seed=index)
        frames.append(person.frame)
        masks.append(cv2.dilate(person.alpha, np.ones((9, 9))) > 0)
    assert still_room(frames, masks) is None
    assert still_room([people[0].frame] * 2, masks[:2]) is None
    assert still_room([people[0].frame] * 8, [np.ones((240, 240), bool)] * 8) is None


@pytest.mark.parametrize("answer", [0.0, 1.0])
def test_nobody_and_nothing_else(answer: float) -> None:
    matte = PersonMatte(lambda frame: np.full((256, 256), answer, np.float32), None)(ROOM)
    assert (matte.alpha == answer).all()
    assert np.array_equal(matte.foreground, ROOM)


def test_the_same_frame_gives_the_same_matte_also_in_another_process(people: list[Painted], still: PersonMatte) -> None:
    other = pickle.loads(pickle.dumps(still))
    still(people[1].frame)
    first, second = still(people[0].frame), other(people[0].frame)
    assert np.array_equal(first.alpha, second.alpha)
    assert np.array_equal(first.foreground, second.foreground)


def test_what_cannot_be_cut_out_is_said(still: PersonMatte) -> None:
    with pytest.raises(CaptureError, match="size"):
        still(np.zeros((100, 240, 3), np.uint8))
    with pytest.raises(CaptureError, match="no frames"):
        PersonMatte.fit([], RoughPerson(ROOM))


def test_odd_and_tiny_sizes_are_cut_out() -> None:
    for height, width in ((61, 47), (16, 90)):
        half = np.zeros((256, 256), np.float32)
        half[:, 128:] = 1
        frame = np.zeros((height, width, 3), np.uint8)
        frame[:, width // 2 :] = 200
        alpha = PersonMatte(lambda _, half=half: half, None)(frame).alpha
        assert alpha.shape == (height, width)
        assert (alpha[:, : width // 4] < 0.05).all()
        assert (alpha[:, -width // 4 :] > 0.95).all()


def test_guided_filter_finds_the_edge_of_the_picture() -> None:
    guide = np.zeros((40, 60, 3), np.float32)
    guide[:, 30:] = 0.8, 0.5, 0.2
    rough = cv2.GaussianBlur(guide[..., 0] / 0.8, (0, 0), 3)
    linear = GuidedFilter(guide, 6, 1e-4).linear(rough)
    assert (rough[:, 30] - rough[:, 29]).max() < 0.2
    sharp = read_off(linear, guide)
    assert (sharp[:, 30] - sharp[:, 29]).min() > 0.5
    twice = read_off(linear, cv2.resize(guide, (120, 80), interpolation=cv2.INTER_NEAREST))
    assert (twice[:, 60] - twice[:, 59]).min() > 0.5
