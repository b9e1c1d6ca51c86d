# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage S: what is heard becomes Action Units, and Action Units become motion, before any picture is looked at.

The audio path (AudioNet, attention, A2AM) learns from every frame of the performance, in batches of whole clips.
Where the person has a surface, the motion fields learn in metres from it: also for random Action Units that no
performance ever held, so that each of them can be keyed by itself afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from .. import action_units
from ..motion.fusion import Pairing
from ..motion.model import MotionModel
from .dataset import Performance
from .presets import Pairings, SpeechSchedule
from .surface import Surface

MILLIMETRE = 1.0e-3
OVERRIDE_SHARE = 0.5
"""Share of `video` frames whose lower Action Units are moved away from the audio's: hands must win over the voice."""
INVENTED_SHARE = 0.7
"""Share of the voiceless frames whose Action Units come from no performance at all."""
SHAPE_HUBER = 1.0
"""Millimetres up to which motion errors count squared."""

ShapeWeights = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(action_units [B,17], pucker [B], funnel [B]) -> weights [B,S] of a surface's shapes."""


@dataclass
class SurfaceMotion:
    """A surface and how Action Units move it."""

    face: Surface
    mouth: Surface
    weights: ShapeWeights


def random_action_units(count: int, rng: np.random.Generator) -> np.ndarray:
    """[count,17]: mostly rest, a few units at any intensity, sometimes many at once."""
    limit = action_units.CONDITION_MAXIMUM
    share = rng.choice([0.06, 0.15, 0.35], size=(count, 1))
    active = rng.random((count, action_units.COUNT)) < share
    return np.where(active, rng.random((count, action_units.COUNT)) * limit, 0).astype(np.float32)


