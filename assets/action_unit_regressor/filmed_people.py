# SPDX-License-Identifier: GPL-3.0-or-later
"""The filmed people as arrays: which were learned from, which were held out, and their features against their rest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hmtalker.capture.face.blendshape_names import BLENDSHAPES
from hmtalker.capture.units.face_features import face_features
from hmtalker.capture.units.face_space import FaceSpace

HELD_OUT_EVERY = 5
"""Every fifth person, by number, is held out."""


@dataclass(frozen=True)
class Shot:
    """One shot of one person: n frames."""

    name: str
    held_out: bool
    landmarks: np.ndarray
    """float32 [n,478,3], NaN where no face was found."""
    blendshapes: np.ndarray
    rotations: np.ndarray
    """float32 [n,3,3] true head -> camera."""
    labels: np.ndarray
    """float32 [n,m] in the columns of `codes`."""
    neutral: np.ndarray
    """bool [n]"""
    size: float
    """Pixels of the face's width."""
    codes: tuple[str, ...]

    @property
    def found(self) -> np.ndarray:
        return np.asarray(np.isfinite(self.landmarks).all((1, 2)))


def load_shots(folder: Path) -> list[Shot]:
    """All shots of all people in a folder that ``render_people.py`` filled, in which a rest was seen."""
    shots = []
    for path in sorted(folder.glob("*_*.npz")):
        with np.load(path) as file:
            data = {name: file[name] for name in file.files}
        held_out = int(path.stem.split("_")[1]) % HELD_OUT_EVERY == HELD_OUT_EVERY - 1
        for number in np.unique(data["shot"]):
            here = data["shot"] == number
            arrays = (data[key][here] for key in ("landmarks", "blendshapes", "rotations", "labels", "neutral"))
            shot = Shot(
                path.stem, held_out, *arrays,
                float(data["size"][here][0]), tuple(str(code) for code in data["codes"]),
            )  # fmt: skip
            if (shot.neutral & shot.found).sum() >= 3:
                shots.append(shot)
    return shots


def mirror_landmarks(space_mean: np.ndarray) -> np.ndarray:
    """[478] for each landmark its partner on the other side of the face."""
    flipped = space_mean * [-1, 1, 1]
    return np.asarray(((space_mean[:, None] - flipped[None]) ** 2).sum(-1).argmin(1))


def mirrored(shot: Shot, partner: np.ndarray) -> Shot:
    """The shot as seen in a mirror: a further person."""
    landmarks = shot.landmarks[:, partner] * np.array([-1, 1, 1], np.float32)
    swap = np.array([BLENDSHAPES.index(other_side(name, ("Left", "Right"))) for name in BLENDSHAPES])
    columns = [shot.codes.index(other_side(code, ("L", "R"))) for code in shot.codes]
    turn = shot.rotations * np.array([[1, -1, -1], [-1, 1, 1], [-1, 1, 1]], np.float32)
    return Shot(
        shot.name, shot.held_out, landmarks, shot.blendshapes[:, swap], turn, shot.labels[:, columns], shot.neutral,
        shot.size, shot.codes,
    )  # fmt: skip


def other_side(name: str, sides: tuple[str, str]) -> str:
    """browDownLeft -> browDownRight; names without a side stay. jawLeft and the like are swapped too."""
    for side, other in (sides, sides[::-1]):
        if name.endswith(side):
            return name.removesuffix(side) + other
    return name


def relative_features(shot: Shot, space: FaceSpace, rotations: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Features [n,K] of the shot, and minus the median of its neutral frames."""
    rows = face_features(shot.landmarks, shot.blendshapes, shot.rotations if rotations else None, space)
    return rows, rows - np.nanmedian(rows[shot.neutral], 0)
