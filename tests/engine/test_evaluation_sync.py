# SPDX-License-Identifier: GPL-3.0-or-later
"""The sync scorer on made-up speech, and the shipped one on real clips where there are some."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
from talking_landmarks import talking_landmarks

from hmtalker.errors import HMTalkerError
from hmtalker.evaluation.lip_motion import DIMENSION, lip_motion, lip_positions
from hmtalker.evaluation.sync import REACH, WEIGHTS, SyncScorer, judge, load_sync_scorer, shifted_similarity
from hmtalker.evaluation.sync_trial import trial_text, try_shifts

FEATURES = 12
SHARED = Path(os.environ.get("HMTALKER_SHARED") or Path(__file__).resolve().parents[3] / "shared")


def made_up_clips(count, seed=0, frames=90):
    """Clips of a mouth that opens with a loudness that the speech features carry among noise, two draws each."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(7).normal(0, 1, (3, FEATURES))
    clips = []
    for _ in range(count):
        steps = np.convolve(rng.normal(0, 1, 2 * frames + 40), np.hanning(9), "same")[20:-20]
        loudness = np.maximum(steps, 0) / 2
        opening = 0.01 * loudness.reshape(frames, 2).mean(1)
        causes = np.stack([loudness, np.gradient(loudness), rng.normal(0, 0.3, len(loudness))], 1)
        draws = np.stack([causes @ mixing + rng.normal(0, 0.1, (2 * frames, FEATURES)) for _ in range(2)])
        landmarks = talking_landmarks(opening, (256.0, 256.0), scale=2.0)
        clips.append((landmarks + rng.normal(0, 0.05, landmarks.shape).astype(np.float32), draws.astype(np.float16)))
    return clips


@pytest.fixture(scope="module")
def trained():
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    from hmtalker.evaluation.train_sync import train

    return SyncScorer(train(made_up_clips(8), iterations=60))


def test_lips_do_not_depend_on_place_size_and_roll():
    opening = np.array([0.0, 0.01, 0.02])
    here = lip_positions(talking_landmarks(opening, (100.0, 100.0)))
    there = lip_positions(talking_landmarks(opening, (300.0, 50.0), roll=0.5, scale=3.0))
    assert here == pytest.approx(there, abs=1e-3)
    assert np.ptp(here[..., 1], axis=0).max() > 0.1


def test_lip_motion_survives_missing_faces():
    landmarks = talking_landmarks(np.array([0.0, 0.01, 0.02]))
    landmarks[1] = np.nan
    motion = lip_motion(landmarks)
    assert motion.shape == (3, DIMENSION)
    assert np.isnan(motion[1]).all()
    assert motion[[0, 2]].sum(0) == pytest.approx(0, abs=1e-5)
    assert np.isnan(lip_motion(np.full((2, 478, 3), np.nan))).all()
    assert np.isnan(lip_motion(np.zeros((1, 478, 3)))).all()
    assert np.isnan(lip_motion(np.full((1, 478, 3), 1e9))).all()
    assert lip_motion(np.zeros((0, 478, 3))).shape == (0, DIMENSION)
    with pytest.raises(ValueError, match="landmarks are"):
        lip_motion(np.zeros((2, 468, 3)))


def test_a_trained_scorer_finds_shifts_in_clips_it_has_not_seen(trained):
    unseen = [(landmarks, draws[0].astype(np.float32)) for landmarks, draws in made_up_clips(6, seed=99)]
    trial = try_shifts(trained, unseen, (-10, -4, -1, 0, 1, 4, 10))
    assert np.mean(trial.clips_found) == 1.0
    assert np.mean(trial.seconds_found) > 0.8
    assert trial.own.min() > trial.strangers.max()
    assert "within one frame" in trial_text(trial)


def test_late_sound_has_a_positive_offset(trained):
    landmarks, draws = made_up_clips(1, seed=5)[0]
    heard = draws[0].astype(np.float32)
    late = np.concatenate([np.repeat(heard[:1], 6, 0), heard])[: len(heard)]  # three frames of 40 ms
    assert trained.score([(landmarks, heard)]).offset == pytest.approx(0, abs=0.6)
    assert trained.score([(landmarks, late)]).offset == pytest.approx(3, abs=0.6)