def override(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """values [B,17] with the lower face scaled, and some units set, as an artist's hand would."""
    lower = list(action_units.LOWER_INDEX)
    changed = values.copy()
    changed[:, lower] *= rng.uniform(0.0, 1.6, (len(values), 1))
    touched = rng.random((len(values), len(lower))) < 0.2
    changed[:, lower] = np.where(touched, rng.uniform(0, 5, (len(values), len(lower))), changed[:, lower])
    return action_units.clip(changed)


class SpeechStage:
    """Owns the optimiser of the stage; `step` returns its losses."""

    def __init__(
        self,
        model: MotionModel,
        performance: Performance,
        schedule: SpeechSchedule,
        pairings: Pairings,
        surface: SurfaceMotion | None = None,
        seed: int = 0,
        clips: np.ndarray | None = None,
    ) -> None:
        """clips: indices of the clips to learn from; all training clips by default."""
        self.model, self.performance, self.schedule, self.pairings, self.surface = (
            model, performance, schedule, pairings, surface,
        )  # fmt: skip
        self.rng = np.random.default_rng(seed)
        self.clips = np.flatnonzero(performance.train_clip) if clips is None else clips
        self.lower = list(action_units.LOWER_INDEX)
        known = np.concatenate([performance.frames_of(c) for c in self.clips])
        self.spread = torch.from_numpy(performance.action_units[known][:, self.lower].std(0) + 0.15)
        self.rounding_probe = nn.Linear(32, 2)
        grids = [p for n, p in model.named_parameters() if "grid" in n]
        others = [p for n, p in model.named_parameters() if "grid" not in n]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": grids, "lr": schedule.grid_rate, "betas": (0.9, 0.99), "weight_decay": 1e-4},
                {"params": others, "lr": schedule.learning_rate, "weight_decay": 1e-3},
                {"params": list(self.rounding_probe.parameters()), "lr": schedule.learning_rate, "weight_decay": 0.0},
            ]
        )
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser,
            [schedule.grid_rate, schedule.learning_rate, schedule.learning_rate],
            total_steps=schedule.iterations + 1,
            pct_start=0.05,
        )
        self.point_odds = [] if surface is None else [movement_odds(s) for s in (surface.face, surface.mouth)]

    def initialise_projection(self) -> None:
        """Start the projection at the principal components of the training speech, each at unit variance."""
        projection = self.model.speech.projection
        sample = torch.from_numpy(np.concatenate([self.performance.speech[c][0].astype(np.float32) for c in self.clips]))
        projection.standardise(sample)
        standard = ((sample - projection.mean) * projection.scale).numpy()
        values, vectors = np.linalg.eigh(standard.T @ standard / len(standard))
        width = min(projection.weight.shape)
        basis = vectors[:, ::-1][:, :width] / np.sqrt(values[::-1][:width] + 1e-6)
        with torch.no_grad():
            projection.weight[:width] = torch.from_numpy(np.ascontiguousarray(basis.T, np.float32))

    def hear(self, clips: np.ndarray) -> list[Tensor]:
        """Encoded speech [T50,D] of each clip: one random draw, some channels at their mean."""
        mean = self.model.speech.projection.mean
        heard = []
        for clip in clips:
            draws = self.performance.speech[int(clip)]
            encoded = torch.from_numpy(draws[self.rng.integers(len(draws))].astype(np.float32))
            if self.schedule.dropout > 0:
                keep = torch.from_numpy(self.rng.random(encoded.shape[1]) >= self.schedule.dropout)
                encoded = torch.where(keep, encoded, mean)
            heard.append(encoded)
        return heard

    def step(self) -> dict[str, float]:
        """One optimiser step on a batch of clips."""
        chosen = self.rng.choice(self.clips, min(self.schedule.clips, len(self.clips)), replace=False)
        clip_rows = [self.performance.frames_of(int(c)) for c in chosen]
        implicit = self.model.implicit(self.hear(chosen), 25.0, [len(r) for r in clip_rows])  # [T,32]
        rows = np.concatenate(clip_rows)
        truth = torch.from_numpy(action_units.clip(self.performance.action_units[rows]))
        heard = [condition.a2am(implicit)[:, 23:] for condition in (self.model.face_condition, self.model.mouth_condition)]
        losses = {
            "align": self.model.alignment_loss(implicit, truth),
            "action_units": sum((((h - truth[:, self.lower]) / self.spread) ** 2).mean() for h in heard),
            "rounding": nn.functional.mse_loss(
                self.rounding_probe(implicit), torch.from_numpy(self.performance.rounding[rows])
            ),
        }
        if self.surface is not None:
            losses |= self._motion_losses(implicit, rows)
        total = sum(losses.values())
        self.optimiser.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimiser.step()
        self.scheduler.step()
        return {name: float(value.detach()) for name, value in losses.items()}

    def _motion_losses(self, implicit: Tensor, rows: np.ndarray) -> dict[str, Tensor]:
        """Motion of random points in some of the frames against the surface, in millimetres."""
        picked = self.rng.choice(len(rows), min(self.schedule.frames, len(rows)), replace=False)
        implicit, rows = implicit[picked], rows[picked]
        values = action_units.clip(self.performance.action_units[rows])
        pucker, funnel = self.performance.rounding[rows].T.copy()
        upper = list(action_units.UPPER_INDEX)
        values[:, upper] = random_action_units(len(rows), self.rng)[:, upper]
        p = self.pairings
        weights = np.array([p.video, p.audio, p.masked, p.implicit_masked])
        drawn = self.rng.choice(4, len(rows), p=weights / weights.sum())
        video, nulled = drawn == Pairing.VIDEO, np.flatnonzero(drawn == Pairing.IMPLICIT_MASKED)
        hand = np.flatnonzero(video & (self.rng.random(len(rows)) < OVERRIDE_SHARE))
        values[hand] = override(values[hand], self.rng)
        invented = nulled[self.rng.random(len(nulled)) < INVENTED_SHARE]
        values[invented] = random_action_units(len(invented), self.rng)
        pucker[nulled] = funnel[nulled] = 0  # the 17 units cannot say them, so without a voice lips stay unrounded
        lower, upper_condition, mouth = self.model.conditions(
            implicit, torch.from_numpy(values), [Pairing(int(kind)) for kind in drawn]
        )
        assert self.surface is not None
        shape_weights = self.surface.weights(values, pucker, funnel).astype(np.float32)
        face = self._compare(self.surface.face, self.point_odds[0], shape_weights, "face", lower, upper_condition)
        inside = self._compare(self.surface.mouth, self.point_odds[1], shape_weights, "mouth", mouth, None)
        return {"face_motion": face, "mouth_motion": inside}

    def _compare(
        self, surface: Surface, odds: np.ndarray, weights: np.ndarray, branch: str, lower: Tensor, upper: Tensor | None
    ) -> Tensor:
        points = self.rng.choice(len(odds), min(self.schedule.points, len(odds)), replace=False, p=odds)
        deltas = torch.from_numpy(surface.shape_deltas[:, points].astype(np.float32))
        target = torch.einsum("bs,spc->bpc", torch.from_numpy(weights), deltas)
        positions = torch.from_numpy(surface.positions[points])
        if branch == "face":
            assert upper is not None
            offsets = self.model.face_offsets(positions, lower, upper)
        else:
            offsets = self.model.mouth_offsets(positions, lower)
        error = (offsets[..., :3] - target) / MILLIMETRE
        loss = nn.functional.huber_loss(error, torch.zeros_like(error), delta=SHAPE_HUBER)
        return loss + 1e-3 * offsets[..., 3:].abs().mean() if offsets.shape[-1] > 3 else loss


def movement_odds(surface: Surface) -> np.ndarray:
    """[P] probability of drawing each sample: the more it can move, the oftener."""
    reach = np.sqrt((surface.shape_deltas.astype(np.float32) ** 2).sum(2)).max(0)
    odds = 0.15 + np.minimum(reach / np.percentile(reach, 99.5), 1.0)
    return odds / odds.sum()


@torch.no_grad()
def hear_clip(model: MotionModel, speech: np.ndarray, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """speech [T50,D] -> implicit [T,32] and readable lower Action Units [T,9] of one clip."""
    implicit = model.implicit(torch.from_numpy(speech.astype(np.float32)), 25.0, frames)
    explicit = model.explicit_from_audio(implicit)
    return implicit.numpy(), np.clip(explicit[:, 23:].numpy(), 0, action_units.MAXIMUM)
