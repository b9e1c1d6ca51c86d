# SPDX-License-Identifier: GPL-3.0-or-later
"""Are Action Units right? On synthetic people that the regressor never saw, and for plausibility on a real speaker.

    python benchmarks/action_units.py [--filmed FOLDER] [--people 30] [--model ict] [--grid FOLDER]

FOLDER keeps what ``assets/action_unit_regressor/render_people.py`` films; the training's held-out people are filmed
where they are missing, ten seconds each. Every shot goes through the whole measurement with its own rest, frame by
frame, since its frames are stills. r and error (mean, in intensities of 0..5; AU45 0..2) are pooled over all shots;
the spread is that of a bootstrap over people. "blendshapes" is the score of the shapes that ARKit's names promise,
minus its value at rest, times 5.

``--grid`` tracks real clips (GRID, with phones.json beside them): the gap between the lips against AU25, closed lips in
/p b m/, blinks a minute, and how much the curves tremble while the face rests.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks"), str(ROOT / "assets" / "action_unit_regressor")]
import conftest  # noqa: F401  (makes hmtalker importable from the working tree)
from filmed_people import HELD_OUT_EVERY, Shot, load_shots
from render_people import film_people

from hmtalker.action_unit_sets import EXTENDED, OPENFACE_17
from hmtalker.action_units import CODES
from hmtalker.avatar import load_avatar
from hmtalker.capture.curves.arkit_action_units import TABLE
from hmtalker.capture.face.blendshape_names import BLENDSHAPES
from hmtalker.capture.face.face_landmarks import FaceTracker
from hmtalker.capture.face.face_networks import find_networks, load_networks
from hmtalker.capture.units.face_features import face_features, feature_names
from hmtalker.capture.units.measure import measure_units
from hmtalker.capture.video_file import probe, read_frames
from hmtalker.head_pose import HeadPose
from hmtalker.motion.state import MotionState
from hmtalker.render import Renderer

SHARED = ROOT.parent / "shared" / "data"
SHAPES: dict[str, dict[str, float]] = {
    **TABLE,
    "AU16": {"mouthLowerDown": 1.0},
    "AU24": {"mouthPress": 1.0},
    "AU25": {"jawOpen": 1.0, "mouthClose": -1.0},
    "AU28": {"mouthRollLower": 0.5, "mouthRollUpper": 0.5},
}
"""What a table of ARKit's shapes would say of each unit."""
UNITS = [code for code, side in zip(EXTENDED.codes, EXTENDED.sides, strict=True) if not side]
WEAK = ("AU06", "AU09", "AU14", "AU15", "AU20", "AU23")
CLOSED = 0.5
"""Lips count as closed below this AU25."""
RESAMPLES = 200


def from_blendshapes(shot: Shot) -> np.ndarray:
    """[n, len(UNITS)] what the names of the shapes promise."""
    scores = shot.blendshapes - np.nanmedian(shot.blendshapes[shot.neutral], 0)
    result = np.zeros((len(scores), len(UNITS)))
    for column, code in enumerate(UNITS):
        for name, weight in SHAPES.get(code, {}).items():
            members = [BLENDSHAPES.index(n) for n in (name, name + "Left", name + "Right") if n in BLENDSHAPES]
            result[:, column] += weight * scores[:, members].mean(1)
    return np.clip(result, 0, 1) * EXTENDED.maxima[: len(UNITS)]


def measured(shot: Shot) -> tuple[np.ndarray, np.ndarray]:
    """[n, EXTENDED.count] intensities and [EXTENDED.count] confidence; each still is a clip of its own."""
    count = len(shot.labels)
    features = face_features(shot.landmarks, shot.blendshapes)
    curves = measure_units([features], shot.found, shot.neutral, np.arange(count), EXTENDED)
    return curves.values, curves.confidence


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else float("nan")


