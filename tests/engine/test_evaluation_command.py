# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole evaluation on a tiny avatar and a dataset that it rendered itself, with made-up face networks."""

from __future__ import annotations

import argparse
import json
import shutil

import numpy as np
import pytest
from talking_landmarks import talking_landmarks
from tiny_avatar import make_tiny_avatar

from hmtalker.avatar import load_avatar, save_avatar
from hmtalker.capture.face.face_networks import FaceNetworks
from hmtalker.errors import HMTalkerError
from hmtalker.evaluation.command import METRICS, add_evaluate_command, markdown_table, report_text
from hmtalker.evaluation.held_out import AUDIO, UNITS
from hmtalker.evaluation.held_out_frames import HeldOutFrames
from hmtalker.head_pose import HeadPose
from hmtalker.motion.state import MotionState
from hmtalker.render import Renderer

cv2 = pytest.importorskip("cv2")
pytest.importorskip("torch")
from hmtalker.evaluation.self_reconstruction import METRICS as ALL_METRICS
from hmtalker.evaluation.self_reconstruction import evaluate
from hmtalker.evaluation.source_paste import head_of, wanted_paste

CLIP = 12
CLIPS = 3
WITHOUT = CLIP + 5
"""A frame whose picture is missing."""


def face_networks():
    """Networks that see a still face in any picture, and a mouth as open as the picture is bright."""

    def detector(square):
        boxes = np.zeros((1, 896, 16), np.float32)
        boxes[..., 2:4] = 64
        boxes[..., 4:8] = (-10, -10, 10, -10)
        scores = np.full((1, 896, 1), -20, np.float32)
        scores[0, 400] = 5
        return boxes, scores

    def landmarks(crop):
        points = talking_landmarks(np.array([0.02 * float(crop.mean())]), (128.0, 128.0), scale=0.9)
        return points.reshape(1, 1, 1, -1), np.full((1, 1), 5, np.float32)

    return FaceNetworks(detector, landmarks, lambda points: np.full(52, 0.01, np.float32))


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    avatar = make_tiny_avatar("hmtalker", size=64)
    avatar.header["training"] = {"preset": "none", "seconds": 90}
    save_avatar(avatar, folder / "tiny.hmt")
    avatar = load_avatar(folder / "tiny.hmt")  # what is stored is rounded
    dataset = folder / "dataset"
    for part in ("frames", "masks", "speech", "speech_tiny"):
        (dataset / part).mkdir(parents=True)
    camera = avatar.camera
    data = {"width": camera.width, "height": camera.height, "K": camera.K.tolist(), "pivot": avatar.pivot.tolist()}
    data["world_to_camera"] = camera.world_to_camera.tolist()
    (dataset / "camera.json").write_text(json.dumps(data), "utf-8")
    count = CLIP * CLIPS
    rng = np.random.default_rng(0)
    units, head = rng.uniform(0, 3, (count, 17)).astype(np.float32), np.zeros((count, 6), np.float32)
    clip_index, frame_in_clip = np.repeat(np.arange(CLIPS), CLIP), np.tile(np.arange(CLIP), CLIPS)
    names = np.array([f"clip{number}" for number in range(CLIPS)])
    shared = {"action_units": units, "head": head, "clip_index": clip_index, "frame_in_clip": frame_in_clip}
    test = clip_index > 0
    np.savez(dataset / "performance.npz", clips=names, training=~test, speech=frame_in_clip > 5, **shared)
    np.savez(dataset / "frames.npz", split=np.where(test, "test", "train"), **shared)
    np.savez(dataset / "windows.npz", window=np.tile([0, 0, 64, 64], (count, 1)), whole=np.ones(count, bool))
    renderer = Renderer(avatar, threads=1)
    dimension = avatar.motion_config.feature_dimension
    for clip, name in enumerate(names):
        speech = rng.standard_normal((2, 2 * CLIP, dimension)).astype(np.float16)
        for heard in ("speech", "speech_tiny"):  # the scorer hears the first, the avatar the second
            np.save(dataset / heard / f"{name}.npy", speech)
        implicit = renderer.motion.implicit(speech[0].astype(np.float32), 25.0, CLIP)
        for row in np.flatnonzero((clip_index == clip) & (np.arange(count) != WITHOUT)):
            state = MotionState(units[row], implicit[frame_in_clip[row]], 1.0, HeadPose.from_array(head[row]))
            picture = cv2.cvtColor(renderer.render_srgb8(state), cv2.COLOR_RGBA2BGRA)
            cv2.imwrite(str(dataset / "frames" / f"{row:06d}.png"), picture)
            mask = np.zeros((64, 64, 3), np.uint8)
            mask[20:50, 20:44, 0] = 255  # blue first: the face
            mask[40:46, 26:38, 2] = 255
            cv2.imwrite(str(dataset / "masks" / f"{row:06d}.png"), mask)
    renderer.close()
    background = rng.integers(0, 256, (64, 64, 3), np.uint8)
    cv2.imwrite(str(dataset / "background.png"), background)
    return folder


