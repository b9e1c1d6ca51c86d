# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours, times, regions and spaces of dubbing, each against numbers that are known."""

from __future__ import annotations

import json

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")
pytest.importorskip("av")

from filmed_people import write_film

from hmtalker.camera import Camera
from hmtalker.capture.framing import Framing
from hmtalker.capture.head.canonical_face import canonical_face
from hmtalker.capture.head.head_pose_model import rotation_matrices
from hmtalker.capture.video_file import probe
from hmtalker.dub.alignment import Alignment
from hmtalker.dub.backdrop import Backdrop
from hmtalker.dub.colour_match import fit_colours, match_colours, steadied
from hmtalker.dub.footage import Footage
from hmtalker.dub.mouth_region import MouthRegion, soft
from hmtalker.dub.pictures import FilmPictures
from hmtalker.dub.window import Window
from hmtalker.errors import HMTalkerError
from hmtalker.filmed_motion import ping_pong
from hmtalker.head_pose import HeadPose

MESH = np.asarray(canonical_face())
PIVOT = np.array([0.0, -0.07, -0.05])
CAMERA = Camera.in_front(200, 200, 0.9, 0.5)
POSE = HeadPose((0.05, -0.15, 0.04), (0.01, -0.02, 0.03))


def test_a_gain_an_offset_and_a_slope_are_found_beside_wrong_pixels():
    rng = np.random.default_rng(0)
    ours, across = rng.uniform(0.2, 0.8, (4000, 3)), rng.uniform(-0.4, 0.4, (4000, 2))
    theirs = 0.9 * ours + [0.05, 0.0, -0.03] + across @ np.array([[0.1, 0.0, 0.0], [0.0, 0.1, 0.0]])
    wrong = rng.random(4000) < 0.2
    theirs[wrong] = rng.uniform(0, 1, (wrong.sum(), 3))
    terms = fit_colours(ours, theirs, np.ones(4000), across)
    error = np.abs(match_colours(ours, terms, across) - theirs)[~wrong]
    assert error.mean() < 0.02
    assert np.abs(ours - theirs)[~wrong].mean() > 0.05


def test_too_little_skin_gives_no_colours():
    assert fit_colours(np.ones((9, 3)), np.ones((9, 3)), np.ones(9), np.zeros((9, 2))) is None
    assert fit_colours(np.ones((99, 3)), np.ones((99, 3)), np.zeros(99), np.zeros((99, 2))) is None


def test_colours_that_flicker_are_steadied_and_frames_keep_their_order():
    terms = [np.full((3, 4), 0.1 + 0.05 * (-1) ** n) for n in range(60)]
    told = list(steadied(zip(range(60), [None if n == 30 else t for n, t in enumerate(terms)], strict=True), 25))
    assert [number for number, _ in told] == list(range(60))
    level = np.array([t[0, 0] for _, t in told])
    assert np.abs(np.diff(level)).max() < 0.02
    assert level.mean() == pytest.approx(0.1, abs=0.003)


def test_without_any_colours_nothing_is_changed():
    ((_, terms),) = steadied([("only", None)], 25)
    picture = np.random.default_rng(0).random((4, 5, 3), np.float32)
    assert match_colours(picture, terms, np.zeros((4, 5, 2))) == pytest.approx(picture)


def test_back_and_forth_never_jumps():
    assert [ping_pong(n, 4) for n in range(8)] == [0, 1, 2, 3, 2, 1, 0, 1]
    assert [ping_pong(n, 1) for n in range(3)] == [0, 0, 0]