def synthetic(shots: list[Shot]) -> None:
    ours, confidence = zip(*(measured(shot) for shot in shots), strict=True)
    acted = [shot.found & ~shot.neutral for shot in shots]
    numbers = np.unique([shot.name for shot in shots], return_inverse=True)[1].reshape(-1)
    people = np.concatenate([np.full(int(a.sum()), number) for number, a in zip(numbers, acted, strict=True)])
    truth = np.concatenate([s.labels[a] for s, a in zip(shots, acted, strict=True)])
    value = np.concatenate([v[a] for v, a in zip(ours, acted, strict=True)])
    shapes = np.concatenate([from_blendshapes(s)[a] for s, a in zip(shots, acted, strict=True)])
    found = np.mean([shot.found.mean() for shot in shots])
    print(f"{len(set(people))} people, {len(shots)} shots, {len(truth)} acted frames; a face in {found:.1%} of all")
    print("| unit | r | ± | error | blendshapes r | error | spread of the truth | confidence |\n|" + "---|" * 8)
    rng = np.random.default_rng(0)
    names = np.unique(people)
    draws = [
        np.concatenate([np.flatnonzero(people == name) for name in rng.choice(names, len(names))])
        for _ in range(RESAMPLES)
    ]
    rows = []
    for index, code in enumerate(EXTENDED.codes):
        r = correlation(value[:, index], truth[:, index])
        spread = np.nanstd([correlation(value[rows_, index], truth[rows_, index]) for rows_ in draws])
        error = np.abs(value[:, index] - truth[:, index]).mean()
        other = "| | "
        if index < len(UNITS):
            plain = correlation(shapes[:, index], truth[:, index])
            other = f"{plain:.2f} | {np.abs(shapes[:, index] - truth[:, index]).mean():.2f}"
            rows.append((code, r, error, plain))
        mark = " (weak)" if code in WEAK else ""
        sure = np.mean([c[index] for c in confidence])
        print(
            f"| {code}{mark} | {r:.2f} | {spread:.2f} | {error:.2f} | {other} | {truth[:, index].std():.2f} "
            f"| {sure:.2f} |"
        )
    for label, chosen in (("17", rows[:17]), ("weak", [row for row in rows if row[0] in WEAK]), ("23", rows)):
        r, error, plain = np.nanmean([row[1:] for row in chosen], 0)
        print(f"mean of {label}: r {r:.2f}, error {error:.2f}, blendshapes r {plain:.2f}")


def on_the_avatar(level: float = 4.0, size: int = 320) -> None:
    """Each unit by itself on the bundled avatar: another renderer, another person, shapes with AU25 apart."""
    avatar = load_avatar(ROOT / "assets" / "bundled_avatar.hmt")
    renderer, tracker = Renderer(avatar, threads=1), FaceTracker(load_networks(find_networks()))
    shown = np.concatenate([np.zeros((10, len(CODES))), np.diag(np.minimum(level, OPENFACE_17.maxima))])
    faces = []
    for number, units in enumerate(shown.astype(np.float32)):
        head = HeadPose(tuple(np.random.default_rng(number).normal(0, 0.03, 3)))
        rgba = renderer.render_srgb8(MotionState(units, head=head), avatar.camera.scaled(size, size)).astype(float)
        alpha = rgba[..., 3:] / 255
        tracker.reset()
        tracker.track(picture := (rgba[..., :3] * alpha + 110 * (1 - alpha) + 0.5).astype(np.uint8))
        faces.append(tracker.track(picture))  # as in the middle of a video
    renderer.close()
    features = face_features(np.stack([f.landmarks for f in faces]), np.stack([f.blendshapes for f in faces]))
    count = len(features)
    curves = measure_units([features], np.ones(count, bool), shown.sum(1) == 0, np.arange(count), EXTENDED)
    print(f"the bundled avatar shows one unit at {level:g} (AU45 2); measured, and the three strongest others:")
    for row, code in zip(curves.values[-len(CODES) :], CODES, strict=True):
        others = sorted((c for c in UNITS if c != code), key=lambda c: -row[UNITS.index(c)])[:3]
        print(
            f"| {code} | {row[UNITS.index(code)]:.1f} | " + ", ".join(f"{c} {row[UNITS.index(c)]:.1f}" for c in others)
        )


