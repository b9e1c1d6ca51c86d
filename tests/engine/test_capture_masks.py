# SPDX-License-Identifier: GPL-3.0-or-later
"""The masks of a frame: parts that add up to alpha, near the exact ones, whatever the background and the landmarks."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")

from painted_person import HAIR, SHIRT, Painted, RoughPerson, paint, wall

from hmtalker.capture.errors import CaptureError
from hmtalker.capture.matte import masks as masks_module
from hmtalker.capture.matte import person_matte
from hmtalker.capture.matte.face_regions import MOUTH, OVAL, coverage, face_regions, mouth_outline
from hmtalker.capture.matte.head_frame import HeadFrame, face_side
from hmtalker.capture.matte.masks import FrameMasks, MaskMaker

SIZE = 240
ROOM = wall(SIZE, SIZE)
SCREEN = np.full((SIZE, SIZE, 3), (50, 190, 70), np.uint8)
PARTS = ("mouth", "hair", "face", "body")


def people_before(room: np.ndarray) -> list[Painted]:
    return [paint(room, (8 * np.sin(i), 3 * np.cos(i)), opening=0.03 * (i % 5), seed=i) for i in range(10)]


def prepared(people: list[Painted], room: np.ndarray, **options: str) -> MaskMaker:
    with pytest.MonkeyPatch.context() as patch:
        for module in (masks_module, person_matte):
            patch.setattr(module, "PersonNetwork", lambda: RoughPerson(room))
        return MaskMaker.prepare([p.frame for p in people], [p.landmarks for p in people], **options)


@pytest.fixture(scope="module")
def in_room() -> tuple[list[Painted], MaskMaker]:
    people = people_before(ROOM)
    return people, prepared(people, ROOM)


@pytest.fixture(scope="module")
def keyed() -> tuple[list[Painted], MaskMaker]:
    people = people_before(SCREEN)
    return people, prepared(people, SCREEN)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float(((a > 0.5) & (b > 0.5)).sum() / ((a > 0.5) | (b > 0.5)).sum())


def check_sums(masks: FrameMasks) -> None:
    total = sum(getattr(masks, part) for part in PARTS)
    assert np.abs(total - masks.alpha).max() < 1e-5
    for part in (*PARTS, "alpha"):
        value = getattr(masks, part)
        assert value.dtype == np.float32
        assert value.min() >= 0
        assert value.max() <= 1
    assert masks.foreground.dtype == np.uint8


@pytest.mark.parametrize("fixture", ["in_room", "keyed"])
def test_parts_are_near_the_exact_ones(fixture: str, request: pytest.FixtureRequest) -> None:
    people, maker = request.getfixturevalue(fixture)
    for index in (3, 4):
        masks = maker(people[index].frame, people[index].landmarks)
        check_sums(masks)
        found = {part: iou(getattr(masks, part), getattr(people[index], part)) for part in (*PARTS, "alpha")}
        assert found["alpha"] > 0.98
        assert found["body"] > 0.95
        assert found["face"] > 0.93
        assert found["hair"] > 0.88
        assert found["mouth"] > 0.6


def test_the_kind_is_chosen_and_said(
    in_room: tuple[list[Painted], MaskMaker], keyed: tuple[list[Painted], MaskMaker]
) -> None:
    assert keyed[1].kind == "screen"
    assert "green screen" in keyed[1].reason
    assert np.abs(keyed[1].background_plate.astype(int) - SCREEN).mean() < 3
    assert in_room[1].kind == "person"
    assert in_room[1].reason.endswith(".")
    assert in_room[1].background_plate.dtype == np.uint8
    assert prepared(keyed[0], SCREEN, matte="person").kind == "person"


def test_screen_that_is_not_there_cannot_be_asked_for(in_room: tuple[list[Painted], MaskMaker]) -> None:
    with pytest.raises(CaptureError, match="no blue or green screen"):
        prepared(in_room[0], ROOM, matte="screen")


def test_without_a_matte_everything_is_kept_and_the_parts_are_still_told(
    in_room: tuple[list[Painted], MaskMaker],
) -> None:
    person = in_room[0][4]
    maker = prepared(in_room[0], ROOM, matte="none")
    masks = maker(person.frame, person.landmarks)
    assert (maker.kind, maker.background_plate) == ("none", None)
    assert (masks.alpha == 1).all()
    assert np.array_equal(masks.foreground, person.frame)
    check_sums(masks)
    assert iou(masks.hair, person.hair) > 0.8
    assert masks.body[:20].min() == 1


def test_without_a_face_there_is_still_alpha(in_room: tuple[list[Painted], MaskMaker]) -> None:
    people, maker = in_room
    for landmarks in (None, np.full((478, 3), np.nan, np.float32), np.zeros((478, 3), np.float32)):
        masks = maker(people[0].frame, landmarks)
        assert iou(masks.alpha, people[0].alpha) > 0.98
        assert all((getattr(masks, part) == 0).all() for part in PARTS)


def test_nobody_was_seen_while_preparing() -> None:
    people = people_before(ROOM)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(person_matte, "PersonNetwork", lambda: RoughPerson(ROOM))
        maker = MaskMaker.prepare([ROOM] * 3, [None] * 3)
    masks = maker(people[0].frame, people[0].landmarks)
    assert iou(masks.alpha, people[0].alpha) > 0.97
    assert (masks.hair == 0).all()


def test_maker_works_in_another_process_and_in_any_order(in_room: tuple[list[Painted], MaskMaker]) -> None:
    people, maker = in_room
    other = pickle.loads(pickle.dumps(maker))
    maker(people[1].frame, people[1].landmarks)
    first, second = (m(people[0].frame, people[0].landmarks) for m in (maker, other))
    for part in (*PARTS, "alpha", "foreground"):
        assert np.array_equal(getattr(first, part), getattr(second, part))


def test_one_frame_is_enough() -> None:
    person = paint(ROOM)
    maker = prepared([person], ROOM)
    assert maker.background_plate is None
    masks = maker(person.frame, person.landmarks)
    check_sums(masks)
    assert iou(masks.hair, person.hair) > 0.8


def test_mouth_is_empty_when_the_lips_touch_and_grows_when_they_part() -> None:
    area = []
    for opening in (0.0, 0.01, 0.05, 0.15):
        points = paint(ROOM, opening=opening).landmarks
        area.append(float(coverage(mouth_outline(points), (SIZE, SIZE)).sum()))
    assert area[0] == 0
    assert area == sorted(area)
    exact = paint(ROOM, opening=0.15).mouth.sum()
    assert 0.8 * exact < area[3] < 1.05 * exact


def test_coloured_shirt_like_hair_stays_body() -> None:
    """A dark collar has the colour of the hair but does not hang on the head."""
    people = []
    for person in people_before(ROOM):
        frame = person.frame.copy()
        frame[215:, 60:180] = HAIR
        people.append(Painted(**{**vars(person), "frame": frame}))
    maker = prepared(people, ROOM)
    masks = maker(people[4].frame, people[4].landmarks)
    assert masks.hair[220:, 60:180].mean() < 0.05


def test_wrong_input_is_said_in_a_sentence(in_room: tuple[list[Painted], MaskMaker]) -> None:
    person = in_room[0][0]
    for frames, landmarks, options, message in (
        ([], [], {}, "no frames"),
        ([person.frame], [], {}, "1 frames but landmarks for 0"),
        ([person.frame, person.frame[:100]], [None, None], {}, "size"),
        ([person.frame], [None], {"matte": "magic"}, "no matte called 'magic'"),
    ):
        with pytest.raises(CaptureError, match=message):
            MaskMaker.prepare(frames, landmarks, **options)
    with pytest.raises(CaptureError, match="size"):
        in_room[1](person.frame[:100], person.landmarks)


def test_coverage_is_exact_on_a_rectangle_and_a_circle() -> None:
    box = np.array([[2.5, 3.5], [7.0, 3.5], [7.0, 9.5], [2.5, 9.5]])
    found = coverage(box, (14, 12))
    assert abs(found.sum() - 4.5 * 6) < 0.3
    assert (found[5:9, 4:6] == 1).all()
    assert 0.4 < found[6, 7] < 0.7  # half of the pixel
    angle = np.linspace(0, 2 * np.pi, 200)
    circle = coverage(np.stack([30 + 20 * np.cos(angle), 30 + 20 * np.sin(angle)], 1), (60, 60))
    assert abs(circle.sum() / (np.pi * 400) - 1) < 0.005


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30, -1e6])
def test_absurd_landmarks_leave_regions_empty(value: float) -> None:
    points = paint(ROOM).landmarks
    points[list(OVAL), 0] = value
    points[list(MOUTH), 0] = value
    regions = face_regions(points, (SIZE, SIZE))
    assert regions.oval.sum() == 0
    assert regions.mouth.sum() == 0


def test_face_ends_at_the_jaw_and_holds_the_ears() -> None:
    points = paint(ROOM).landmarks
    side = face_side(points, (SIZE, SIZE))
    chin, forehead = points[152], points[10]
    assert side[int(chin[1]) + 3, int(chin[0])] == 0
    assert side[int(chin[1]) - 5, int(chin[0])] == 1
    ear = int(points[234, 0]) - 6, int((chin[1] + forehead[1]) / 2)
    assert side[ear[1], ear[0]] == 1
    assert side[int(chin[1]) - 3, ear[0]] == 0  # beside the jaw: neck or shoulder


def test_atlas_moves_with_the_head() -> None:
    points = paint(ROOM).landmarks
    head = HeadFrame.fit([points])
    turn, scale, shift = np.radians(25), 1.4, np.array([12.0, -7.0])
    matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = points.copy()
    moved[:, :2] = points[:, :2] @ matrix.T + shift
    places = [
        (p[[1, 152, 234, 10], :2] @ m[:, :2].T) + m[:, 2]
        for p, m in ((points, head.to_atlas(points)), (moved, head.to_atlas(moved)))
    ]
    assert np.abs(places[0] - places[1]).max() < 1e-3


def test_shirt_of_the_colour_of_the_screen_is_kept() -> None:
    people = []
    for person in people_before(SCREEN):
        frame = person.frame.copy()
        shirt = (person.body > 0.99) & (np.abs(frame.astype(int) - SHIRT).max(-1) < 20)
        frame[shirt] = np.clip(frame[shirt].astype(int) - SHIRT + (47, 180, 66), 0, 255)
        people.append(Painted(**{**vars(person), "frame": frame}))

    class Knows:
        def __call__(self, frame: np.ndarray) -> np.ndarray:
            return cv2.resize(people[4].alpha, (256, 256), interpolation=cv2.INTER_AREA)

    maker = prepared(people, SCREEN)
    assert maker.kind == "screen"
    blind = maker(people[4].frame, people[4].landmarks)
    maker._finder = Knows()
    masks = maker(people[4].frame, people[4].landmarks)
    assert iou(blind.alpha, people[4].alpha) < 0.9
    assert iou(masks.alpha, people[4].alpha) > 0.95
