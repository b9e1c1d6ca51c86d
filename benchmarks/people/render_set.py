# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of random people with their labels, straight into a loop or onto the disk.

    PYTHONPATH=benchmarks python -m people --out DIR --people 4 --frames 20 [--model ict] [--size 512] [--seed 0]

Per person: ``person_0000/frame_0000.png`` with the masks ``…_alpha.png``, ``…_classes.png`` (red face, green hair, blue
mouth) and one ``labels.npz``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from hmtalker.head_pose import HeadPose

from .background import Background
from .camera_effects import random_effects
from .expressions import random_gaze, random_units
from .figure import Figure
from .person import Lighting, Person, Pose, Rendered, View
from .units import UNITS, UnitLabels, to_arkit

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
FOLDERS = {"makehuman": "makehuman_cc0", "ict": "ict_facekit"}


class Sample(NamedTuple):
    """One labelled picture."""

    rendered: Rendered
    pose: Pose
    units: UnitLabels
    person: int
    """Number of the person within the set."""
    frame: int


def random_person(model: str, seed: int, data: Path = DATA, extent: float = 1.0) -> Person:
    """A person of the model ``makehuman`` or ``ict``; data: the folder that holds both models' folders."""
    if model == "ict":
        from .ict_people import random_person as figure
    elif model == "makehuman":
        from .makehuman_people import random_person as figure
    else:
        raise ValueError(f"no model '{model}'; there are makehuman and ict")
    return Person(figure(Path(data) / FOLDERS[model], seed, extent))


def random_lighting(rng: np.random.Generator) -> Lighting:
    """A key light from one side, a fill light, a rim light, light from all around."""
    side = rng.choice((-1.0, 1.0))
    warm = np.array([1.0, 1 - rng.uniform(0, 0.12), 1 - rng.uniform(0, 0.25)])
    key = rng.uniform(0.35, 1.0) * warm
    fill = rng.uniform(0.0, 0.45) * warm[::-1]
    rim = rng.uniform(0.0, 0.6) * np.ones(3)
    lamps = np.array(
        [
            [side * rng.uniform(0.0, 1.2), rng.uniform(-0.2, 1.2), rng.uniform(0.3, 1.0), *key],
            [-side * rng.uniform(0.3, 1.2), rng.uniform(-0.3, 0.6), rng.uniform(0.2, 1.0), *fill],
            [rng.uniform(-1, 1), rng.uniform(0.2, 0.8), -rng.uniform(0.4, 1.0), *rim],
        ]
    )
    sky = rng.uniform(0.22, 0.55) * np.array([1 - rng.uniform(0, 0.1), 1, 1 + rng.uniform(0, 0.12)])
    ground = sky * rng.uniform(0.3, 0.8) * np.array([1.05, 1, 0.92])
    return Lighting(lamps, tuple(sky), tuple(ground))


def random_view(rng: np.random.Generator, size: int) -> View:
    """The face fills a quarter to a half of the frame, somewhat off the middle."""
    distance = rng.uniform(0.5, 1.6)
    eyes = rng.uniform(0.11, 0.20) * size  # pixels between the eyes
    focal = eyes / 0.063 * distance
    aside, up = rng.normal(0, 0.02, 2)
    return View(size, size, distance, float(focal), (float(aside), 0.02 + float(up)))


def random_head(rng: np.random.Generator, yaw: float = 20.0) -> HeadPose:
    """yaw: degrees, two standard deviations; pitch and roll are half and a third of it."""
    pitch, turn, roll = np.clip(rng.normal(0, 0.5, 3), -1, 1) * np.radians([0.5 * yaw, yaw, yaw / 3])
    return HeadPose((float(pitch), float(turn), float(roll)), tuple(rng.normal(0, 0.008, 3)))


def random_background(rng: np.random.Generator) -> Background:
    kind = str(rng.choice(("room", "colour", "green", "blue"), p=(0.5, 0.2, 0.15, 0.15)))
    colour = rng.uniform(0.02, 0.8) * rng.uniform(0.75, 1, 3)
    return Background(kind, tuple(colour), float(rng.uniform(0, 0.5)), int(rng.integers(1 << 31)))


def random_pose(figure: Figure, rng: np.random.Generator, size: int = 512, **fixed: object) -> tuple[Pose, UnitLabels]:
    """One frame with everything drawn. fixed: fields of `Pose` (view, head, lighting, background, effects), or kind
    (of expression), yaw (degrees), or units (`UnitLabels`), that are not."""
    units = fixed.pop("units", None) or random_units(rng, fixed.pop("kind", None))  # type: ignore[arg-type]
    drawn: dict[str, object] = {
        "view": random_view(rng, size),
        "head": random_head(rng, fixed.pop("yaw", 20.0)),  # type: ignore[arg-type]
        "lighting": random_lighting(rng),
        "background": random_background(rng),
        "effects": random_effects(rng),
    }
    arkit = to_arkit(units, figure, random_gaze(rng))  # type: ignore[arg-type]
    return Pose(arkit=arkit, units=units, **(drawn | fixed)), units  # type: ignore[arg-type, return-value]


def samples(
    people: int,
    frames: int,
    seed: int = 0,
    model: str = "makehuman",
    size: int = 512,
    data: Path = DATA,
    **fixed: object,
) -> Iterator[Sample]:
    """`frames` independent stills of each of `people` people, one person after the other.

    The same seed gives the same people and pictures, whatever the numbers. fixed: see `random_pose`.
    """
    for number in range(people):
        person = random_person(model, seed * 10007 + number, data)
        for frame in range(frames):
            rng = np.random.default_rng((seed, number, frame))
            pose, units = random_pose(person.figure, rng, size, **fixed)
            yield Sample(person.render(pose), pose, units, number, frame)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="people", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--people", type=int, default=4)
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", choices=tuple(FOLDERS), default="makehuman")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--data", type=Path, default=DATA, help="folder that holds makehuman_cc0 and ict_facekit")
    given = parser.parse_args(arguments)
    table: dict[int, list[Sample]] = {}
    for sample in samples(given.people, given.frames, given.seed, given.model, given.size, given.data):
        folder = given.out / f"person_{sample.person:04d}"
        folder.mkdir(parents=True, exist_ok=True)
        r, stem = sample.rendered, folder / f"frame_{sample.frame:04d}"
        cv2.imwrite(f"{stem}.png", r.rgb[..., ::-1])
        cv2.imwrite(f"{stem}_alpha.png", np.round(65535 * r.alpha).astype(np.uint16))
        cv2.imwrite(f"{stem}_classes.png", np.round(255 * np.stack([r.mouth, r.hair, r.face], 2)).astype(np.uint8))
        table.setdefault(sample.person, []).append(sample)
        if sample.frame + 1 == given.frames:
            _save_labels(folder / "labels.npz", table.pop(sample.person))


def _save_labels(path: Path, rows: list[Sample]) -> None:
    np.savez_compressed(
        path,
        unit_names=np.array(UNITS),
        units=np.stack([s.units.sides for s in rows]),
        arkit=np.stack([s.pose.arkit for s in rows]).astype(np.float32),
        head=np.stack([s.pose.head.to_array() for s in rows]),
        rotation=np.stack([s.rendered.rotation for s in rows]),
        translation=np.stack([s.rendered.translation for s in rows]),
        intrinsics=np.stack([s.rendered.intrinsics for s in rows]),
        eye_distance=rows[0].rendered.eye_distance,
        eyes=rows[0].rendered.eyes,
    )
