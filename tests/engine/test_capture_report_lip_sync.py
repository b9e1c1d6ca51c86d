# SPDX-License-Identifier: GPL-3.0-or-later
"""The offset of the sound is found where lips and voice fit, and not made up where they do not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from report_captures import FPS, smooth

from hmtalker.capture.report.lip_sync import REACH, LipSync, measure_lip_sync
from hmtalker.errors import HMTalkerError

GRID = Path(os.environ.get("HMTALKER_SHARED", Path(__file__).resolve().parents[3] / "shared")) / "data" / "grid_s1"
CLIP, SAMPLES = 75, 640


def voice(count: int, seed: int = 0) -> np.ndarray:
    return np.clip(smooth(np.random.default_rng(seed).normal(size=count), 6), 0, None)


def measure(gap: np.ndarray, opening: np.ndarray, clips: np.ndarray | None = None) -> LipSync:
    clips = np.zeros(len(gap), int) if clips is None else clips
    return measure_lip_sync(gap, opening, clips, np.ones(len(gap), bool), FPS)


def later(values: np.ndarray, frames: float) -> np.ndarray:
    places = np.arange(len(values))
    return np.interp(places - frames, places, values)


@pytest.mark.parametrize("frames", [-11.0, -3.5, -0.25, 0.0, 0.5, 5.0, 12.0])
def test_the_offset_is_found_between_frames(frames: float) -> None:
    said = voice(1500)
    noise = 0.3 * said.std() * np.random.default_rng(1).normal(size=1500)
    found = measure(0.07 * said + 0.07 * noise, later(said, frames))
    assert found.known
    assert abs(found.milliseconds - 40 * frames) < 6
    assert found.error < 10


def test_short_clips_are_measured_each_by_itself() -> None:
    # the sound of the next clip must not be taken for a later one of this
    clips = np.repeat(np.arange(20), CLIP)
    said = voice(len(clips))
    late = np.concatenate([later(part, 3) for part in np.split(said, 20)])
    found = measure(said, late, clips)
    assert found.blocks == 20
    assert abs(found.milliseconds - 120) < 6


def test_a_lost_face_and_a_torn_mouth_do_not_matter() -> None:
    said = voice(1500)
    gap = said.copy()
    gap[200:400] = np.nan
    gap[::90] = np.nan
    gap[700:703] = 50.0
    found = measure(gap, later(said, -4))
    assert found.known
    assert abs(found.milliseconds + 160) < 8


@pytest.mark.parametrize(
    ("gap", "opening"),
    [
        (voice(1500), voice(1500, seed=2)),
        (voice(1500), np.zeros(1500)),
        (np.zeros(1500), voice(1500)),
        (np.full(1500, np.nan), voice(1500)),
        (voice(1500), np.full(1500, np.nan)),
        (voice(1500), np.roll(voice(1500), REACH + 8)),
        (voice(100), voice(100)),
        (voice(1), voice(1)),
        (np.zeros(0), np.zeros(0)),
    ],
    ids=["others", "mute", "shut", "faceless", "deaf", "far", "short", "one", "none"],
)
def test_what_cannot_be_told_is_not_told(gap: np.ndarray, opening: np.ndarray) -> None:
    found = measure(gap, opening)
    assert not found.known
    assert found.reason


def test_silence_is_not_compared() -> None:
    said = voice(1500)
    silent = measure_lip_sync(said, said, np.zeros(1500, int), np.zeros(1500, bool))
    assert not silent.known
    assert silent.blocks == 0


def test_drift_is_found() -> None:
    said = voice(6000)
    found = measure(said, np.concatenate([said[:3000], later(said[3000:], 2)]))
    assert abs(found.drift - 80) < 10
    assert abs(measure(said, said).drift) < 5


@pytest.fixture(scope="module")
def sentences() -> tuple[np.ndarray, np.ndarray]:
    """Four sentences of GRID, whose own offset is 0 within half a frame: lip gaps [4,75] and sound [4,48000]."""
    if not GRID.is_dir():
        pytest.skip("needs the GRID clips of the shared data")
    pytest.importorskip("av")
    from hmtalker.capture.face.face_landmarks import FaceTracker
    from hmtalker.capture.face.face_networks import find_networks, load_networks
    from hmtalker.capture.report.picture_facts import COLUMNS, picture_facts
    from hmtalker.capture.video_file import probe, read_frames
    from hmtalker.speech.audio_file import load_audio

    try:
        tracker = FaceTracker(load_networks(find_networks()))
    except HMTalkerError as error:
        pytest.skip(str(error))
    gaps, sounds = [], []
    for name in json.loads((GRID / "split.json").read_text())["eval"][:4]:
        tracker.reset()
        gap = np.full(CLIP, np.nan)
        for number, image in read_frames(probe(GRID / "clips" / name), 0, CLIP):
            if number % 2 == 0:  # half of the pictures are enough, and twice as fast
                face = tracker.track(image)
                gap[number] = picture_facts(image, face.landmarks if face else None)[COLUMNS.index("lip_gap")]
        seen = np.isfinite(gap)
        gaps.append(np.interp(np.arange(CLIP), np.flatnonzero(seen), gap[seen]))
        sound = load_audio(GRID / "clips" / name)
        sounds.append(np.pad(sound, (0, max(0, CLIP * SAMPLES - len(sound))))[: CLIP * SAMPLES])
    return np.array(gaps), np.array(sounds)


@pytest.mark.parametrize("frames", [-6, 0, 5])
def test_the_offset_of_a_real_speaker_is_found(frames: int, sentences: tuple[np.ndarray, np.ndarray]) -> None:
    from hmtalker.capture.report.voice import mouth_opening
    from hmtalker.speech.whisper_onnx import WhisperEncoder, find_model

    try:
        encoder = WhisperEncoder(find_model())
    except HMTalkerError as error:
        pytest.skip(str(error))
    gaps, sounds = sentences
    shifted = np.roll(sounds, SAMPLES * frames, axis=1)
    openings = [mouth_opening(encoder.encode(sound), CLIP) for sound in shifted]
    found = measure(gaps.reshape(-1), np.concatenate(openings), np.repeat(np.arange(len(gaps)), CLIP))
    assert found.known, found
    assert abs(found.milliseconds - 40 * frames) <= 25
