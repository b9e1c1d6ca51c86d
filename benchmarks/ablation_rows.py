# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the ablation table: what each changes, on which schedule, and an avatar that is trained that way."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from hmtalker.avatar import Avatar
from hmtalker.errors import HMTalkerError
from hmtalker.motion.config import MotionConfig
from hmtalker.render import available_threads
from hmtalker.speech.encoder import DEFAULT, create
from hmtalker.training.dataset import Dataset, Performance, Pictures, load_camera, load_performance, load_pictures
from hmtalker.training.export import build_avatar
from hmtalker.training.filmed_person import filmed_person, is_filmed
from hmtalker.training.frame_store import FrameStore
from hmtalker.training.motion_stage import SurfaceMotion
from hmtalker.training.presets import PRESETS, Preset
from hmtalker.training.train import CUES, FINEST
from hmtalker.training.trainer import Trainer
from hmtalker.training.variants import ENCODERS, Variant
from hmtalker.training.voice import hear_with

FULL = "gate"
ROWS: dict[str, tuple[str, tuple[str, ...]]] = {
    FULL: ("gate: the full model", ()),
    "implicit": ("implicit only (the same as cue: none)", ("fusion=implicit",)),
    "explicit": ("explicit only", ("fusion=explicit",)),
    "concat": ("concatenation", ("fusion=concat",)),
    "fixed": ("fixed weight of 1/2", ("fusion=fixed",)),
    "blendshape": ("cue: blendshapes", ("cue=blendshape",)),
    "sfp-off": ("no stochastic feature pairing", ("sfp=off",)),
    "attention-off": ("no region attention", ("attention=off",)),
    "mouth-audio": ("mouth by the voice alone", ("mouth=audio",)),
    "face-model": ("cue: a linear face model's coefficients", ("cue=3dmm",)),
    "mel": ("encoder: mel spectrogram, trained jointly", ("encoder=mel",)),
}
"""Name -> what it is, and the flags of ``hmtalker train --variant``."""


@dataclass(frozen=True)
class Schedule:
    """How long each row is trained, in parts of a preset."""

    preset: str = "quick"
    motion: float = 0.5
    """Times the iterations of stages A and S, in which the rows differ most."""
    pictures: float = 0.15
    """Times those of stages F, M and J."""
    frames: int = 3000
    """Pictures to learn from, evenly over the training clips."""
    clips: int = 0
    """Clips to learn from, evenly over the training clips; 0 for all."""


def preset_of(row: str, seed: int, schedule: Schedule) -> Preset:
    """The preset that a row is trained with. Raises HMTalkerError for a row that there is not."""
    if row not in ROWS:
        raise HMTalkerError(f"There is no row '{row}'; there are {', '.join(ROWS)}.")
    start = replace(PRESETS[schedule.preset], seed=seed, shares={})
    moved = start.scaled(schedule.motion)
    preset = replace(start.scaled(schedule.pictures), speech=moved.speech, motion=moved.motion)
    return Variant.parse(ROWS[row][1]).apply(preset)


