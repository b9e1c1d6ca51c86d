# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage A: what is heard becomes Action Units (CMDM of arXiv 2508.10566), learnt from every frame of the performance.

Batches of whole clips supervise the audio path (AudioNet, attention, A2AM). The implicit feature is also asked for what
the 17 Action Units cannot say, such as rounded lips; carrying that is what it is for. A wider set says it, too.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from .. import action_units
from ..motion.model import MotionModel
from .checkpoint import State, restore_scheduled, scheduled_state
from .dataset import Performance
from .descent import descend
from .free_speech import FreeSpeech
from .presets import SpeechSchedule
from .step_guard import StepGuard

FPS = 25.0
SPREAD_FLOOR = 0.15
"""Intensity added to each Action Unit's spread, so that one that hardly moves does not count for much."""


class SpeechStage:
    """Owns the optimiser of the stage; `step` returns its losses."""

    def __init__(
        self,
        model: MotionModel,
        performance: Performance,
        schedule: SpeechSchedule,
        seed: int = 0,
        clips: np.ndarray | None = None,
        free: FreeSpeech | None = None,
    ) -> None:
        """clips: indices of the clips to learn from; all training clips by default. free: speech that goes along."""
        self.free = free
        self.model, self.performance, self.schedule = model, performance, schedule
        self.rng = np.random.default_rng(seed)
        self.clips = np.flatnonzero(performance.train_clip) if clips is None else clips
        known = np.concatenate([performance.frames_of(c) for c in self.clips])
        self.channels = model.config.lower_channels
        self.spread = torch.from_numpy(self._lower(known).std(0) + SPREAD_FLOOR)
        self.unsaid = torch.from_numpy(np.concatenate([performance.rounding, performance.measurements], 1))
        self.unsaid_spread = self.unsaid[torch.from_numpy(known)].std(0) + 0.05
        self.probe = nn.Linear(32, self.unsaid.shape[1])
        self.guard = StepGuard()
        learning = [*model.speech.parameters(), *model.face_condition.parameters(), *model.mouth_condition.parameters()]
        self.parameters = [*learning, *self.probe.parameters()]
        self.optimiser = torch.optim.AdamW(self.parameters, schedule.learning_rate, weight_decay=schedule.weight_decay)
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, schedule.learning_rate, total_steps=schedule.iterations + 1, pct_start=0.1
        )
        self._initialise_projection()
        self.iteration = 0

    def state(self) -> State:
        return scheduled_state(self) | {"probe": self.probe.state_dict()}

    def restore(self, state: State) -> None:
        restore_scheduled(self, state)
        self.probe.load_state_dict(state["probe"])

    def _lower(self, rows: np.ndarray) -> np.ndarray:
        """Pulls of the lower face [n,9] in some frames."""
        units = self.performance.units
        return units.pulls(self.performance.action_units[rows], units.lower)

    def _initialise_projection(self) -> None:
        """Start the projection at the principal components of the training speech, each at unit variance."""
        projection = self.model.speech.projection
        sample = torch.from_numpy(
            np.concatenate([self.performance.speech[c][0].astype(np.float32) for c in self.clips])
        )
        projection.standardise(sample)
        standard = ((sample - projection.mean) * projection.scale).numpy()
        values, vectors = np.linalg.eigh(standard.T @ standard / len(standard))
        width = min(projection.weight.shape)
        basis = vectors[:, ::-1][:, :width] / np.sqrt(values[::-1][:width] + 1e-6)
        with torch.no_grad():
            projection.weight[:width] = torch.from_numpy(np.ascontiguousarray(basis.T, np.float32))

    def hear(self, clips: list[np.ndarray]) -> list[Tensor]:
        """Draws [draws,T50,D] of each clip -> [T50,D]: a random one, some channels at their mean, noise on the rest."""
        mean, deviation = self.model.speech.projection.mean, 1 / self.model.speech.projection.scale
        heard = []
        for draws in clips:
            encoded = torch.from_numpy(draws[self.rng.integers(len(draws))].astype(np.float32))
            keep = torch.from_numpy(self.rng.random(encoded.shape[1]) >= self.schedule.dropout)
            noise = (
                self.schedule.noise
                * deviation
                * torch.from_numpy(self.rng.standard_normal(encoded.shape, dtype=np.float32))
            )
            heard.append(torch.where(keep, encoded + noise, mean))
        return heard

    def step(self) -> dict[str, float]:
        """One optimiser step on a batch of the person's clips, and of free speech where there is any."""
        self.iteration += 1
        chosen = self.rng.choice(self.clips, min(self.schedule.clips, len(self.clips)), replace=False)
        rows = np.concatenate([self.performance.frames_of(int(c)) for c in chosen])
        speech = [self.performance.speech[int(c)] for c in chosen]
        counts = [len(self.performance.frames_of(int(c))) for c in chosen]
        units = torch.from_numpy(self._lower(rows))
        unsaid = self.unsaid[torch.from_numpy(rows)]
        weight = torch.ones(len(rows))
        if self.free is not None:
            freely = self.rng.choice(len(self.free.speech), min(self.schedule.free_clips, len(self.free.speech)), False)
            speech += [self.free.speech[int(c)] for c in freely]
            counts += [len(self.free.lower[int(c)]) for c in freely]
            units = torch.cat([units, *(torch.from_numpy(self.free.lower[int(c)]) for c in freely)])
            unsaid = torch.cat([unsaid, *(torch.from_numpy(self.free.unsaid[int(c)]) for c in freely)])
            invented = len(units) - len(rows)
            # both halves are means of their own: the weight does not depend on how long the sentences are
            share = self.schedule.free_weight * len(rows) / invented
            weight = torch.cat([weight, torch.full((invented,), share)])
        implicit = self.model.implicit(self.hear(speech), FPS, counts)
        return self._learn(implicit, units, unsaid, weight[:, None] / len(rows))

    def _learn(self, implicit: Tensor, units: Tensor, unsaid: Tensor, weight: Tensor) -> dict[str, float]:
        """implicit [T,32], pulls of the lower face [T,9], unsaid [T,2+M]; weight [T,1] of each frame."""
        branches = (self.model.face_condition, self.model.mouth_condition)
        conditions = [branch.a2am(implicit) for branch in branches]
        align = [
            (weight * (heard - branch.au_encoder(units).detach()) ** 2).sum() / heard.shape[1]
            for heard, branch in zip(conditions, branches, strict=True)
        ]
        read = [
            (weight * ((heard[:, self.channels] - units) / self.spread) ** 2).sum() / units.shape[1]
            for heard in conditions
        ]
        said = weight * ((self.probe(implicit) - unsaid) / self.unsaid_spread) ** 2
        losses = {
            "align": torch.stack(align).sum(),
            "action_units": torch.stack(read).sum(),
            "unsaid": said.sum() / max(1, unsaid.shape[1]),
        }
        return descend(losses, self.parameters, self.optimiser, self.scheduler, self.guard)


@torch.no_grad()
def hear_clip(model: MotionModel, speech: np.ndarray, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """speech [T50,D] -> implicit [T,32] and readable pulls of the lower face [T,9] of one clip."""
    implicit = model.implicit(torch.from_numpy(speech.astype(np.float32)), 25.0, frames)
    explicit = model.explicit_from_audio(implicit)
    return implicit.numpy(), np.clip(explicit[:, model.config.lower_channels].numpy(), 0, action_units.MAXIMUM)
