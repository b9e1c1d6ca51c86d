# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the report of a capture find by how much sound and lips are apart? On GRID clips whose sound is moved.

    python benchmarks/lip_sync.py --grid GRID [--clips 20]

GRID is a folder with split.json and clips/*.mpg (speaker s1 of the GRID corpus, whose own offset is 0 within half a
frame). The bundled avatar, which predicts the lips, learnt from the other clips of this speaker, so other voices are
made by slowing down or speeding up sound and lips together: voices 25 % lower or higher, with other timing. "swapped"
gives each clip the sound of another one: nothing may be claimed to be known there.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests")]
import conftest  # noqa: F401  (makes hmtalker importable from the working tree)
from scipy.signal import resample_poly

from hmtalker.capture.face.face_landmarks import FaceTracker
from hmtalker.capture.face.face_networks import find_networks, load_networks
from hmtalker.capture.report.lip_sync import LipSync, measure_lip_sync
from hmtalker.capture.report.picture_facts import COLUMNS, picture_facts
from hmtalker.capture.report.voice import mouth_opening
from hmtalker.capture.video_file import probe, read_frames
from hmtalker.speech.audio_file import load_audio
from hmtalker.speech.whisper_onnx import WhisperEncoder, find_model

FPS, FRAMES, SAMPLES = 25.0, 75, 640
SHIFTS = (-8, -7, -6, -5, -4, -3, -2.5, -2, -1, -0.5, 0, 0.5, 1, 2, 2.5, 3, 4, 5, 6, 7, 8)
"""Frames by which the sound is made late."""


def read(grid: Path, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Lip gaps [n,75] and sound [n,48000]."""
    tracker = FaceTracker(load_networks(find_networks()))
    gaps, sounds = [], []
    for name in names:
        tracker.reset()
        gap = np.full(FRAMES, np.nan)
        for number, image in read_frames(probe(grid / "clips" / name), 0, FRAMES):
            face = tracker.track(image)
            gap[number] = picture_facts(image, face.landmarks if face else None)[COLUMNS.index("lip_gap")]
        gaps.append(gap)
        sound = load_audio(grid / "clips" / name)
        sounds.append(np.pad(sound, (0, max(0, FRAMES * SAMPLES - len(sound))))[: FRAMES * SAMPLES])
    return np.array(gaps), np.array(sounds)


def measure(encoder: WhisperEncoder, gaps: np.ndarray, sounds: np.ndarray, frames: float, noise_db: float) -> LipSync:
    """The clips one after the other, their sound moved as one."""
    count, length = gaps.shape
    shift = round(frames * SAMPLES)
    track = np.concatenate([np.zeros(max(shift, 0)), sounds.reshape(-1), np.zeros(max(-shift, 0))])
    track = track[max(-shift, 0) :][: sounds.size].astype(np.float32)
    if np.isfinite(noise_db):
        noise = np.random.default_rng(1).normal(size=len(track)) * track.std() * 10 ** (-noise_db / 20)
        track = track + noise.astype(np.float32)
    openings = [mouth_opening(encoder.encode(part), length) for part in np.split(track, count)]
    clips = np.repeat(np.arange(count), length)
    return measure_lip_sync(gaps.reshape(-1), np.concatenate(openings), clips, np.ones(gaps.size, bool), FPS)


def stretched(gaps: np.ndarray, sounds: np.ndarray, up: int, down: int) -> tuple[np.ndarray, np.ndarray]:
    """Both up / down times as long."""
    longer = np.stack([resample_poly(sound, up, down) for sound in sounds]).astype(np.float32)
    frames = longer.shape[1] // SAMPLES
    places = (np.arange(frames) + 0.5) * down / up - 0.5
    return np.stack([np.interp(places, np.arange(FRAMES), gap) for gap in gaps]), longer[:, : frames * SAMPLES]


def table(name: str, encoder: WhisperEncoder, gaps: np.ndarray, sounds: np.ndarray, noise_db: float = np.inf) -> None:
    errors, told = [], []
    for shift in SHIFTS:
        found = measure(encoder, gaps, sounds, shift, noise_db)
        if found.known:
            errors.append(found.milliseconds - 1000 * shift / FPS)
            told.append(found.error)
    text = "nothing known"
    if errors:
        text = (
            f"error mean {np.mean(errors):+.1f} ms, deviation {np.std(errors):.1f}, "
            f"largest {np.abs(errors).max():.1f}; "
            f"told error {np.median(told):.1f} ms, correlation {found.correlation:.2f}"
        )
    print(f"{name}: {len(errors)} of {len(SHIFTS)} shifts known; {text}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grid", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=20)
    options = parser.parse_args()
    names = json.loads((options.grid / "split.json").read_text())["eval"][: options.clips]
    gaps, sounds = read(options.grid, names)
    encoder = WhisperEncoder(find_model())
    table(f"{len(names)} clips", encoder, gaps, sounds)
    table("the first 8", encoder, gaps[:8], sounds[:8])
    table("noise 10 dB under the voice", encoder, gaps, sounds, 10.0)
    table("noise as loud as the voice", encoder, gaps, sounds, 0.0)
    for up, down in ((4, 5), (9, 10), (10, 9), (5, 4), (4, 3)):
        table(f"{up / down:.2f} times as long", encoder, *stretched(gaps, sounds, up, down))
    wrong = 0
    for turn in range(1, len(names)):
        wrong += measure(encoder, gaps, np.roll(sounds, turn, axis=0), 0, np.inf).known
    print(f"swapped: {wrong} of {len(names) - 1} claimed to be known")
    return 0 if wrong == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