def difference(a, b):
    return float(np.abs(a - b).mean())


@pytest.fixture(scope="module")
def report(work):
    metrics = [name for name in METRICS if name != "identity"]
    return evaluate(work / "tiny.hmt", work / "dataset", metrics=metrics, lpips=difference, networks=face_networks())


def test_command_and_evaluation_know_the_same_metrics():
    assert METRICS == ALL_METRICS


def test_all_test_frames_that_are_there_are_compared(report):
    told = {"frames": 2 * CLIP - 1, "clips": 2, "size": [64, 64], "background": "background.png", "torso": "avatar"}
    assert report["dataset"] == told


def test_frames_of_its_own_come_back_exactly_and_the_voice_alone_differs(report):
    own, heard = report["drivers"][UNITS], report["drivers"][AUDIO]
    assert own["psnr"] == own["psnr face"] == own["psnr mouth"] == pytest.approx(120)
    assert own["ssim"] == pytest.approx(1, abs=1e-5)
    assert own["lpips"] == own["lmd"] == 0
    assert own["flicker"] == report["real"]["flicker"]
    assert own["aue lower"] < 0.05  # smoothing at the clips' ends
    assert heard["psnr face"] < 60
    assert heard["lpips"] > 0
    assert heard["lmd"] > 0
    assert own["jitter mouth"] == report["real"]["jitter mouth"]


def test_a_driver_is_compared_with_what_it_should_be_and_not_with_itself(report):
    assert report["drivers"][AUDIO]["aue lower"] > report["drivers"][UNITS]["aue lower"]


def test_what_the_avatar_is_and_how_fast(report):
    assert report["avatar"]["training seconds"] == 90
    assert report["avatar"]["face Gaussians"] > 100
    assert report["speed"]["frames a second"] > 0
    assert report["speed"]["peak megabytes of the evaluation"] > 20


def test_a_scorer_that_cannot_hear_the_dataset_says_so(report):
    assert any("speech features" in note for note in report["notes"])
    assert "sync confidence" not in report["real"]


def test_the_table_shows_what_was_measured(report):
    text = report_text(report)
    assert "PSNR, whole frame (dB)" in text
    assert "120.00" in text
    assert "real video" in text
    assert "1.5 min" in text
    assert "Sync offset" not in text
    rows = markdown_table(report).splitlines()
    assert rows[0] == "| | action_units | audio | real video |"
    assert rows[2].startswith("| PSNR, whole frame (dB) | 120.00 | ")


def test_fewer_frames_are_spread_over_the_clips(work):
    frames = HeldOutFrames(work / "dataset")
    assert [len(stretch) for stretch in frames.stretches()] == [5, 6, CLIP]
    assert [stretch.first for stretch in frames.stretches()] == [0, 6, 0]
    few = frames.stretches(3)
    assert sum(len(stretch) for stretch in few) == 3
    assert len(frames.silent(few[0])) == 3
    assert frames.silent(frames.stretches()[0]).all()