@dataclass
class Workshop:
    """A dataset, and the people lifted from it, read once for all rows."""

    folder: Path
    schedule: Schedule
    _datasets: dict[tuple[str, str], Dataset] = field(default_factory=dict)
    _people: dict[tuple[str, str, int], SurfaceMotion] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not is_filmed(self.folder):
            raise HMTalkerError(f"'{self.folder}' is not a finished capture; run 'hmtalker capture' to its end first.")

    def dataset(self, row: str) -> Dataset:
        """What a row learns from; the test pictures are not in it."""
        cue, encoder = key = cue_of(row), encoder_of(row)
        if key not in self._datasets:
            if encoder != DEFAULT:
                hear_with(self.folder, create(encoder))
            camera, pivot = load_camera(self.folder / "camera.json")
            performance = some_clips(load_performance(self.folder, encoder), self.schedule.clips)
            pictures = load_pictures(self.folder, stream=True)
            pictures = training_pictures(pictures, self.schedule.frames, performance.train_clip)
            dataset = Dataset(camera, pivot, performance, pictures)
            self._datasets[key] = CUES[cue](self.folder, dataset) if cue in CUES else dataset
        return self._datasets[key]

    def person(self, row: str, seed: int) -> SurfaceMotion:
        """Surface and motion that a row starts from."""
        key = (cue_of(row), encoder_of(row), seed)
        if key not in self._people:
            self._people[key] = filmed_person(self.folder, self.dataset(row), seed)
        return self._people[key]

    def train(self, row: str, preset: Preset, work: Path, progress: Callable[[str], None]) -> Avatar:
        """Train a row; one that was stopped goes on from what is in `work`, which is removed in the end."""
        dataset = self.dataset(row)
        config = MotionConfig(feature_dimension=dataset.performance.speech[0].shape[2], face_finest=FINEST)
        trainer = Trainer(
            dataset,
            preset,
            self.person(row, preset.seed),
            config,
            work,
            available_threads(),
            lambda stage, done, of, losses: progress(f"{stage} {done}/{of}"),
        )
        trained = trainer.run(resume=True)
        header = {
            "name": f"{row}, seed {preset.seed}",
            "licence": "",
            "attribution": "",
            "encoder": {"id": encoder_of(row), "dim": config.feature_dimension},
            "training": preset.to_dict(),
            "metrics": {},
            "thumbnail": "",
        }
        avatar = build_avatar(trained.model, trained.face, trained.mouth, dataset, header)
        shutil.rmtree(work)
        return avatar


def cue_of(row: str) -> str:
    """Where the row's Action Units come from: "au", "blendshape" or "3dmm"."""
    cue = Variant.parse(ROWS[row][1]).cue
    return "au" if cue == "none" else cue


def encoder_of(row: str) -> str:
    """The id of the encoder that the row hears with."""
    return ENCODERS[Variant.parse(ROWS[row][1]).encoder]


def some_clips(performance: Performance, most: int) -> Performance:
    """`performance` with at most so many of its training clips, evenly; 0 for all."""
    training = np.flatnonzero(performance.train_clip)
    if not most or most >= len(training):
        return performance
    chosen = np.zeros_like(performance.train_clip)
    chosen[training[np.linspace(0, len(training) - 1, most).round().astype(int)]] = True
    return replace(performance, train_clip=chosen)


def training_pictures(pictures: Pictures, most: int, clips: np.ndarray) -> Pictures:
    """At most so many of the pictures that are not for testing, of `clips` (bool [C]), evenly."""
    learning = np.flatnonzero(~pictures.test & clips[pictures.clip_index])
    chosen = learning[np.unique(np.linspace(0, len(learning) - 1, min(most, len(learning))).round().astype(int))]
    rows: dict[str, Any] = {}
    for name, value in vars(pictures).items():
        if isinstance(value, FrameStore):
            rows[name] = FrameStore([value.files[row] for row in chosen], value.channels)
        else:
            rows[name] = None if value is None else value[chosen]
    return replace(pictures, **rows)


def inputs(folder: Path, preset: Preset, schedule: Schedule, held_out: int) -> dict[str, Any]:
    """What a finished row depends on, JSON-ready."""
    return {
        "dataset": str(folder.resolve()),
        "size": (folder / "performance.npz").stat().st_size,
        "schedule": asdict(schedule),
        "held out": held_out,
        "variant": preset.variant,
        "seed": preset.seed,
    }


def work_folder(path: Path, wanted: dict[str, Any]) -> tuple[Path, bool]:
    """`path` for the checkpoints of a row, and whether there may be some; those of other inputs are cleared away."""
    note, text = path / "inputs.json", json.dumps(wanted)
    same = note.is_file() and note.read_text("utf-8") == text
    if not same:
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        note.write_text(text, encoding="utf-8")
    return path, same