def test_the_scorer_gives_what_was_trained():
    torch = pytest.importorskip("torch")
    from hmtalker.evaluation.sync_networks import BASIS, Heard, Seen, export

    torch.manual_seed(0)
    heard, seen = Heard(FEATURES).eval(), Seen().eval()
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(DIMENSION, BASIS)))[0].T
    standards = {
        "heard_mean": np.full(FEATURES, 0.5),
        "heard_scale": np.full(FEATURES, 2.0),
        "seen_basis": basis,
        "seen_scale": np.full(BASIS, 0.05),
    }
    scorer = SyncScorer(export(heard, seen, standards))
    landmarks, draws = made_up_clips(1)[0]
    features, codes = (draws[0] - np.float32(0.5)) / 2, lip_motion(landmarks) @ basis.T / 0.05
    with torch.no_grad():
        ours = heard(torch.from_numpy(features.astype(np.float32))[None])[0].numpy()
        lips = seen(torch.from_numpy(codes.astype(np.float32))[None])[0].numpy()
    assert scorer.hear(draws[0]) == pytest.approx(ours, abs=0.01)  # half precision of the weights
    assert scorer.watch(landmarks) == pytest.approx(lips, abs=0.01)


def test_a_summit_between_frames_is_found():
    sums = np.zeros((2, 2 * REACH + 1))
    shifts = np.arange(-REACH, REACH + 1)
    sums[1] = 20
    sums[0] = 20 * (0.8 - 0.05 * (shifts - 2.25) ** 2).clip(0.1)
    score = judge(sums, 20)
    assert score.offset == pytest.approx(2.25, abs=0.01)
    assert score.confidence == pytest.approx(0.8 - 0.05 * 0.25**2 - 0.1, abs=1e-3)
    assert score.distance == pytest.approx(math.sqrt(2 - 2 * score.similarity))


def test_nothing_to_compare_is_unknown_not_zero():
    scorer = load_sync_scorer()
    nobody = np.full((30, 478, 3), np.nan, np.float32)
    speech = np.zeros((60, scorer.feature_dimension), np.float32)
    for landmarks, encoded in ((nobody, speech), (nobody[:0], speech), (nobody, speech[:0]), (nobody[:1], speech[:2])):
        score = scorer.score([(landmarks, encoded)])
        assert math.isnan(score.offset)
        assert math.isnan(score.confidence)
        assert score.frames == 0
    assert math.isnan(scorer.score([]).confidence)


def test_short_overlaps_are_not_judged():
    seen = np.tile(np.eye(4)[0], (20, 1))
    sums = shifted_similarity(seen, seen)
    curve = judge(sums).curve
    assert math.isnan(curve[0])  # 5 frames overlap at a shift of 15
    assert curve[REACH] == 1


def test_other_speech_features_are_named():
    with pytest.raises(HMTalkerError, match="speech features"):
        load_sync_scorer().hear(np.zeros((10, 80), np.float32))


def test_the_shipped_scorer_is_small_and_says_whose_voice_it_learned_from():
    assert WEIGHTS.stat().st_size < 1_000_000
    with np.load(WEIGHTS, allow_pickle=False) as file:
        assert str(file["licence"]) == "CC-BY-4.0"
        assert "zenodo" in str(file["attribution"])


def test_damaged_weights_are_one_sentence(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"nothing")
    with pytest.raises(HMTalkerError, match="sync scorer"):
        load_sync_scorer(tmp_path / "x.npz")


def test_the_shipped_scorer_finds_shifts_of_real_speech(tmp_path):
    clips = SHARED / "data" / "grid_s1" / "clips"
    if not clips.is_dir():
        pytest.skip("the GRID clips are not here")
    from hmtalker.capture.face.face_landmarks import FaceTracker
    from hmtalker.capture.face.face_networks import find_networks, load_networks
    from hmtalker.capture.sound_track import read_sound, write_sound
    from hmtalker.capture.video_file import probe, read_frames
    from hmtalker.speech.whisper_onnx import WhisperEncoder, find_model

    try:
        tracker, encoder = FaceTracker(load_networks(find_networks())), WhisperEncoder(find_model())
    except HMTalkerError as error:
        pytest.skip(str(error))
    info = probe(clips / "bbaf4p.mpg")
    landmarks = np.stack([tracker.track(image).landmarks for _, image in read_frames(info)])
    write_sound(info, tmp_path / "sound.wav")
    encoded = encoder.encode(read_sound(tmp_path / "sound.wav", 0, len(landmarks)))
    for shift in (-8, 0, 8):
        score = load_sync_scorer().score([(landmarks, np.roll(encoded, 2 * shift, 0))])
        assert score.offset == pytest.approx(shift, abs=1.5)
        assert score.confidence > 0.4  # own voice .53 or more, another clip's .48 or less, on 20 held-out clips
