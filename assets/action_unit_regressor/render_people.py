# SPDX-License-Identifier: GPL-3.0-or-later
"""Film synthetic people whose Action Units are known, and track their faces as a capture does.

    PYTHONPATH=../../benchmarks python render_people.py --out FOLDER [--people 150] [--first 0] [--model ict]

A shot has its own light, lens, distance, picture size and camera; pose and expression change from frame to frame. The
first fifth of a shot is neutral, as the silence in which a capture finds a person's rest. Every person is a file
``MODEL_NNNN.npz``; those already there are kept, so the run can be continued.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from exact_labels import exact_labels
from people.camera_effects import random_effects
from people.expressions import random_gaze, random_units
from people.person import Person, Pose, View
from people.render_set import DATA, random_background, random_lighting, random_person
from people.units import to_arkit

from hmtalker.action_unit_sets import EXTENDED
from hmtalker.capture.face.face_landmarks import Face, FaceTracker
from hmtalker.capture.face.face_networks import find_networks, load_networks
from hmtalker.head_pose import HeadPose

FRAMES, SHOTS = 24, 2
"""Frames of a shot, shots of a person."""
FACE_WIDTH = 0.145
"""Metres, of a usual face."""
SIDE = 1.7
"""Side of the picture in face widths."""
SMALLEST, LARGEST = 90, 400
"""Pixels of the face's width."""
KINDS = {"rest": 0.05, "speech": 0.25, "emotion": 0.2, "single": 0.25, "talking emotion": 0.15, "anything": 0.1}
"""What is acted, and how often, once the shot's neutral frames are over."""
TURN = np.radians([14, 25, 8])
"""Pitch, yaw, roll: limits while acting; the neutral frames turn half as far."""


def random_view(rng: np.random.Generator) -> View:
    width = float(np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST))))
    side = int(width * SIDE)
    distance = rng.uniform(0.45, 1.4)
    return View(side, side, distance, width / FACE_WIDTH * distance, (rng.normal(0, 0.01), 0.045))


def random_heads(frames: int, rng: np.random.Generator) -> np.ndarray:
    angles = rng.uniform(-1, 1, (frames, 3)) * TURN
    angles[: frames // 5] *= 0.5
    return angles


def look(tracker: FaceTracker, picture: np.ndarray) -> Face | None:
    """As in the middle of a video: the crop comes from the landmarks."""
    tracker.reset()
    tracker.track(picture)
    return tracker.track(picture)


def film(person: Person, tracker: FaceTracker, frames: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """One shot: what was tracked and what is true."""
    view, lighting, effects = random_view(rng), random_lighting(rng), random_effects(rng)
    background = random_background(rng)
    landmarks = np.full((frames, 478, 3), np.nan, np.float32)
    blendshapes = np.full((frames, 52), np.nan, np.float32)
    rotations, labels = np.empty((frames, 3, 3), np.float32), []
    heads, neutral = random_heads(frames, rng), np.arange(frames) < frames // 5
    for index in range(frames):
        kind = "rest" if neutral[index] else str(rng.choice(list(KINDS), p=list(KINDS.values())))
        units = random_units(rng, kind)
        arkit = to_arkit(units, person.figure, random_gaze(rng))
        noise = replace(effects, seed=effects.seed + index)
        head = HeadPose(tuple(heads[index]), tuple(rng.normal(0, 0.004, 3)))
        seen = person.render(Pose(arkit, head, view, lighting, background, noise))
        face = look(tracker, seen.rgb)
        if face is not None:
            landmarks[index], blendshapes[index] = face.landmarks, face.blendshapes
        rotations[index] = seen.rotation
        labels.append(exact_labels(units, arkit, person.figure))
    return {
        "landmarks": landmarks, "blendshapes": blendshapes, "rotations": rotations, "labels": np.stack(labels),
        "neutral": neutral, "size": np.full(frames, view.focal / view.distance * FACE_WIDTH, np.float32),
    }  # fmt: skip


def film_people(
    out: Path, model: str, numbers: Iterable[int], frames: int = FRAMES, shots: int = SHOTS, data: Path = DATA
) -> None:
    """Film those people of a model whose file is not in the folder `out` yet."""
    out.mkdir(parents=True, exist_ok=True)
    tracker = FaceTracker(load_networks(find_networks()))
    start = time.perf_counter()
    for number in numbers:
        path = out / f"{model}_{number:04d}.npz"
        if path.exists():
            continue
        rng = np.random.default_rng((number, 23))
        person = random_person(model, number, data)
        parts = [film(person, tracker, frames, rng) for _ in range(shots)]
        joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
        shot = np.repeat(np.arange(shots), frames)
        np.savez(path, shot=shot, codes=np.array(EXTENDED.codes), description=person.figure.description, **joined)
        found = np.isfinite(joined["landmarks"]).all((1, 2)).mean()
        print(f"{path.name} {found:.2f} found, {time.perf_counter() - start:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder that holds makehuman_cc0 and ict_facekit")
    parser.add_argument("--model", choices=("makehuman", "ict"), default="makehuman")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--people", type=int, default=150)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--step", type=int, default=1, help="from one person's number to the next")
    options = parser.parse_args()
    numbers = range(options.first, options.first + options.people * options.step, options.step)
    film_people(options.out, options.model, numbers, data=options.data)


if __name__ == "__main__":
    main()
