# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of how far training is: they show it, and training does not notice them."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from test_training_branches import SIZE, person  # noqa: F401

from hmtalker.motion.model import MotionConfig
from hmtalker.png_file import encode_png
from hmtalker.png_pixels import read_png
from hmtalker.training.presets import SMOKE
from hmtalker.training.preview import Preview, telling_frame
from hmtalker.training.trainer import Trainer

SHORT = replace(SMOKE, motion=replace(SMOKE.motion, iterations=12))


def trainer(person, work, report=None) -> Trainer:  # noqa: F811
    dataset, surface = person
    return Trainer(dataset, SHORT, surface, MotionConfig(feature_dimension=8), work, 1, report)


def test_training_does_not_notice_it(person, tmp_path):  # noqa: F811
    alone = trainer(person, tmp_path / "alone").run()
    watched = trainer(person, tmp_path / "watched")
    preview = Preview(person[0], 1, tmp_path / "preview.png")
    pictures = []

    def report(*_):
        torch.manual_seed(1)  # so that drawing a number would be noticed
        before = torch.get_rng_state()
        preview.refresh(watched.trained, now=True)
        pictures.append(read_png(preview.path))
        assert torch.equal(before, torch.get_rng_state())

    watched.report = report
    trained = watched.run()
    for one, other in ((alone.face, trained.face), (alone.mouth, trained.mouth), (alone.model, trained.model)):
        ours, theirs = one.state_dict(), other.state_dict()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert len(pictures) == 5
    assert {picture.shape for picture in pictures} == {(SIZE, 2 * SIZE, 3)}
    away = [np.abs(p[:, :SIZE].astype(int) - p[:, SIZE:]).mean() for p in pictures]
    assert away[-1] < away[0]


def test_the_film_is_beside_it_on_grey(person, tmp_path):  # noqa: F811
    dataset, _ = person
    picture = Preview(dataset, 1, tmp_path / "p.png").picture(trainer(person, tmp_path).trained)
    rgba = dataset.pictures.rgba[5].astype(float) / 255
    filmed = rgba[..., :3] * rgba[..., 3:] + 0.5 * (1 - rgba[..., 3:])
    assert np.abs(picture[:, SIZE:] / 255 - filmed).max() < 0.01
    assert np.abs(picture[0, 0].astype(int) - 128).max() <= 1


def test_it_is_drawn_now_and_then_and_at_the_end_of_a_stage(person, tmp_path, monkeypatch):  # noqa: F811
    preview = Preview(person[0], 1, tmp_path / "preview.png")
    trained = trainer(person, tmp_path / "work").trained
    drawn = []
    monkeypatch.setattr(preview, "picture", lambda _: drawn.append(1) or np.zeros((2, 4, 3), np.uint8))
    for now in (False, False, True, False):
        preview.refresh(trained, now=now)
    assert len(drawn) == 2
    preview.path = tmp_path / "file/preview.png"
    (tmp_path / "file").write_text("no folder")
    preview.refresh(trained, now=True)
    assert len(drawn) == 3


def test_the_frame_is_one_that_training_does_not_see_with_an_open_mouth(person):  # noqa: F811
    pictures = person[0].pictures
    assert telling_frame(pictures) == 0  # of the held-out one only the face's window is there
    units = pictures.action_units.copy()
    units[2, [14, 15]] = 3
    seen = replace(pictures, action_units=units, test=np.zeros(6, bool))
    assert telling_frame(seen) == 2
    held_out = replace(seen, test=np.arange(6) == 4)
    assert telling_frame(held_out) == 4
    assert telling_frame(replace(seen, whole=np.zeros(6, bool))) == 2


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_own_pictures_are_read_back(tmp_path, channels):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels), np.uint8)
    (tmp_path / "a.png").write_bytes(encode_png(pixels, {"Software": "test"}))
    assert np.array_equal(read_png(tmp_path / "a.png"), pixels)


def test_what_is_no_own_picture_is_none(tmp_path):
    assert read_png(tmp_path / "none.png") is None
    whole = encode_png(np.full((5, 7, 3), 9, np.uint8))
    path = tmp_path / "a.png"
    for data in (b"", b"\x89PNG", whole[:40], whole[:-40], whole.replace(b"IDAT", b"IDOT"), whole[:60] + whole[70:]):
        path.write_bytes(data)
        assert read_png(path) is None, data
    packed = zlib.compress(bytes(5 * (1 + 7 * 3)))  # rows without a filter, as others write them
    path.write_bytes(whole[:33] + struct.pack(">I", len(packed)) + b"IDAT" + packed + bytes(4))
    assert read_png(path) is None
