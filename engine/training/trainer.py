# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages in their order: A (speech), S (motion on the surface), F (face), M (mouth), J (joint).

Each is saved when it is done, and in between about once a minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ..errors import CancelledError
from ..motion.config import Vector3
from ..motion.model import MotionConfig, MotionModel
from . import checkpoint
from .action_unit_smoothing import smoothed
from .branch_stage import BranchStage
from .checkpoint import Stage, State
from .dataset import Dataset, Pictures
from .frame_conditions import Conditions
from .free_speech import free_speech_for
from .freed_memory import give_back
from .head_frames import SourceFrames, without_torso
from .joint_stage import JointStage
from .motion_stage import MotionStage, SurfaceMotion
from .parameters import GaussianParameters
from .perceptual import with_perceptual_network
from .presets import BranchSchedule, Preset
from .scene import Scene
from .source_torso import SOURCE
from .speech_stage import SpeechStage
from .surface import Surface

Report = Callable[[str, int, int, dict[str, float]], None]
"""(stage, iteration, iterations, losses), called every `REPORT_EVERY` steps."""
REPORT_EVERY = 50
SAVE_SECONDS = 60.0
"""Between two checkpoints of the stage that is under way."""
CANCELLED = "Training was cancelled; start it again to go on where it stopped."
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
    """One run. Finished stages are kept in `work`, and every so often the stage that is under way."""

    def __init__(
        self,
        dataset: Dataset,
        preset: Preset,
        surface: SurfaceMotion,
        config: MotionConfig,
        work: Path,
        threads: int = 2,
        report: Report | None = None,
        cancelled: Callable[[], bool] | None = None,
        background: np.ndarray | None = None,
    ) -> None:
        """background: float32 [H,W,3] 0..1 of the film, for presets that keep the film's torso."""
        torch.manual_seed(preset.seed)
        torch.set_num_threads(1)  # the kernels that matter have threads of their own
        work.mkdir(parents=True, exist_ok=True)
        preset = with_perceptual_network(preset)
        dataset = smoothed(dataset) if preset.smooth_action_units else dataset
        self.source: SourceFrames | None = None
        if preset.torso == SOURCE:
            assert dataset.pictures is not None
            self.source = SourceFrames(dataset.pictures, background)
            dataset, surface = without_torso(dataset, surface)
        self.dataset, self.preset, self.surface, self.work, self.threads = dataset, preset, surface, work, threads
        self.report: Report = report or (lambda *_: None)
        self.cancelled = cancelled or (lambda: False)
        rng = np.random.default_rng(preset.seed)
        self.trained = Trained(
            MotionModel(preset.motion_config(fit_boxes(config, surface))),
            GaussianParameters.on_surface(surface.face.thin(preset.shares, rng), preset.sh_degree),
            GaussianParameters.on_surface(surface.mouth.thin(preset.shares, rng), preset.sh_degree),
        )

    def run(self, stages: str = STAGES, *, resume: bool = False) -> Trained:
        """stages: which to train; the others must have been saved by an earlier run. resume: train none twice, and go
        on in the middle of the one that was stopped. Raises :class:`~..errors.CancelledError`; what was done is saved.
        """
        for name in STAGES:
            path = self.work / f"stage_{name}.pt"
            finished = checkpoint.load(path) if resume or name not in stages else None
            if finished is not None:
                self._take(finished)
            elif name in stages:
                self._train(name, checkpoint.load(self._under_way(name)) if resume else None)
                checkpoint.save(path, self._parts(with_gaussians=name not in MODEL_ONLY))
                self._under_way(name).unlink(missing_ok=True)
        return self.trained

    def _under_way(self, name: str) -> Path:
        return self.work / f"stage_{name}.under_way.pt"

    def _train(self, name: str, saved: State | None) -> None:
        if saved is not None:
            self._take(saved)
        make = {"A": self._speech, "S": self._motion, "F": self._face, "M": self._mouth, "J": self._joint}[name]
        stage, iterations = make()
        if saved is not None:
            self.trained.model.load_state_dict(saved["model"])  # a new stage may have set weights of its own
            stage.restore(saved["stage"])
        self._loop(name, stage, iterations)

    @property
    def pictures(self) -> Pictures:
        assert self.dataset.pictures is not None
        return self.dataset.pictures

    def _speech(self) -> tuple[Stage, int]:
        schedule = self.preset.speech
        performance, seed = self.dataset.performance, self.preset.seed
        clips = np.flatnonzero(performance.train_clip)
        free = free_speech_for(performance, clips, seed, self._stop_if_cancelled) if schedule.free_weight else None
        return SpeechStage(self.trained.model, performance, schedule, seed, free=free), schedule.iterations

    def _motion(self) -> tuple[Stage, int]:
        schedule = self.preset.motion
        stage = MotionStage(
            self.trained.model, self.dataset.performance, self.surface, schedule, self.preset.pairings, self.preset.seed
        )
        return stage, schedule.iterations

    def _branch(self, name: str, schedule: BranchSchedule) -> tuple[Stage, int]:
        trained = self.trained
        branch = BranchStage(
            name,
            trained.model,
            trained.face if name == "face" else trained.mouth,
            self.pictures,
            Conditions(trained.model, self.dataset.performance, self.pictures),
            Scene(self.dataset.pivot, self.threads),
            self.dataset.camera,
            schedule,
            self.preset.seed,
            front=trained.face if name == "mouth" else None,
            pairings=self.preset.pairings,
        )
        return branch, schedule.iterations

    def _face(self) -> tuple[Stage, int]:
        return self._branch("face", self.preset.face)

    def _mouth(self) -> tuple[Stage, int]:
        return self._branch("mouth", self.preset.mouth)

    def _joint(self) -> tuple[Stage, int]:
        trained = self.trained
        stage = JointStage(
            trained.model,
            trained.face,
            trained.mouth,
            self.pictures,
            Conditions(trained.model, self.dataset.performance, self.pictures),
            Scene(self.dataset.pivot, self.threads),
            self.dataset.camera,
            self.preset.joint_iterations,
            self.preset.seed,
            self.preset.joint,
            self.source,
        )
        return stage, self.preset.joint_iterations

    def _loop(self, name: str, stage: Stage, iterations: int) -> None:
        sums: dict[str, float] = {}
        since = 0
        saved = time.monotonic()
        while stage.iteration < iterations:
            for key, value in stage.step().items():
                sums[key] = sums.get(key, 0.0) + value
            since += 1
            done = stage.iteration
            if done % REPORT_EVERY == 0 or done == iterations:
                self.report(name, done, iterations, {key: value / since for key, value in sums.items()})
                sums, since = {}, 0
                give_back()
            stop = self.cancelled()
            if stop or time.monotonic() - saved > SAVE_SECONDS:
                with_gaussians = name not in MODEL_ONLY
                checkpoint.save(self._under_way(name), self._parts(with_gaussians) | {"stage": stage.state()})
                saved = time.monotonic()
            if stop:
                raise CancelledError(CANCELLED)

    def _stop_if_cancelled(self) -> None:
        if self.cancelled():
            raise CancelledError(CANCELLED)

    def _parts(self, with_gaussians: bool) -> State:
        trained = self.trained
        data: State = {"model": trained.model.state_dict()}
        if with_gaussians:
            data |= {"face": trained.face.state_dict(), "mouth": trained.mouth.state_dict()}
        return data

    def _take(self, data: State) -> None:
        self.trained.model.load_state_dict(data["model"])
        for name in ("face", "mouth"):
            parameters = getattr(self.trained, name)
            for key, value in data.get(name, {}).items():
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
