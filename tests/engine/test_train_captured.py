# SPDX-License-Identifier: GPL-3.0-or-later
"""From a film to an avatar that speaks, in every stage; the schedule is too short for it to look like anyone."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from filmed_people import perform, pictures, write_film
from small_disk import small_disk

from hmtalker.avatar import load_avatar
from hmtalker.capture.options import CaptureOptions
from hmtalker.capture.pipeline import capture
from hmtalker.consent import Consent
from hmtalker.errors import HMTalkerError
from hmtalker.evaluation.held_out_frames import HeldOutFrames
from hmtalker.render import Renderer
from hmtalker.take import animate
from hmtalker.training.train import HEARING, TrainOptions, train
from hmtalker.worker import process
from hmtalker.worker.errors import WorkerError

FRAMES = 50
CONSENT = Consent("Ada", "to be an avatar in tests", "2026-01-31", "Charles")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("filmed")
    films = []
    for name, start in (("one", 2.0), ("two", 20.0)):
        performance = perform(FRAMES / 25, start)
        shown = list(pictures(performance, (240, 240), (40, 180, 70)))
        films.append(write_film(folder / f"{name}.mp4", shown, performance.sound))
    capture(CaptureOptions(tuple(films), folder / "dataset", hold_out=("two",), threads=1))
    return folder / "dataset"


def trained(dataset, output, *variants: str):
    told = []
    options = TrainOptions(dataset, output, "smoke", consent=CONSENT, variants=variants, threads=1)
    result = train(options, lambda stage, done, of, losses: told.append((stage, done, of)))
    return load_avatar(result.output), told


def test_a_film_becomes_an_avatar_that_speaks(dataset, tmp_path):
    avatar, told = trained(dataset, tmp_path / "ada.hmt")
    assert list(dict.fromkeys(stage for stage, _, _ in told)) == list("ASFMJ")
    assert avatar.header["consent"]["person"] == "Ada"
    take = animate(avatar, perform(1.0, 5.0).sound, 25.0)
    renderer = Renderer(avatar, threads=1)
    picture = renderer.render_srgb8(take.state(3))
    renderer.close()
    assert picture.shape == (avatar.camera.height, avatar.camera.width, 4)
    assert (picture[..., 3] > 200).mean() > 0.1


def test_a_training_whose_disk_is_full_is_one_sentence_and_goes_on_to_the_same_avatar(dataset, tmp_path):
    expected, _ = trained(dataset, tmp_path / "elsewhere.hmt")
    options = {"dataset": str(dataset), "preset": "smoke", "consent": CONSENT.to_dict(), "threads": 1}
    with small_disk(tmp_path / "disk", 1500) as disk:
        output = disk.folder / "ada.hmt"
        with pytest.raises(WorkerError, match=r"^The disk of '.*disk.*' is full; free some space"):
            process.run(Path(sys.executable), "train", options | {"output": str(output)})
        assert not output.exists()
        disk.resize(64_000)
        process.run(Path(sys.executable), "train", options | {"output": str(output)})
        avatar = load_avatar(output)
    for ours, theirs in ((avatar.face.arrays(), expected.face.arrays()), (avatar.motion, expected.motion)):
        assert [name for name in theirs if not np.array_equal(ours[name], theirs[name])] == []


def test_the_rows_encoder_and_cue_are_heard_and_seen_in_the_avatar(dataset, tmp_path):
    avatar, told = trained(dataset, tmp_path / "mel.hmt", "encoder=mel", "cue=3dmm", "mouth=audio")
    assert [entry for entry in told if entry[0] == HEARING] == [(HEARING, 1, 2), (HEARING, 2, 2)]
    assert avatar.header["encoder"] == {"id": "mel", "dim": 80, "sha256": ""}
    assert avatar.header["training"]["variant"] == {"encoder": "mel", "cue": "3dmm", "mouth": "audio"}
    assert animate(avatar, perform(1.0, 5.0).sound, 25.0).frames == 25
    frames = HeldOutFrames(dataset)
    assert frames.speech(1, "mel").shape == (2 * FRAMES, 80)
    assert frames.speech(1).shape == (2 * FRAMES, 1152)


def test_a_dataset_without_its_sound_keeps_the_encoder_it_was_captured_with(dataset, tmp_path):
    for name in ("one", "two"):
        (dataset / "audio" / f"{name}.wav").rename(tmp_path / f"{name}.wav")
        (dataset / "speech_mel" / f"{name}.npy").unlink(missing_ok=True)
    try:
        with pytest.raises(HMTalkerError, match="capture again to train with another speech encoder"):
            trained(dataset, tmp_path / "silent.hmt", "encoder=mel")
    finally:
        for name in ("one", "two"):
            (tmp_path / f"{name}.wav").rename(dataset / "audio" / f"{name}.wav")


def test_a_face_models_coefficients_say_how_far_the_lips_are_open(dataset):
    from hmtalker import action_units
    from hmtalker.training.dataset import Dataset, load_camera, load_performance
    from hmtalker.training.face_model_cue import with_face_model_cue

    measured = Dataset(*load_camera(dataset / "camera.json"), load_performance(dataset), None)
    fitted = with_face_model_cue(dataset, measured).performance.action_units
    lips, brow = action_units.CODES.index("AU25"), action_units.CODES.index("AU01")
    assert np.corrcoef(fitted[:, lips], measured.performance.action_units[:, lips])[0, 1] > 0.8
    np.testing.assert_array_equal(fitted[:, brow], measured.performance.action_units[:, brow])
    assert fitted.min() >= 0


def test_other_weights_hear_every_clip_again(dataset):
    from hmtalker.speech.encoder import MelEncoder
    from hmtalker.training.voice import hear_with

    class Louder(MelEncoder):
        id, sha256 = "louder", "a" * 64

        def encode(self, samples, position=None, **more):
            return super().encode(samples, position, **more) + 1

    encoder = Louder()
    hear_with(dataset, encoder)
    first = dataset / "speech_louder" / "one.npy"
    before, written = np.load(first), first.stat().st_mtime_ns
    hear_with(dataset, encoder)
    assert first.stat().st_mtime_ns == written
    encoder.sha256 = "b" * 64
    first.write_bytes(b"what the other weights heard")
    hear_with(dataset, encoder)
    np.testing.assert_array_equal(np.load(first), before)


def test_the_extended_set_is_learnt_in_every_stage_and_evaluated(dataset, tmp_path):
    from hmtalker.action_unit_sets import EXTENDED
    from hmtalker.evaluation.held_out import compare
    from hmtalker.training.dataset import Dataset, load_camera, load_performance, load_pictures
    from hmtalker.training.wider_units import with_unit_set

    options = TrainOptions(dataset, tmp_path / "wide.hmt", "smoke", units="extended", consent=CONSENT, threads=1)
    avatar = load_avatar(train(options).output)
    assert avatar.units is EXTENDED
    assert set(avatar.header["au_statistics"]) == set(EXTENDED.codes)
    assert len(avatar.header["template"]["upper"][0]) == len(EXTENDED.upper)
    take = animate(avatar, perform(1.0, 5.0).sound, 25.0)
    assert take.action_units.shape == (25, 47)
    measured = Dataset(*load_camera(dataset / "camera.json"), load_performance(dataset), load_pictures(dataset))
    wide = with_unit_set(dataset, measured, EXTENDED)
    rows = wide.performance.action_units
    folded = rows[:, :17] + 0.5 * sum(
        np.pad(rows[:, [EXTENDED.index(f"AU12{side}")]], ((0, 0), (8, 8))) for side in "LR"
    )  # AU12 is the ninth
    np.testing.assert_allclose(folded[:, 8], measured.performance.action_units[:, 8], atol=1e-4)
    assert wide.pictures.action_units.shape[1] == 47
    assert len(compare(avatar, wide.pictures, wide.performance)) == FRAMES


def test_a_capture_without_the_set_says_what_to_do(dataset, tmp_path):
    import shutil

    old = shutil.copytree(dataset, tmp_path / "old")
    with np.load(old / "performance.npz") as data:
        kept = {name: data[name] for name in data.files if not name.startswith("unit_")}
    np.savez(old / "performance.npz", **kept)
    options = TrainOptions(old, tmp_path / "wide.hmt", "smoke", units="extended", consent=CONSENT, threads=1)
    with pytest.raises(HMTalkerError, match=r"was captured without AU01.*run the capture again"):
        train(options)