def run(*arguments):
    parser = argparse.ArgumentParser()
    add_evaluate_command(parser.add_subparsers())
    options = parser.parse_args(["evaluate", *map(str, arguments)])
    options.run(options)


def test_the_command_writes_json_and_prints(work, tmp_path, capsys):
    out = tmp_path / "new" / "report.json"
    run(work / "tiny.hmt", work / "dataset", "-o", out, "--metrics", "picture", "--drive", "units", "--frames", "2")
    written = json.loads(out.read_text("utf-8"))
    assert list(written["drivers"]) == [UNITS]
    assert written["dataset"]["frames"] == 2
    assert "SSIM" in capsys.readouterr().out


def test_missing_things_are_one_sentence(work, tmp_path):
    with pytest.raises(HMTalkerError, match="no whole dataset"):
        run(work / "tiny.hmt", tmp_path)
    with pytest.raises(HMTalkerError, match="There is no avatar"):
        run(work / "none.hmt", work / "dataset")
    with pytest.raises(SystemExit):
        run(work / "tiny.hmt", work / "dataset", "--metrics", "beauty")


def test_missing_networks_are_noted_and_the_rest_is_measured(work, tmp_path, monkeypatch):
    from hmtalker.evaluation import identity, lpips, self_reconstruction

    def missing():
        raise HMTalkerError("It is missing.")

    monkeypatch.setattr(self_reconstruction, "_open_networks", missing)
    monkeypatch.setattr(lpips, "find_lpips", missing)
    monkeypatch.setattr(identity, "find_identity", missing)
    report = evaluate(work / "tiny.hmt", work / "dataset", most_frames=2)
    assert sorted(note.split(". ")[0] for note in report["notes"]) == [
        "Not measured: aue, identity, jitter, lmd, sync",
        "Not measured: lpips",
    ]
    assert report["drivers"][UNITS]["psnr"] == pytest.approx(120)


def test_a_damaged_picture_is_named(work, tmp_path):
    frames = HeldOutFrames(work / "dataset")
    path = work / "dataset" / "frames" / f"{CLIP:06d}.png"
    content = path.read_bytes()
    try:
        path.write_bytes(content[:100])
        with pytest.raises(HMTalkerError, match=f"{CLIP:06d}"):
            frames.read(CLIP)
    finally:
        path.write_bytes(content)


def test_the_papers_way_keeps_the_real_torso_and_draws_the_head(work, tmp_path):
    """A head that is drawn over other clothes than the avatar's own is compared with them as they are."""
    dressed = tmp_path / "dataset"
    shutil.copytree(work / "dataset", dressed)
    for path in (dressed / "frames").iterdir():
        picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        picture[52:, :, :3] = 250 - picture[52:, :, :3]
        cv2.imwrite(str(path), picture)
    reports = {
        paste: evaluate(work / "tiny.hmt", dressed, [UNITS], ["picture"], networks=face_networks(), paste=paste)
        for paste in ("avatar", "source", None)
    }
    scores = {paste: report["drivers"][UNITS]["psnr"] for paste, report in reports.items()}
    assert scores["source"] > scores["avatar"] + 3
    assert scores[None] == scores["avatar"]
    assert reports["source"]["dataset"]["torso"] == "source"
    assert "the real torso" in report_text(reports["source"])


def test_a_head_alone_is_compared_the_papers_way_by_itself(work):
    avatar = load_avatar(work / "tiny.hmt")
    assert wanted_paste(avatar, None) == "avatar"
    head = head_of(avatar)
    assert 0 < head.face.count < avatar.face.count
    assert (head.face.head_weights > 0.99).all()
    avatar.header["training"] = {"torso": "source"}
    assert wanted_paste(avatar, None) == "source"
    assert head_of(avatar) is avatar
    with pytest.raises(HMTalkerError, match="no way to paste called 'neck'"):
        wanted_paste(avatar, "neck")
