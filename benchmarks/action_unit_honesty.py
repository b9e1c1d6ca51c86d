# SPDX-License-Identifier: GPL-3.0-or-later
"""Is an Action Unit that is raised by 1 seen as 1, and as nothing else? On rendered faces of an avatar.

    python benchmarks/action_unit_honesty.py AVATAR.hmt --dataset DATASET [--svg matrix.svg] [--out honesty.json]
    python benchmarks/action_unit_honesty.py AVATAR.hmt --speech SPEECH.wav

Each unit is raised by 1 over several faces: from 0, 1 and 2 on a resting face without a voice, and from where it is in
moments of speech, with the voice; each in four poses of the head. Of an avatar with the set `extended`, units with two
sides are raised side by side. What the capture's Action Unit extractor reads
afterwards minus what it read before is the unit's row: itself on the diagonal, leaks beside it.

The extractor needs a person's rest and range. With --dataset, they are those of the captured person, from the dataset's
tracking, and the rendered faces are read as frames of that person. With --speech alone, the avatar is filmed while it
speaks SPEECH, after two seconds of silence, and calibrated on that. The moments of speech come from SPEECH, too (by
default the sample that is fetched with the models).

An extractor errs, too: a row tells of the face and of its reader together (docs/action_units.md). How far the face
itself moves is therefore given beside it: the 99.5th percentile of its Gaussians' ways, at rest and in speech.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from action_unit_matrix import known_mean, matrix_svg, matrix_table
from shown_faces import Faces, Studio

from hmtalker.action_unit_sets import ActionUnitSet, set_of_width
from hmtalker.avatar import Avatar, load_avatar
from hmtalker.capture.units.face_features import face_features
from hmtalker.capture.units.measure import measure_units
from hmtalker.errors import HMTalkerError
from hmtalker.head_pose import HeadPose
from hmtalker.motion.state import MotionState
from hmtalker.pretrained import installed, part
from hmtalker.speech.audio_file import load_audio
from hmtalker.take import Take, animate

RATE, FPS = 16_000, 25
SILENCE_SECONDS, SPOKEN_SECONDS = 2, 15
POSES = 4
TURN = 0.04
"""Radians: standard deviation of the head's angles."""
LEVELS = (0, 1, 2)
BASES = (*(f"from {level}" for level in LEVELS), "in speech")
FARTHEST = 99.5
"""Percentile of the Gaussians' ways that is taken for the motion of a face: few of them belong to one unit."""
MOMENTS = (0.45, 0.6, 0.75, 0.9)
"""Shares of the spoken frames with a smaller AU25: one moment of speech for each pose."""


@dataclass(frozen=True)
class Person:
    """Whom the rendered faces are read as."""

    features: list[np.ndarray]
    """Of each clip."""
    silent: np.ndarray
    """bool [T]"""
    usable: np.ndarray
    """bool [T]"""
    source: str


def captured_person(folder: Path) -> Person:
    """The person of a dataset. Raises HMTalkerError where its tracking is not there, clip by clip."""
    features, silent, usable = [], [], []
    try:
        with np.load(folder / "performance.npz", allow_pickle=False) as data:
            names, speaks = [str(name) for name in data["clips"]], data["speech"].astype(bool)
            clips, whole = data["clip_index"], data["usable"].astype(bool)
        for clip, name in enumerate(names):
            rows = np.flatnonzero(clips == clip)
            with np.load(folder / "tracking" / f"{name}.npz", allow_pickle=False) as data:
                if len(data["landmarks"]) != len(rows):
                    raise ValueError(f"the clip '{name}' was cut out of a longer take")
                features.append(face_features(data["landmarks"], data["blendshapes"]))
            silent.append(~speaks[rows])
            usable.append(whole[rows])
    except (OSError, KeyError, ValueError) as error:
        raise HMTalkerError(f"'{folder}' tells no person's rest ({error}); leave out --dataset.") from error
    return Person(features, np.concatenate(silent), np.concatenate(usable), f"captured, {len(silent)} clips")


