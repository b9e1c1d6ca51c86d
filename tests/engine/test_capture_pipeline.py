# SPDX-License-Identifier: GPL-3.0-or-later
"""From a film of the bundled avatar to a dataset: everything is there, agrees with what was filmed, and can go on."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from filmed_people import perform, pictures, write_film
from small_disk import small_disk

from hmtalker.capture.errors import CaptureError
from hmtalker.capture.options import CaptureOptions, Progress
from hmtalker.capture.pipeline import capture
from hmtalker.errors import CancelledError
from hmtalker.head_pose import HeadPose
from hmtalker.training.dataset import load_camera, load_performance, load_pictures

FRAMES = 100
SCREEN = (40, 180, 70)


def turning(number: int) -> HeadPose:
    return HeadPose((0.0, float(np.radians(10) * np.sin(number / 12)), 0.0))


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    """Two films before a green screen, captured with one process."""
    folder = tmp_path_factory.mktemp("filmed")
    acted = [perform(FRAMES / 25, start) for start in (2.0, 20.0)]
    films = []
    for name, performance in zip(("first", "second"), acted, strict=True):
        shown = list(pictures(performance, (320, 240), SCREEN, turning))
        films.append(write_film(folder / f"{name}.mp4", shown, performance.sound))
    told: list[Progress] = []
    options = CaptureOptions(tuple(films), folder / "dataset", hold_out=("second",), threads=1)
    result = capture(options, told.append)
    return options, acted, result, told


def test_the_dataset_can_be_trained_from(filmed):
    options, acted, _, _ = filmed
    performance = load_performance(options.output)
    assert performance.action_units.shape == (2 * FRAMES, 17)
    assert np.isfinite(performance.action_units).all()
    assert performance.train_clip.tolist() == [True, False]
    assert [speech.shape[1:] for speech in performance.speech] == [(2 * FRAMES, 1152)] * 2
    shown = load_pictures(options.output)
    assert shown.count == 2 * FRAMES
    assert shown.rgba.shape[1] == shown.rgba.shape[2]
    assert shown.test.sum() == FRAMES
    camera, pivot = load_camera(options.output / "camera.json")
    assert (camera.width, camera.height) == shown.rgba.shape[1:3]
    assert np.isfinite(pivot).all()


def test_the_head_turns_as_it_was_turned(filmed):
    options, _, _, _ = filmed
    yaw = load_performance(options.output).head[:FRAMES, 1]
    true = np.array([turning(number).rotation[1] for number in range(FRAMES)])
    assert np.corrcoef(yaw, true)[0, 1] > 0.995
    assert np.std(yaw) / np.std(true) == pytest.approx(1, abs=0.12)


def test_the_lips_part_as_they_were_parted(filmed):
    options, acted, _, _ = filmed
    measured = load_performance(options.output).action_units
    true = np.concatenate([performance.take.action_units for performance in acted])
    lips = 14  # AU25
    assert np.corrcoef(measured[:, lips], true[:, lips])[0, 1] > 0.8


def test_the_person_is_cut_out_and_the_screen_is_gone(filmed):
    options, _, _, _ = filmed
    shown = load_pictures(options.output, limit=10)
    alpha = shown.rgba[..., 3] / 255
    assert 0.25 < alpha.mean() < 0.75
    assert (alpha[:, :8, :8] == 0).all()
    person = shown.rgba[alpha > 0.9][:, :3].astype(int)
    green = (person[:, 1] - person[:, [0, 2]].max(1) > 40).mean()
    assert green < 0.005
    face = shown.masks[..., 2] / 255
    hair = shown.masks[..., 1] / 255
    assert 0.05 < face.mean() < 0.4
    assert 0.03 < hair.mean() < 0.4


def test_masks_add_up_to_alpha(filmed):
    options, _, _, _ = filmed
    for name in ("000003.png", "000150.png"):
        alpha = cv2.imread(str(options.output / "frames" / name), cv2.IMREAD_UNCHANGED)[..., 3].astype(int)
        masks = cv2.imread(str(options.output / "masks" / name), cv2.IMREAD_UNCHANGED).astype(int)
        assert np.abs(masks.sum(-1) - alpha).max() <= 3


def test_every_stage_is_told_from_0_to_1(filmed):
    _, _, _, told = filmed
    stages = list(dict.fromkeys(progress.stage for progress in told))
    assert len(stages) == told[0].count
    for index, stage in enumerate(stages):
        shares = [progress.share for progress in told if progress.stage == stage]
        assert (shares[0], shares[-1]) == (0.0, 1.0)
        assert shares == sorted(shares)
        assert all(progress.index == index for progress in told if progress.stage == stage)


def test_the_report_lies_beside_the_data(filmed):
    options, _, result, _ = filmed
    assert result.report == options.output / "report.html"
    assert "<html" in result.report.read_text("utf-8")
    assert json.loads((options.output / "report.json").read_text("utf-8")) == json.loads(json.dumps(result.summary))
    assert "short" in [finding["key"] for finding in result.summary["findings"] if finding["severity"] == "stop"]


def test_a_second_run_does_nothing_twice(filmed):
    options, _, _, _ = filmed
    before = {path: path.stat().st_mtime_ns for path in (options.output / "frames").iterdir()}
    before |= {path: path.stat().st_mtime_ns for path in (options.output / "tracking").iterdir()}
    capture(options)
    assert {path: path.stat().st_mtime_ns for path in before} == before


class StopAt:
    """Cancels once a stage is so far."""

    def __init__(self, stage: str, share: float) -> None:
        self.stage, self.share, self.reached = stage, share, False

    def watch(self, progress: Progress) -> None:
        self.reached |= progress.stage == self.stage and progress.share > self.share

    def asked(self) -> bool:
        return self.reached


def test_a_cancelled_capture_goes_on_to_the_same_dataset(filmed, tmp_path):
    options, _, _, _ = filmed
    again = CaptureOptions(options.videos, tmp_path / "dataset", hold_out=options.hold_out, threads=1)
    for stage, share in (("Read pictures", 0.6), ("Frames", 0.7)):
        stop = StopAt(stage, share)
        with pytest.raises(CancelledError):
            capture(again, stop.watch, stop.asked)
    assert len(list((again.output / "tracking").iterdir())) == 2
    capture(again)
    for name in ("performance.npz", "frames.npz", "windows.npz"):
        with np.load(options.output / name) as one, np.load(again.output / name) as other:
            assert all(np.array_equal(one[key], other[key]) for key in one)
    for folder in ("frames", "masks", "speech", "landmarks"):
        ours = {path.name: path.read_bytes() for path in (again.output / folder).iterdir()}
        assert ours == {path.name: path.read_bytes() for path in (options.output / folder).iterdir()}


def test_a_full_disk_says_so_and_keeps_what_is_finished(filmed, tmp_path, monkeypatch):
    options, _, _, _ = filmed
    again = CaptureOptions(options.videos, tmp_path / "dataset", threads=1)
    write = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if self.name == "000120.png":
            raise OSError(28, "No space left on device", str(self))
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(CaptureError, match=r"disk of .* is full"):
        capture(again)
    assert (again.output / "landmarks" / "first.npy").exists()
    assert not (again.output / "landmarks" / "second.npy").exists()


def test_a_capture_goes_on_when_its_disk_has_space_again(filmed, tmp_path):
    options, _, _, _ = filmed
    needed = sum(path.stat().st_size for path in options.output.rglob("*") if path.is_file()) // 1024
    with small_disk(tmp_path / "disk", needed // 2) as disk:
        again = CaptureOptions(options.videos, disk.folder / "data set", hold_out=options.hold_out, threads=1)
        with pytest.raises(CaptureError, match=r"disk of '.*data set' .*free some space"):
            capture(again)
        assert list((again.output / "tracking").iterdir())
        disk.resize(4 * needed)
        capture(again)
        with np.load(options.output / "performance.npz") as one, np.load(again.output / "performance.npz") as other:
            assert all(np.array_equal(one[key], other[key]) for key in one)
        for folder in ("frames", "masks"):
            ours = {path.name: path.read_bytes() for path in (again.output / folder).iterdir()}
            assert ours == {path.name: path.read_bytes() for path in (options.output / folder).iterdir()}


# -- bad input ----------------------------------------------------------------------------------------------


def still(value: int, count: int = 60) -> list[np.ndarray]:
    rng = np.random.default_rng(value)
    return [rng.integers(0, 60, (120, 160, 3), np.uint8) + np.uint8(value) for _ in range(count)]


def hum(seconds: float) -> np.ndarray:
    return (0.1 * np.sin(np.arange(round(16000 * seconds)) * 0.1)).astype(np.float32)


def test_no_face_gives_one_sentence(tmp_path):
    film = write_film(tmp_path / "wall.mp4", still(60), hum(2.4))
    with pytest.raises(CaptureError) as caught:
        capture(CaptureOptions((film,), tmp_path / "dataset", threads=1))
    assert "face" in str(caught.value)
    assert str(caught.value).count(". ") == 0


def test_no_video_and_no_sound_give_one_sentence(tmp_path):
    with pytest.raises(CaptureError, match="no video"):
        capture(CaptureOptions((), tmp_path / "dataset"))
    mute = write_film(tmp_path / "mute.mp4", still(60, 5), None)
    with pytest.raises(CaptureError, match=r"mute\.mp4.*no audio track"):
        capture(CaptureOptions((mute,), tmp_path / "dataset"))


def test_clips_of_two_sizes_give_one_sentence(tmp_path):
    one = write_film(tmp_path / "a.mp4", still(60, 5), hum(1))
    other = write_film(tmp_path / "b.mp4", [image[:64, :64] for image in still(60, 5)], hum(1))
    with pytest.raises(CaptureError, match=r"'b\.mp4' is 64 x 64 pixels and 'a\.mp4' 160 x 120"):
        capture(CaptureOptions((one, other), tmp_path / "dataset"))


@pytest.mark.parametrize(
    ("options", "words"),
    [({"matte": "magic"}, "no matte called"), ({"size": 3}, "too small"), ({"unit_set": "facs-99"}, "no set of")],
)
def test_options_that_do_not_exist_give_one_sentence(tmp_path, options, words):
    from hmtalker.errors import HMTalkerError

    with pytest.raises(HMTalkerError, match=words):
        capture(CaptureOptions((tmp_path / "a.mp4",), tmp_path / "dataset", **options))


def test_a_test_clip_that_is_not_there_gives_one_sentence(filmed):
    options, _, _, _ = filmed
    wrong = CaptureOptions(options.videos, options.output, hold_out=("third",), threads=1)
    with pytest.raises(CaptureError, match="No clip is called 'third'"):
        capture(wrong)
