# SPDX-License-Identifier: GPL-3.0-or-later
"""Dubbed footage shows what the new voice says, and everything else as it was filmed."""

from __future__ import annotations

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")
av = pytest.importorskip("av")
soundfile = pytest.importorskip("soundfile")
pytest.importorskip("scipy")

from filmed_people import AVATAR
from footage_of_avatar import MESH, OPEN, drawn, film_avatar, say, units_of

from hmtalker.capture.video_file import probe, read_pictures
from hmtalker.dub.dub import DubOptions, dub
from hmtalker.dub.film_file import FilmFile
from hmtalker.dub.mouth_region import MouthRegion
from hmtalker.errors import CancelledError, HMTalkerError, RenderError
from hmtalker.filmed_motion import ping_pong
from hmtalker.head_pose import HeadPose
from hmtalker.marking.mp4 import read_xmp
from hmtalker.png_file import SYNTHETIC_MEDIA, read_text

COUNT = 12
TINT = (0.8, 0.9, 0.97)


@pytest.fixture(scope="module")
def shut(tmp_path_factory):
    return film_avatar(tmp_path_factory.mktemp("shut"), {}, COUNT)


@pytest.fixture(scope="module")
def gaping(tmp_path_factory):
    return film_avatar(tmp_path_factory.mktemp("gaping"), OPEN, COUNT, TINT)


def voice(folder, seconds=COUNT / 25):
    path = folder / "voice.wav"
    soundfile.write(path, 0.1 * np.sin(np.arange(round(seconds * 16_000)) / 9), 16_000)
    return path


def dubbed(filmed, folder, region="mouth", seconds=COUNT / 25, **options):
    """uint8 [n,H,W,3], before any coding."""
    frames = folder / "frames"
    dub(
        DubOptions(
            AVATAR, filmed.film, voice(folder, seconds), None, frames, region, filmed.dataset, threads=1, **options
        )
    )
    return np.stack([cv2.imread(str(path))[..., ::-1] for path in sorted(frames.glob("*.png"))])


def original(filmed):
    return np.stack([picture for _, picture in read_pictures(probe(filmed.film), 0)])


def inner(filmed):
    """bool [n,H,W]: where a pixel is wholly the avatar's."""
    region = MouthRegion(MESH)
    pivot = np.load(filmed.dataset / "head.npz")["pivot"]
    return np.stack([region.mask(HeadPose.from_array(h), pivot, filmed.camera) for h in filmed.head]) > 0.99


def off(a, b, where):
    """Mean absolute difference of 255 where it counts."""
    return float(np.abs(a.astype(float) - b.astype(float))[where].mean())


@pytest.mark.parametrize("region", ["mouth", "head"])
def test_saying_the_same_changes_next_to_nothing(shut, tmp_path, monkeypatch, region):
    say(monkeypatch, {})
    everywhere = np.ones((COUNT, *original(shut).shape[1:3]), bool)
    assert off(dubbed(shut, tmp_path, region), original(shut), everywhere) < 1


@pytest.mark.parametrize("region", ["mouth", "head"])
def test_shut_lips_open_and_the_light_stays(shut, gaping, tmp_path, monkeypatch, region):
    say(monkeypatch, OPEN)
    result, truth = dubbed(shut, tmp_path, region), drawn(units_of(COUNT, OPEN), shut.head)
    where = inner(shut)
    assert off(result, truth, where) < 0.3 * off(original(shut), truth, where)


def test_no_old_chin_shows_under_a_mouth_that_shuts_and_colours_are_those_of_the_film(gaping, tmp_path, monkeypatch):
    say(monkeypatch, {})
    result, truth = dubbed(gaping, tmp_path), drawn(units_of(COUNT, {}), gaping.head, TINT)
    assert off(result, truth, inner(gaping)) < 0.1 * off(original(gaping), truth, inner(gaping))
    # without any matching the tint alone would make this difference
    plain = drawn(units_of(COUNT, {}), gaping.head)
    assert off(result, truth, inner(gaping)) < 0.1 * off(plain, truth, inner(gaping))


def test_eyes_and_wall_stay_bit_for_bit(shut, tmp_path, monkeypatch):
    say(monkeypatch, OPEN)
    result, before = dubbed(shut, tmp_path), original(shut)
    at = np.flatnonzero((result != before).any((0, 3)).any(1))
    eyes = MouthRegion(MESH).project(
        MESH[[159, 386]], HeadPose(), np.load(shut.dataset / "head.npz")["pivot"], shut.camera
    )
    assert at.min() > eyes[:, 1].max()
    sides = np.flatnonzero((result != before).any((0, 3)).any(0))
    assert sides.min() > 40
    assert sides.max() < before.shape[2] - 40


def test_what_is_not_drawn_keeps_its_brightness(shut, tmp_path, monkeypatch):
    say(monkeypatch, OPEN)
    out = tmp_path / "out.mp4"
    dub(DubOptions(AVATAR, shut.film, voice(tmp_path), out, dataset=shut.dataset, threads=1))
    wall = (slice(None), slice(0, 190), slice(0, 36))
    brightness = [luma(path)[wall].mean() for path in (shut.film, out)]
    assert brightness[0] == pytest.approx(brightness[1], abs=0.3)