def dataset(folder, values, usable, seconds, begin=0, names=("take",)):
    """Tables of one clip, and of videos that have none."""
    folder.mkdir(exist_ok=True)
    count = len(usable)
    sources = [{"name": n, "file_name": f"{n}.mp4", "seconds": seconds} for n in names]
    facts = {"sources": sources, "clips": [{"name": "take", "source": 0, "begin": begin, "frames": count}]}
    (folder / "report_facts.json").write_text(json.dumps(facts), "utf-8")
    (folder / "camera.json").write_text(json.dumps({"crop": {"left": 0, "top": 0, "side": 160, "size": 160}}), "utf-8")
    np.savez(
        folder / "head.npz", rotations=np.zeros((count, 3, 3)), poses=np.zeros((count, 6)), size=np.array([200, 200]),
        K=CAMERA.K, world_to_camera=CAMERA.world_to_camera, pivot=PIVOT, mesh=MESH, reasons=np.zeros(count, np.uint8),
        errors=np.zeros(count), jitter=np.zeros(2), clip_jitter=np.zeros((1, 2)),
    )  # fmt: skip
    columns = {"head": 6, "action_units": 17, "body": 3}
    tables = {name: np.repeat(values[:, None], width, 1) for name, width in columns.items()}
    np.savez(folder / "performance.npz", usable=usable, **tables)
    return folder


@pytest.mark.parametrize("rate", [12.5, 25.0, 30.0, 59.94])
def test_pictures_of_any_rate_know_where_the_head_was(tmp_path, rate):
    shown = np.floor((np.arange(50) + 0.5) / 25 * rate + 1e-9) / rate  # when the picture began that each frame saw
    footage = Footage(dataset(tmp_path, shown, np.ones(50, bool), 2.0))
    times = np.arange(round(2 * rate)) / rate
    told = footage.at_pictures(times)
    assert told.known.all()
    inside = (times >= shown[0]) & (times <= shown[-1])
    assert told.head[inside, 0] == pytest.approx(times[inside], abs=1e-6)
    assert told.action_units.shape == (len(times), 17)
    assert np.abs(told.rows / 25 - times).max() < 0.06


def test_where_no_face_was_measured_none_is_made_up(tmp_path):
    usable = np.ones(50, bool)
    usable[10:20], usable[30] = False, False
    footage = Footage(dataset(tmp_path, np.arange(50.0), usable, 2.0))
    told = footage.at_pictures(np.arange(50) / 25)
    assert not told.known[13:17].any()
    assert told.known[[0, 9, 20, 30, 49]].all()
    assert told.head[30, 0] == pytest.approx(30)
    assert (footage.at_frames().known == usable).all()


def test_several_videos_must_be_told_apart(tmp_path):
    folder = dataset(tmp_path, np.arange(5.0), np.ones(5, bool), 0.2, names=("take", "other"))
    with pytest.raises(HMTalkerError, match="holds 2 videos; say which with --clip"):
        Footage(folder)
    assert Footage(folder, "take.mp4").name == "take"
    with pytest.raises(HMTalkerError, match="No part of 'other' could be used"):
        Footage(folder, "other")


def test_pictures_come_in_any_order(tmp_path, monkeypatch):
    monkeypatch.setattr("hmtalker.dub.pictures.CHUNK_BYTES", 3 * 32 * 32 * 5)
    shades = [np.full((32, 32, 3), 40 + 5 * n, np.uint8) for n in range(30)]
    pictures = FilmPictures(probe(write_film(tmp_path / "a.mp4", shades, np.zeros(16_000, np.float32), 30)), 60)
    assert (len(pictures), pictures.rate, pictures.size) == (30, 30, (32, 32))
    for number in (0, 17, 3, 29, 28, 0):
        assert pictures[number].mean() == pytest.approx(40 + 5 * number, abs=2)
    assert len(FilmPictures(pictures.info, 0.5)) == 15


def test_a_film_of_varying_rate_is_shown_as_it_would_be_seen(tmp_path):
    moments = np.concatenate([np.arange(20) / 20, 1 + np.arange(10) / 10])
    shades = [np.full((32, 32, 3), 40 + 5 * n, np.uint8) for n in range(30)]
    sound = np.zeros(32_000, np.float32)
    pictures = FilmPictures(probe(write_film(tmp_path / "a.mp4", shades, sound, 25, moments=moments)), 60)
    assert pictures.info.variable
    for index in range(len(pictures)):
        seen = np.searchsorted(moments, (index + 0.5) / pictures.rate, side="right") - 1
        assert pictures[index].mean() == pytest.approx(40 + 5 * seen, abs=2)


