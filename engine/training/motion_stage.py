# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage S: Action Units and voice become motion in metres, where the person has a surface to learn it from.

The fields learn also from random Action Units that no performance ever held, so that each of them can be keyed by
itself; and from Action Units that contradict the voice, so that the artist's hand wins over it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ..action_unit_sets import ActionUnitSet
from ..motion.fusion import Pairing
from ..motion.model import MotionModel
from .checkpoint import State, restore_scheduled, scheduled_state
from .dataset import Performance
from .descent import descend
from .presets import MotionSchedule, Pairings
from .speech_stage import hear_clip
from .step_guard import StepGuard
from .surface import Surface

MILLIMETRE = 1.0e-3
OVERRIDE_SHARE = 0.5
"""Share of `video` frames whose lower Action Units are moved away from the audio's."""
INVENTED_SHARE = 0.7
"""Share of the voiceless frames whose Action Units come from no performance at all."""
SHAPE_HUBER = 0.5
"""Millimetres up to which motion errors count squared."""

ShapeWeights = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(action_units [B,n], pucker [B], funnel [B]) -> weights [B,S] of a surface's shapes."""


@dataclass
class SurfaceMotion:
    """A surface, the inside of the mouth apart, and how Action Units move both."""

    face: Surface
    mouth: Surface
    weights: ShapeWeights
    details: np.ndarray | None = None
    """float32 [T,S] weights that a performance's frames have on top, where their Action Units are their own: what a
    camera saw of the lower face and Action Units cannot say."""
    rest: dict[str, np.ndarray] | None = None
    """float32 [P,10] of "face" and [P,3] of "mouth": offsets that the samples keep at rest, where an earlier training
    on pictures put them; None where they are zero."""


def random_action_units(count: int, rng: np.random.Generator, units: ActionUnitSet) -> np.ndarray:
    """[count,n]: mostly rest, a few units at any intensity, sometimes many at once."""
    share = rng.choice([0.06, 0.15, 0.35], size=(count, 1))
    active = rng.random((count, units.count)) < share
    return np.where(active, rng.random((count, units.count)) * units.maxima, 0).astype(np.float32)


def override(values: np.ndarray, rng: np.random.Generator, units: ActionUnitSet) -> np.ndarray:
    """values [B,n] with the lower face scaled, and some units set, as an artist's hand would."""
    lower = list(units.lower_columns)
    changed = values.copy()
    changed[:, lower] *= rng.uniform(0.0, 1.6, (len(values), 1))
    touched = rng.random((len(values), len(lower))) < 0.2
    changed[:, lower] = np.where(touched, rng.uniform(0, 5, (len(values), len(lower))), changed[:, lower])
    return units.clip(changed)


def movement_odds(surface: Surface) -> np.ndarray:
    """[P] probability of drawing each sample: the more it can move, the oftener."""
    reach = np.sqrt((surface.shape_deltas.astype(np.float32) ** 2).sum(2)).max(0)
    odds = 0.15 + np.minimum(reach / np.percentile(reach, 99.5), 1.0)
    return odds / odds.sum()


