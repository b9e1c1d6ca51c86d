# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages in their order: A (speech), S (motion on the surface), F (face), M (mouth), J (joint).

Each is saved when it is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ..motion.config import Vector3
from ..motion.model import MotionConfig, MotionModel
from .branch_stage import BranchStage, Conditions
from .dataset import Dataset, Pictures
from .joint_stage import JointStage
from .motion_stage import MotionStage, SurfaceMotion
from .parameters import GaussianParameters
from .presets import BranchSchedule, Preset
from .scene import Scene
from .speech_stage import SpeechStage
from .surface import Surface

Report = Callable[[str, int, int, dict[str, float]], None]
"""(stage, iteration, iterations, losses), called every `REPORT_EVERY` steps."""
REPORT_EVERY = 50
STAGES = "ASFMJ"
MODEL_ONLY = "AS"
"""Stages that leave the Gaussians where they start."""
MOVES = 2.0e-4
"""Metres: a place that no shape moves further than this stands still."""


@dataclass
class Trained:
    """The person after a stage."""

    model: MotionModel
    face: GaussianParameters
    mouth: GaussianParameters


class Trainer:
    """One run. Stages that a former run finished are loaded from `work` instead of trained again."""

    def __init__(
        self,
        dataset: Dataset,
        preset: Preset,
        surface: SurfaceMotion,
        config: MotionConfig,
        work: Path,
        threads: int = 2,
        report: Report | None = None,
    ) -> None:
        torch.manual_seed(preset.seed)
        torch.set_num_threads(1)  # the kernels that matter have threads of their own
        work.mkdir(parents=True, exist_ok=True)
        self.dataset, self.preset, self.surface, self.work, self.threads = dataset, preset, surface, work, threads
        self.report: Report = report or (lambda *_: None)
        rng = np.random.default_rng(preset.seed)
        self.trained = Trained(
            MotionModel(fit_boxes(config, surface)),
            GaussianParameters.on_surface(surface.face.thin(preset.shares, rng), preset.sh_degree),
            GaussianParameters.on_surface(surface.mouth.thin(preset.shares, rng), preset.sh_degree),
        )

    def run(self, stages: str = STAGES) -> Trained:
        """stages: which to train; the others must have been saved by an earlier run."""
        for name in STAGES:
            path = self.work / f"stage_{name}.pt"
            if name not in stages:
                if path.exists():
                    self._load(path, with_gaussians=name not in MODEL_ONLY)
                continue
            {"A": self._speech, "S": self._motion, "F": self._face, "M": self._mouth, "J": self._joint}[name]()
            self._save(path, with_gaussians=name not in MODEL_ONLY)
        return self.trained

    @property
    def pictures(self) -> Pictures:
        assert self.dataset.pictures is not None
        return self.dataset.pictures

    def _speech(self) -> None:
        schedule = self.preset.speech
        stage = SpeechStage(self.trained.model, self.dataset.performance, schedule, self.preset.seed)
        self._loop("A", schedule.iterations, stage.step)

    def _motion(self) -> None:
        schedule = self.preset.motion
        stage = MotionStage(
            self.trained.model, self.dataset.performance, self.surface, schedule, self.preset.pairings, self.preset.seed
        )
        self._loop("S", schedule.iterations, stage.step)

    def _branch(self, name: str, schedule: BranchSchedule) -> None:
        trained = self.trained
        conditions = Conditions(trained.model, self.dataset.performance, self.pictures)
        branch = BranchStage(
            name,
            trained.model,
            trained.face if name == "face" else trained.mouth,
            self.pictures,
            conditions,
            Scene(self.dataset.pivot, self.threads),
            self.dataset.camera,
            schedule,
            self.preset.seed,
            front=trained.face if name == "mouth" else None,
        )
        self._loop(name[0].upper(), schedule.iterations, branch.step)

    def _face(self) -> None:
        self._branch("face", self.preset.face)

    def _mouth(self) -> None:
        self._branch("mouth", self.preset.mouth)

    def _joint(self) -> None:
        trained = self.trained
        conditions = Conditions(trained.model, self.dataset.performance, self.pictures)
        stage = JointStage(
            trained.model,
            trained.face,
            trained.mouth,
            self.pictures,
            conditions,
            Scene(self.dataset.pivot, self.threads),
            self.dataset.camera,
            self.preset.joint_iterations,
            self.preset.seed,
        )
        self._loop("J", self.preset.joint_iterations, stage.step)

    def _loop(self, name: str, iterations: int, step: Callable[[], dict[str, float]]) -> None:
        sums: dict[str, float] = {}
        since = 0
        for iteration in range(1, iterations + 1):
            for key, value in step().items():
                sums[key] = sums.get(key, 0.0) + value
            since += 1
            if iteration % REPORT_EVERY == 0 or iteration == iterations:
                self.report(name, iteration, iterations, {key: value / since for key, value in sums.items()})
                sums, since = {}, 0

    def _save(self, path: Path, with_gaussians: bool) -> None:
        """Atomic: a stage is either finished on disk or not there."""
        trained = self.trained
        data = {"model": trained.model.state_dict()}
        if with_gaussians:
            data |= {"face": trained.face.state_dict(), "mouth": trained.mouth.state_dict()}
        partial = path.with_suffix(".partial")
        torch.save(data, partial)
        partial.replace(path)

    def _load(self, path: Path, with_gaussians: bool) -> None:
        data = torch.load(path, weights_only=True)
        self.trained.model.load_state_dict(data["model"])
        for name in ("face", "mouth") if with_gaussians else ():
            parameters = getattr(self.trained, name)
            for key, value in data[name].items():
                if key == "head_weights":
                    parameters.head_weights = value
                else:
                    setattr(parameters, key, torch.nn.Parameter(value))


def fit_boxes(config: MotionConfig, surface: SurfaceMotion) -> MotionConfig:
    """Let each field's box hold what can move, with a margin of a tenth; outside it nothing moves at all."""
    (face_center, face_half), (mouth_center, mouth_half) = map(_moving_box, (surface.face, surface.mouth))
    return replace(
        config,
        face_center=face_center,
        face_half_extent=face_half,
        mouth_center=mouth_center,
        mouth_half_extent=mouth_half,
    )


def _moving_box(surface: Surface) -> tuple[Vector3, Vector3]:
    """Centre and half extent, in metres, of a box around everything that some shape moves."""
    reach = np.sqrt((surface.shape_deltas.astype(np.float32) ** 2).sum(2)).max(0)
    moving = surface.positions[reach > MOVES]
    low, high = moving.min(0), moving.max(0)
    center, half = (low + high) / 2, np.maximum((high - low) * 0.55, 1e-3)
    return (float(center[0]), float(center[1]), float(center[2])), (float(half[0]), float(half[1]), float(half[2]))
