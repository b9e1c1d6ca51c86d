# SPDX-License-Identifier: GPL-3.0-or-later
"""Footage is divided at cuts and minutes, framed once, and remembered; work on it can be stopped."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from hmtalker.camera import Camera
from hmtalker.capture import processes
from hmtalker.capture.errors import CaptureError
from hmtalker.capture.framing import choose_framing, face_window
from hmtalker.capture.journal import Clock, Journal, digest
from hmtalker.capture.options import Progress
from hmtalker.capture.pieces import PIECE_FRAMES, Piece, Source, divide, find_videos, make_clips
from hmtalker.capture.shots import difference, find_cuts, thumbnail
from hmtalker.capture.video_file import VideoInfo
from hmtalker.errors import CancelledError


def source(name: str, frames: int) -> Source:
    info = VideoInfo(Path(name + ".mp4"), 640, 480, 0, 25.0, False, frames / 25, "h264", 48000, 0.0)
    return Source(info, name, name)


# -- cuts ---------------------------------------------------------------------------------------------------


def scene(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 200, (12, 16, 3)).astype(np.float32)
    return np.kron(coarse, np.ones((10, 10, 1), np.float32))


def differences(images: list[np.ndarray]) -> np.ndarray:
    thumbs = [thumbnail(image.astype(np.uint8)) for image in images]
    return np.array([difference(a, b) for a, b in zip([None, *thumbs[:-1]], thumbs, strict=True)])


def nobody(count: int) -> np.ndarray:
    return np.full((count, 478, 2), np.nan)


def test_a_cut_is_found_and_a_pan_is_none():
    one, other = scene(0), scene(1)
    pan = [np.roll(one, 2 * k, axis=1) for k in range(30)]
    cuts = find_cuts(differences([*pan, *[other] * 20]), nobody(50))
    assert np.flatnonzero(cuts).tolist() == [30]


def test_a_light_switched_on_is_no_cut():
    one = scene(0)
    cuts = find_cuts(differences([one] * 20 + [one * 1.0 + 12] * 20), nobody(40))
    assert not cuts.any()


def test_noise_is_no_cut():
    rng = np.random.default_rng(3)
    images = [np.clip(scene(0) + rng.normal(0, 12, (120, 160, 3)), 0, 255) for _ in range(40)]
    assert not find_cuts(differences(images), nobody(40)).any()


def test_a_face_that_leaps_is_a_cut():
    face = np.tile(np.random.default_rng(0).uniform(100, 200, (478, 2)), (30, 1, 1))
    face[:, 33], face[:, 263] = (120, 150), (180, 150)
    face[18:] += 40
    assert np.flatnonzero(find_cuts(np.zeros(30), face)).tolist() == [18]
    assert not find_cuts(np.zeros(0), face[:0]).any()
    assert not find_cuts(np.zeros(1), face[:1]).any()


# -- pieces and clips ---------------------------------------------------------------------------------------


def test_long_footage_is_divided_at_minutes_and_covers_every_frame():
    for frames in (1, 75, PIECE_FRAMES, PIECE_FRAMES + 1, 2 * PIECE_FRAMES + 700, 90_000):
        pieces = divide([source("a", frames)])
        assert pieces[0].begin == 0
        assert pieces[-1].end == frames
        assert [p.end for p in pieces[:-1]] == [p.begin for p in pieces[1:]]
        assert all(p.end - p.begin <= PIECE_FRAMES * 4 / 3 + 1 for p in pieces)
        assert [p.last for p in pieces] == [False] * (len(pieces) - 1) + [True]


def test_clips_end_at_cuts_and_a_long_take_stays_one_shot():
    pieces = [Piece(0, 0, 1500, False), Piece(0, 1500, 3000, False), Piece(0, 3000, 4000, True), Piece(1, 0, 75, True)]
    cuts = [np.zeros(1500, bool), np.zeros(1500, bool), np.zeros(1000, bool), np.zeros(75, bool)]
    cuts[1][[700, 704]] = True  # four frames between two cuts are left out
    cuts[3][0] = True
    clips = make_clips([source("long", 4000), source("short", 75)], pieces, [1500, 1500, 1000, 75], cuts)
    assert [(c.name, c.begin, c.end, c.shot) for c in clips] == [
        ("long.001", 0, 1500, 0),
        ("long.002", 1500, 2200, 0),
        ("long.003", 2204, 3000, 2),
        ("long.004", 3000, 4000, 2),
        ("short", 0, 75, 3),
    ]


def test_a_piece_that_holds_nothing_gives_no_clip():
    pieces = [Piece(0, 0, 1500, False), Piece(0, 1500, 3000, True)]
    clips = make_clips([source("a", 3000)], pieces, [1500, 0], [np.zeros(1500, bool), np.zeros(0, bool)])
    assert [(c.name, c.begin, c.end) for c in clips] == [("a", 0, 1500)]


def test_folders_give_their_videos_by_name(tmp_path):
    for name in ("b.mp4", "a.MOV", "notes.txt"):
        (tmp_path / name).touch()
    assert [p.name for p in find_videos([tmp_path, tmp_path / "b.mp4"])] == ["a.MOV", "b.mp4"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(CaptureError, match="no video in the folder"):
        find_videos([tmp_path / "empty"])


# -- framing ------------------------------------------------------------------------------------------------


def test_framing_holds_head_and_shoulders_inside_the_picture():
    boxes = np.tile([900.0, 300.0, 1100.0, 560.0], (100, 1)) + np.random.default_rng(0).normal(0, 5, (100, 1))
    framing = choose_framing(boxes, 1920, 1080, 512)
    assert framing.size == 512
    assert 2.4 * 260 < framing.side < 2.9 * 260
    assert 0 <= framing.left <= 1920 - framing.side
    assert 0 <= framing.top <= 1080 - framing.side
    middle = framing.points(np.array([[1000.0, 430.0]]))[0]
    assert 0.4 < middle[0] / 512 < 0.6
    assert 0.35 < middle[1] / 512 < 0.55


def test_small_footage_is_not_enlarged_and_a_wandering_face_stays_in():
    boxes = np.stack([np.array([x, 60.0, x + 100, 190]) for x in np.linspace(20, 200, 50)])
    framing = choose_framing(boxes, 360, 288, 512)
    assert framing.size == framing.side <= 288
    assert framing.left <= 20
    assert framing.left + framing.side >= 300


def test_points_follow_the_pixels_of_the_cut():
    image = np.zeros((200, 300, 3), np.uint8)
    image[80:88, 160:168] = 255
    framing = choose_framing(np.tile([130.0, 60.0, 190.0, 120.0], (10, 1)), 300, 200, 80)
    cut = framing.cut(image).astype(float)[..., 0]
    y, x = np.mgrid[: framing.size, : framing.size]
    seen = [(cut * x).sum() / cut.sum(), (cut * y).sum() / cut.sum()]
    assert np.allclose(framing.points(np.array([[163.5, 83.5, 2.0]]))[0, :2], seen, atol=0.05)


def test_the_cameras_of_picture_and_cut_see_the_same():
    K = np.array([[500.0, 0, 150], [0, 500, 100], [0, 0, 1]])
    whole = Camera(300, 200, K, np.eye(4))
    framing = choose_framing(np.tile([130.0, 60.0, 190.0, 120.0], (10, 1)), 300, 200, 80)
    camera = framing.camera(whole)
    point = np.array([0.1, -0.05, 2.0])
    in_whole, in_cut = (k @ point / point[2] for k in (whole.K, camera.K))
    # K counts from a pixel's corner, landmarks from its middle
    assert np.allclose(framing.points(in_whole[None, :2] - 0.5)[0] + 0.5, in_cut[:2], atol=1e-4)


def test_face_windows_stay_inside_the_frame():
    assert face_window(np.array([-20.0, 30, 90, 140]), 100).tolist() == [0, 0, 100, 100]


# -- journal ------------------------------------------------------------------------------------------------


def test_finished_work_is_remembered_and_changed_inputs_are_not(tmp_path):
    journal = Journal(tmp_path / "new" / "dataset")
    (journal.folder / "a").touch()
    journal.mark("read/a", digest(1, "x"))
    again = Journal(journal.folder)
    assert again.is_done("read/a", digest(1, "x"), journal.folder / "a")
    assert not again.is_done("read/a", digest(2, "x"), journal.folder / "a")
    assert not again.is_done("read/a", digest(1, "x"), journal.folder / "gone")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": 1, "done": 3, "facts": {}}'])
def test_a_damaged_record_costs_time_not_the_capture(tmp_path, text):
    (tmp_path / "capture.json").write_text(text)
    assert not Journal(tmp_path).is_done("read/a", "")


def test_foreign_folders_are_left_alone(tmp_path):
    (tmp_path / "thesis.doc").touch()
    with pytest.raises(CaptureError, match="holds other files"):
        Journal(tmp_path)
    (tmp_path / "capture.json").write_text(json.dumps({"format": 99, "done": {}, "facts": {}}))
    with pytest.raises(CaptureError, match="another version"):
        Journal(tmp_path)


def test_a_folder_that_cannot_be_written_gives_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CaptureError, match="cannot be written"):
        Journal(tmp_path / "file" / "dataset")


def test_progress_is_told_and_cancel_ends_a_stage():
    told: list[Progress] = []
    stop = False
    clock = Clock(2, told.append, lambda: stop)
    with clock.stage("Read", 10) as advance:
        advance(10)
    assert (told[0].stage, told[0].index, told[0].count, told[0].share) == ("Read", 0, 2, 0.0)
    assert told[-1].share == 1.0
    stop = True
    with pytest.raises(CancelledError), clock.stage("Frames", 10) as advance:
        advance(1)


# -- processes ----------------------------------------------------------------------------------------------


def square(job: int, beat: processes.Beat) -> int:
    beat()
    if job == 99:
        raise CaptureError("The clip is bad.")
    if job == 98:
        os._exit(1)
    return job * job


@pytest.mark.parametrize("count", [1, 2])
def test_work_is_spread_and_counted(count):
    done: list[int] = []
    results = dict(processes.each(square, [3, 4, 5], count, done.append, lambda: False))
    assert results == {0: 9, 1: 16, 2: 25}
    if count == 1:
        assert sum(done) == 3


@pytest.mark.parametrize("count", [1, 2])
def test_an_error_in_the_work_comes_back(count):
    with pytest.raises(CaptureError, match="The clip is bad"):
        list(processes.each(square, [1, 99, 2], count, lambda n: None, lambda: False))


def test_a_killed_process_gives_one_sentence():
    with pytest.raises(CaptureError, match="ended unexpectedly"):
        list(processes.each(square, [98, 98, 98], 2, lambda n: None, lambda: False))


@pytest.mark.parametrize("count", [1, 2])
def test_cancel_ends_the_work(count):
    with pytest.raises(CancelledError):
        list(processes.each(square, [1, 2, 3], count, lambda n: None, lambda: True))