class MotionStage:
    """Owns the optimiser of the stage; `step` returns its losses. The audio path is finished and stays."""

    def __init__(
        self,
        model: MotionModel,
        performance: Performance,
        surface: SurfaceMotion,
        schedule: MotionSchedule,
        pairings: Pairings,
        seed: int = 0,
    ) -> None:
        self.model, self.performance, self.surface, self.schedule = model, performance, surface, schedule
        self.rng = np.random.default_rng(seed + 10)
        self.probabilities = pairings.probabilities()
        self.guard = StepGuard()
        clips = np.flatnonzero(performance.train_clip)
        self.rows = np.concatenate([performance.frames_of(int(c)) for c in clips])
        self.implicit = self._hear_all(clips)
        grids = [model.face_field.encoding.grid, model.mouth_field.encoding.grid]
        others = [
            parameter
            for module in (
                model.face_field,
                model.mouth_field,
                model.face_condition,
                model.mouth_condition,
                model.upper_encoder,
            )
            for name, parameter in module.named_parameters()
            if not name.endswith("grid") and "a2am" not in name
        ] + [model.null_implicit]
        self.parameters = grids + others
        rates = [schedule.grid_rate, schedule.learning_rate]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": grids, "lr": rates[0], "betas": (0.9, 0.99), "weight_decay": 1e-4},
                {"params": others, "lr": rates[1], "weight_decay": 1e-4},
            ]
        )
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, rates, total_steps=schedule.iterations + 1, pct_start=0.05
        )
        self.iteration = 0
        self.odds = {"face": movement_odds(surface.face), "mouth": movement_odds(surface.mouth)}

    def state(self) -> State:
        return scheduled_state(self)

    def restore(self, state: State) -> None:
        restore_scheduled(self, state)

    def _hear_all(self, clips: np.ndarray) -> list[np.ndarray]:
        """One array [R,32] a draw, rows as in `self.rows`."""
        draws = min(len(self.performance.speech[int(c)]) for c in clips)
        return [
            np.concatenate(
                [
                    hear_clip(
                        self.model, self.performance.speech[int(c)][draw], len(self.performance.frames_of(int(c)))
                    )[0]
                    for c in clips
                ]
            )
            for draw in range(draws)
        ]

    def step(self) -> dict[str, float]:
        """Motion of random points in random frames against the surface, in millimetres."""
        self.iteration += 1
        count = self.schedule.frames
        picked = self.rng.integers(0, len(self.rows), count)
        implicit = torch.from_numpy(self.implicit[self.rng.integers(len(self.implicit))][picked])
        rows = self.rows[picked]
        units = self.performance.units
        values = units.clip(self.performance.action_units[rows])
        truth = torch.from_numpy(values.copy())
        pucker, funnel = self.performance.rounding[rows].T.copy()
        upper = list(units.upper_columns)
        values[:, upper] = random_action_units(count, self.rng, units)[:, upper]
        drawn = self.rng.choice(4, count, p=self.probabilities)
        nulled = np.flatnonzero(drawn == Pairing.IMPLICIT_MASKED)
        hand = np.flatnonzero((drawn == Pairing.VIDEO) & (self.rng.random(count) < OVERRIDE_SHARE))
        values[hand] = override(values[hand], self.rng, units)
        invented = nulled[self.rng.random(len(nulled)) < INVENTED_SHARE]
        values[invented] = random_action_units(len(invented), self.rng, units)
        pucker[nulled] = funnel[nulled] = 0  # the 17 units cannot say them: without a voice lips stay unrounded
        lower, upper_condition, mouth = self.model.conditions(
            implicit, torch.from_numpy(values), [Pairing(int(kind)) for kind in drawn]
        )
        weights = torch.from_numpy(self.surface.weights(values, pucker, funnel).astype(np.float32))
        if self.surface.details is not None:
            own = np.ones(count, bool)
            own[hand] = own[nulled] = False
            weights = weights + torch.from_numpy(self.surface.details[rows] * own[:, None])
        losses = {
            "face": self._compare(self.surface.face, "face", weights, lower, upper_condition),
            "mouth": self._compare(self.surface.mouth, "mouth", weights, mouth, None),
            "align": 0.1 * self.model.alignment_loss(implicit, truth),
        }
        return descend(losses, self.parameters, self.optimiser, self.scheduler, self.guard)

    def _compare(self, surface: Surface, branch: str, weights: Tensor, lower: Tensor, upper: Tensor | None) -> Tensor:
        odds = self.odds[branch]
        points = self.rng.choice(len(odds), min(self.schedule.points, len(odds)), replace=False, p=odds)
        deltas = torch.from_numpy(surface.shape_deltas[:, points].astype(np.float32))
        target = torch.einsum("bs,spc->bpc", weights, deltas)
        positions = torch.from_numpy(surface.positions[points])
        if upper is None:
            offsets = self.model.mouth_offsets(positions, lower)
        else:
            offsets = self.model.face_offsets(positions, lower, upper)
        if self.surface.rest is not None:
            offsets = offsets - torch.from_numpy(self.surface.rest[branch][points])
        error = (offsets[..., :3] - target) / MILLIMETRE
        loss = nn.functional.huber_loss(error, torch.zeros_like(error), delta=SHAPE_HUBER)
        # Turning and scaling are left to the pictures; until then they should stay out of the way.
        return loss + 1e-2 * offsets[..., 3:].abs().mean() if offsets.shape[-1] > 3 else loss