def luma(path):
    """uint8 [n,H,W]: what the file holds, untouched by any conversion of colours."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray()[: frame.height] for frame in container.decode(video=0)])


def test_a_longer_voice_plays_the_footage_back_and_forth(shut, tmp_path, monkeypatch):
    say(monkeypatch, {})
    result = dubbed(shut, tmp_path, seconds=(2 * COUNT + 3) / 25)
    assert len(result) == 2 * COUNT + 3
    top, before = result[:, :40], original(shut)[:, :40]
    order = [ping_pong(number, COUNT) for number in range(len(result))]
    assert order[: 2 * COUNT] == [*range(COUNT), *range(COUNT - 2, -1, -1), 1]
    assert (top == before[order]).all()


def test_a_shorter_voice_ends_the_film(shut, tmp_path, monkeypatch):
    say(monkeypatch, {})
    assert len(dubbed(shut, tmp_path, seconds=5 / 25)) == 5


def test_the_film_has_the_footages_size_and_rate_the_voice_and_the_mark(shut, tmp_path, monkeypatch):
    say(monkeypatch, OPEN)
    out = tmp_path / "out.mp4"
    told = []
    options = DubOptions(AVATAR, shut.film, voice(tmp_path), out, tmp_path / "png", dataset=shut.dataset, threads=1)
    assert dub(options, told.append).pictures == COUNT
    with av.open(str(out)) as container:
        picture, sound = container.streams.video[0], container.streams.audio[0]
        assert (picture.width, picture.height, picture.average_rate) == (260, 200, 25)
        assert (picture.codec_context.name, picture.pix_fmt) == ("h264", "yuv420p")
        assert float(sound.duration * sound.time_base) == pytest.approx(COUNT / 25, abs=0.03)
        assert "Synthetic media" in container.metadata["comment"]
        heard = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(sound)])
    assert np.abs(heard).max() == pytest.approx(0.1, abs=0.03)
    frames = np.stack([picture for _, picture in read_pictures(probe(out), 0)])
    pngs = np.stack([cv2.imread(str(path))[..., ::-1] for path in sorted((tmp_path / "png").iterdir())])
    assert off(frames, pngs, np.ones(frames.shape[:3], bool)) < 3
    assert SYNTHETIC_MEDIA in read_xmp(out)
    assert read_text(tmp_path / "png" / "000001.png")["Source"] == SYNTHETIC_MEDIA
    assert told[-1].share == 1
    assert not list(tmp_path.glob(".*"))


def test_a_dataset_without_its_film_gives_the_square(shut, tmp_path, monkeypatch):
    say(monkeypatch, OPEN)
    options = DubOptions(AVATAR, shut.dataset, voice(tmp_path), None, tmp_path / "frames", threads=1)
    dub(options)
    result = cv2.imread(str(tmp_path / "frames" / "000003.png"))[..., ::-1]
    truth = drawn(units_of(COUNT, OPEN), shut.head)[2, 4:196, 40:232]
    assert result.shape == truth.shape
    where = inner(shut)[2, 4:196, 40:232]
    assert off(result, truth, where) < 0.3 * off(original(shut)[2, 4:196, 40:232], truth, where)


def test_cancelling_leaves_no_film(shut, tmp_path, monkeypatch):
    say(monkeypatch, {})
    asked = iter([False] * 3 + [True] * 99)
    options = DubOptions(AVATAR, shut.film, voice(tmp_path), tmp_path / "a.mp4", dataset=shut.dataset, threads=1)
    with pytest.raises(CancelledError, match="no film"):
        dub(options, cancelled=lambda: next(asked))
    assert [path.name for path in tmp_path.iterdir()] == ["voice.wav"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"output": None}, "nothing to write"),
        ({"output": "a.avi"}, "does not end in .mp4"),
        ({"footage": "no.mp4"}, "does not exist"),
        ({"region": "ears"}, "no region 'ears'"),
        ({"dataset": "."}, "not a finished capture"),
        ({"clip": "other"}, "no video 'other'"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(shut, tmp_path, change, words):
    settings = {"output": "out.mp4", "footage": shut.film, "dataset": shut.dataset} | change
    for key in ("output", "footage", "dataset"):
        settings[key] = None if settings[key] is None else tmp_path / settings[key]
    with pytest.raises(HMTalkerError, match=words) as error:
        dub(DubOptions(AVATAR, voice=voice(tmp_path), threads=1, **settings))
    assert str(error.value).count(".\n") == 0
    assert not (tmp_path / "out.mp4").exists()


def test_another_film_of_the_same_name_is_refused(shut, tmp_path):
    other = tmp_path / "take.mp4"
    other.write_bytes(film_avatar(tmp_path / "longer", {}, COUNT + 9).film.read_bytes())
    with pytest.raises(HMTalkerError, match="is not the video that was captured"):
        dub(DubOptions(AVATAR, other, voice(tmp_path), tmp_path / "a.mp4", dataset=shut.dataset, threads=1))


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path):
    text = {"Software": "x", "Source": "y", "XML:com.adobe.xmp": "z"}
    sound = voice(tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    def write():
        with FilmFile(tmp_path / "a.mp4", (33, 21), 25, text, "") as film:
            film.set_voice(sound, 1.0)
            film.add(np.zeros((21, 33, 3), np.uint8))
            film._container = type("Full", (), {"mux": full, "close": lambda self: None})()
            film.add(np.zeros((21, 33, 3), np.uint8))

    with pytest.raises(RenderError, match="disk is full"):
        write()
    assert [path.name for path in tmp_path.iterdir()] == ["voice.wav"]


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RenderError, match="cannot be written"):
        FilmFile(tmp_path / "file" / "a.mp4", (32, 20), 25, {"Software": "x", "Source": "y"}, "")