def filmed_person(studio: Studio, take: Take) -> Person:
    """The avatar itself, while it speaks; the first seconds of `take` are silent."""
    faces = studio.video(map(take.state, range(take.frames)), "frames of the avatar speaking")
    silent = np.arange(take.frames) < SILENCE_SECONDS * FPS
    features = face_features(faces.landmarks, faces.blendshapes)
    return Person([features], silent, np.ones(take.frames, bool), f"the avatar itself, {take.frames} frames")


def spoken_take(avatar: Avatar, speech: Path) -> Take:
    """The avatar speaking, after a silence."""
    samples = load_audio(speech)[: SPOKEN_SECONDS * RATE]
    return animate(avatar, np.concatenate([np.zeros(SILENCE_SECONDS * RATE, np.float32), samples]), FPS)


@dataclass(frozen=True)
class Raise:
    """One unit raised by 1: places in the list of shown faces."""

    base: str
    unit: int
    """Place among the set's muscles."""
    before: int
    after: int


def shown(take: Take) -> tuple[list[MotionState], list[Raise]]:
    """Faces to show, and which of them to compare. take: moments of speech come from its spoken part."""
    rng = np.random.default_rng(0)
    units_there_are = set_of_width(take.action_units.shape[1])
    columns = [units_there_are.index(code) for code in units_there_are.muscles]
    states: list[MotionState] = []
    raised: list[Raise] = []

    def add(base: str, units: np.ndarray, unit: int, before: int, implicit: np.ndarray | None) -> int:
        """Show `units` with one of them raised, and compare; where it is shown."""
        higher = units.copy()
        higher[columns[unit]] += 1
        if _pull(units_there_are, units, unit) + 1 > units_there_are.maxima[columns[unit]]:
            return before
        states.append(MotionState(higher, implicit, head=head))
        raised.append(Raise(base, unit, before, len(states) - 1))
        return len(states) - 1

    for moment in spoken_moments(take):
        head = HeadPose(tuple(map(float, rng.normal(0, TURN, 3))))
        states.append(MotionState(np.zeros(units_there_are.count, np.float32), head=head))
        rest = len(states) - 1
        for unit, column in enumerate(columns):
            at = rest
            for level in LEVELS:
                units = level * np.eye(units_there_are.count, dtype=np.float32)[column]
                at = add(f"from {level}", units, unit, at, None)
        states.append(MotionState(take.action_units[moment], take.implicit[moment], head=head))
        speaking = len(states) - 1
        for unit in range(len(columns)):
            add("in speech", take.action_units[moment], unit, speaking, take.implicit[moment])
    return states, raised


def _pull(units: ActionUnitSet, controls: np.ndarray, muscle: int) -> float:
    return float(units.pulls(controls, units.muscles[muscle : muscle + 1])[0])


def spoken_moments(take: Take) -> list[int]:
    """Frames with open eyes, from lips hardly parted to wide."""
    units = set_of_width(take.action_units.shape[1])
    awake = np.flatnonzero(take.action_units[:, units.index("AU45")] == 0)
    spoken = awake[awake >= SILENCE_SECONDS * FPS]
    order = spoken[np.argsort(take.action_units[spoken, units.index("AU25")])]
    return [int(order[int(share * len(order))]) for share in MOMENTS]


def read(person: Person, faces: Faces, units: ActionUnitSet) -> np.ndarray:
    """[n,M] what the extractor reads of each muscle off stills of `person`, each for itself; NaN without a face."""
    features = face_features(faces.landmarks, faces.blendshapes)
    count, clips = len(features), len(person.features)
    seen = np.isfinite(features).all(1)
    numbers = np.repeat(np.arange(clips + count), [*map(len, person.features), *([1] * count)])
    values = measure_units(
        [*person.features, features],
        np.concatenate([person.usable, seen]),
        np.concatenate([person.silent, np.zeros(count, bool)]),
        numbers,
        units,
    ).values[-count:, [units.index(code) for code in units.muscles]]
    return np.where(seen[:, None], values, np.nan)