def test_the_region_holds_every_chin_and_no_eye():
    region = MouthRegion(MESH)
    mask = region.mask(POSE, PIVOT, CAMERA)

    def at(points):
        place = np.floor(region.project(points, POSE, PIVOT, CAMERA)).astype(int)
        return mask[place[:, 1], place[:, 0]]

    assert at(MESH[[0, 17, 61, 291, 13, 14, 152]]).min() > 0.99
    assert at(MESH[[152]] - [0, 0.1 * region.height, 0.0]).min() > 0.9
    assert at(MESH[[159, 386, 168, 10]]).max() == 0
    assert at(MESH[[152]] - [0, 0.32 * region.height, 0.0]).max() == 0
    assert np.abs(np.diff(mask, axis=0)).max() < 0.5


def test_a_region_turns_with_the_head_and_leaves_the_picture_whole():
    region, far = MouthRegion(MESH), HeadPose((0, 0, 0), (5.0, 0, 0))
    window = region.window(POSE, PIVOT, CAMERA)
    whole = region.mask(POSE, PIVOT, CAMERA)
    part = region.mask(POSE, PIVOT, window.camera(CAMERA))
    assert part == pytest.approx(window.cut(whole), abs=0.02)
    rest = whole.copy()
    window.cut(rest)[:] = 0
    assert rest.max() == 0
    assert region.window(far, PIVOT, CAMERA) is None


def test_softness_ends():
    mask = soft((np.indices((9, 60))[1] > 30).astype(np.float32), 4)
    assert (mask[:, :18] == 0).all()
    assert (mask[:, 44:] == 1).all()


def test_one_head_in_two_spaces_is_seen_alike():
    """Whatever similarity lies between two captures, both draw a point of the head at the same pixel."""
    space = Alignment(1.13, rotation_matrices(np.array([[0.1, -0.2, 0.05]]))[0], np.array([0.02, 0.5, -0.1]))
    avatar_pivot = np.array([0.01, 0.4, 0.02])
    head, camera = space.head(POSE, PIVOT, avatar_pivot), space.camera(CAMERA)
    region = MouthRegion(MESH)
    seen = region.project(MESH, POSE, PIVOT, CAMERA)
    again = region.project(space.points(MESH), head, avatar_pivot, camera)
    assert again == pytest.approx(seen, abs=1e-6)
    assert np.linalg.norm(space.body(np.array([0.0, 0.01, 0.0]))) == pytest.approx(0.0113)


def test_behind_the_person_lies_the_plate_and_beside_them_the_picture(tmp_path):
    rng = np.random.default_rng(0)
    plate, picture = np.full((40, 40, 3), 200, np.uint8), rng.integers(0, 60, (60, 80, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "background.png"), plate)
    framing = Framing(20, 10, 40, 40)
    alpha = np.zeros((40, 40), np.uint8)
    alpha[:, 15:25] = 255
    for part in ("frames", "masks"):
        (tmp_path / part).mkdir()
        cv2.imwrite(str(tmp_path / part / "000000.png"), np.dstack([alpha] * 4))
    backdrop, window = Backdrop(tmp_path, framing), Window(22, 12, 58, 48)
    outline, head = backdrop.outline(0, window)
    assert outline[:, 13:23].min() == 1
    assert outline.sum() == pytest.approx(36 * 10, rel=0.02)
    assert head == pytest.approx(outline)
    behind = backdrop.behind(picture, outline, window)
    assert behind[:, 16:20] == pytest.approx(200 / 255, abs=0.01)
    assert behind[:, :6] == pytest.approx(window.cut(picture)[:, :6] / 255, abs=0.01)
    (tmp_path / "background.png").unlink()
    filled = Backdrop(tmp_path, framing).behind(picture, outline, window)
    assert filled[:, 16:20].max() < 60 / 255