def real(folder: Path, limit: int) -> None:
    phones = json.loads((folder / "phones.json").read_text())
    tracker = FaceTracker(load_networks(find_networks()))
    features, clips, silent, spoken = [], [], [], []
    for number, path in enumerate(sorted((folder / "clips").iterdir())[:limit]):
        tracker.reset()
        faces = [tracker.track(picture) for _, picture in read_frames(probe(path))]
        landmarks = np.stack([np.full((478, 3), np.nan) if face is None else face.landmarks for face in faces])
        scores = np.stack([np.full(52, np.nan) if face is None else face.blendshapes for face in faces])
        features.append(face_features(landmarks, scores))
        quiet = np.ones(len(faces), bool)
        for phone, begin, end in phones[path.name]["phones"]:
            if phone != "SIL":
                first, last = max(int(25 * begin) - 1, 0), int(np.ceil(25 * end)) + 1
                quiet[first:last] = False
                spoken.append((phone, len(clips) + first, min(len(clips) + last, len(clips) + len(faces))))
        silent.append(quiet)
        clips += [number] * len(faces)
    rows, clip = np.concatenate(features), np.array(clips)
    curves = measure_units(features, np.isfinite(rows).all(1), np.concatenate(silent), clip)
    value = dict(zip(curves.codes, curves.values.T, strict=True))
    gap = rows[:, feature_names().index("lip_gap")]
    seen = np.isfinite(gap)
    print(f"{folder.name}: {clip[-1] + 1} clips, {len(clip)} frames, rest from {curves.rest_frames}; {curves.warnings}")
    print(f"AU25 against the lip gap: r {correlation(value['AU25'][seen], gap[seen]):.3f}")
    least = [(phone in "PBM", value["AU25"][a:b].min()) for phone, a, b in spoken if b > a]
    for name, kind in (("/p b m/", True), ("other phones", False)):
        shut = [low < CLOSED for is_closure, low in least if is_closure is kind]
        print(f"lips closed (AU25 < {CLOSED}) in {name}: {np.mean(shut):.1%} of {len(shut)}")
    down = value["AU45"] > 1
    print(f"blinks: {(down[1:] & ~down[:-1]).sum() / len(clip) * 1500:.1f} a minute")
    still = np.concatenate(silent) & (value["AU25"] == 0) & (value["AU45"] == 0)
    middle = still[2:] & still[1:-1] & still[:-2] & (clip[2:] == clip[:-2])
    trembling = {code: np.sqrt((np.diff(v, n=2)[middle] ** 2).mean()) for code, v in value.items()}
    print("second difference at rest (rms): " + ", ".join(f"{code} {v:.3f}" for code, v in trembling.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--filmed", type=Path, default=ROOT / "build" / "action_unit_people")
    parser.add_argument("--people", type=int, default=30, help="held-out people")
    parser.add_argument("--model", choices=("makehuman", "ict"), default="makehuman")
    parser.add_argument("--grid", type=Path, default=SHARED / "grid_s1")
    parser.add_argument("--clips", type=int, default=200)
    options = parser.parse_args()
    numbers = [HELD_OUT_EVERY - 1 + HELD_OUT_EVERY * index for index in range(options.people)]
    if (SHARED / "makehuman_cc0").is_dir():
        film_people(options.filmed, options.model, numbers)
    else:
        print(f"not filmed: the heads are missing ({SHARED})")
    wanted = {f"{options.model}_{number:04d}" for number in numbers}
    shots = [shot for shot in load_shots(options.filmed) if shot.name in wanted]
    if shots:
        synthetic(shots)
    on_the_avatar()
    if (options.grid / "phones.json").is_file():
        real(options.grid, options.clips)
    else:
        print(f"left out: no real clips in {options.grid}")


if __name__ == "__main__":
    main()