def responses(person: Person, faces: Faces, raised: list[Raise], units: ActionUnitSet) -> dict[str, np.ndarray]:
    """Base -> [M, M, poses]: change of what is read, by unit raised and unit read; NaN where it was not shown."""
    found, count = {}, len(units.muscles)
    for base in BASES:
        own = [one for one in raised if one.base == base]
        # only the faces of one base at a time, so that they are too few to change the person's range
        places = sorted({place for one in own for place in (one.before, one.after)})
        values = read(person, Faces(faces.landmarks[places], faces.blendshapes[places]), units)
        found[base] = np.full((count, count, POSES), np.nan)
        shown_before = [0] * count
        for one in own:
            change = values[places.index(one.after)] - values[places.index(one.before)]
            found[base][one.unit, :, shown_before[one.unit]] = change
            shown_before[one.unit] += 1
    return found


def ways(studio: Studio, states: list[MotionState], raised: list[Raise]) -> np.ndarray:
    """[M, 2] millimetres by which the avatar itself moves where a unit is raised: mean at rest, mean in speech."""
    offsets = studio.renderer.motion.face_offsets
    found: list[tuple[list[float], list[float]]] = [([], []) for _ in studio.renderer.avatar.units.muscles]
    for one in raised:
        way = offsets(states[one.after])[:, :3] - offsets(states[one.before])[:, :3]
        farthest = 1000 * float(np.percentile(np.linalg.norm(way, axis=1), FARTHEST))
        found[one.unit][one.base == "in speech"].append(farthest)
    return np.array([[np.mean(of) if of else np.nan for of in unit] for unit in found])


def default_speech() -> Path:
    """The speech sample. Raises HMTalkerError where it was not fetched."""
    name = part("speech-sample").file_name
    folder = installed(name)
    if folder is None:
        raise HMTalkerError("There is no speech sample; give a recording with --speech, or run 'make demo' once.")
    return folder / name


def _plain(values: np.ndarray) -> list[list[float | None]]:
    """For JSON, which knows no NaN."""
    return [[float(value) if np.isfinite(value) else None for value in row] for row in values]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("avatar", type=Path, metavar="AVATAR", help="avatar file (.hmt)")
    parser.add_argument("--dataset", type=Path, help="the captured person whose rest and range count")
    parser.add_argument("--speech", type=Path, help="a recording to take moments of speech from")
    parser.add_argument("--svg", type=Path, help="write the matrix as a picture")
    parser.add_argument("--out", type=Path, help="write all figures as JSON")
    options = parser.parse_args()
    try:
        avatar = load_avatar(options.avatar)
        take = spoken_take(avatar, options.speech or default_speech())
        studio = Studio(avatar)
        person = captured_person(options.dataset) if options.dataset else filmed_person(studio, take)
        states, raised = shown(take)
        found = responses(person, studio.stills(states), raised, avatar.units)
        moved = ways(studio, states, raised)
        studio.close()
    except HMTalkerError as error:
        print(f"Nothing was measured: {error}", file=sys.stderr)
        return 2
    print(f"{avatar.name}: {len(states)} faces; rest and range: {person.source}\n")
    codes = avatar.units.muscles
    print(matrix_table(found, moved, codes))
    if options.svg:
        mean = known_mean(np.concatenate(list(found.values()), 2), 2)
        options.svg.write_text(matrix_svg(mean, codes), encoding="utf-8")
    if options.out:
        data = {base: _plain(known_mean(values, 2)) for base, values in found.items()}
        report = {"codes": codes, "person": person.source, "mean change": data, "millimetres": _plain(moved)}
        options.out.write_text(json.dumps(report, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
