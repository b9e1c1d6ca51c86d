# SPDX-License-Identifier: GPL-3.0-or-later
"""How long, how hard and in which pairings to train: one preset a purpose."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ..motion.config import MotionConfig
from .schedules import (
    NEVER,
    VOICE_ALONE,
    BranchSchedule,
    Curriculum,
    JointTerms,
    MotionSchedule,
    Pairings,
    Perceptual,
    SpeechSchedule,
)
from .surface import CLOTH, FACE, HAIR, MOUTH, NECK

__all__ = ["PRESETS", "BranchSchedule", "MotionSchedule", "Pairings", "Preset", "SpeechSchedule"]

EXTENT = 0.17
"""Metres: the parent's scene extent, the unit of its rates, for a head 0.7 m away that turns by some 10 degrees."""

_ITERATIONS = ("iterations", "motion_from", "video_only", "densify_from", "densify_until")


@dataclass(frozen=True)
class Preset:
    name: str = "editable"
    sh_degree: int = 1
    shares: dict[int, float] = field(default_factory=lambda: {FACE: 0.6, HAIR: 0.4, MOUTH: 0.6, NECK: 0.5, CLOTH: 0.3})
    """Share of the surface's samples of each region that become Gaussians."""
    speech: SpeechSchedule = field(default_factory=SpeechSchedule)
    motion: MotionSchedule = field(default_factory=MotionSchedule)
    face: BranchSchedule = field(default_factory=BranchSchedule)
    mouth: BranchSchedule = field(default_factory=BranchSchedule)
    joint_iterations: int = 1000
    joint: JointTerms = field(default_factory=JointTerms)
    pairings: Pairings = field(default_factory=Pairings)
    smooth_action_units: bool = False
    """Savitzky-Golay over five frames, third order (METHOD 2.4)."""
    torso: str = "avatar"
    """"source": the avatar is a head alone, before the film's own torso and background (METHOD 2.7)."""
    needs_lpips: bool = False
    """Refuse to begin without LPIPS's weights; else its terms are left out where they are missing."""
    model: dict[str, Any] = field(default_factory=dict)
    """Settings of :class:`~..motion.config.MotionConfig` that the preset or a variant asks for."""
    variant: dict[str, Any] = field(default_factory=dict)
    """The ablation row, as :mod:`.variants` was asked for it."""
    seed: int = 0

    def to_dict(self) -> dict:
        """JSON-ready, as stored in the avatar."""
        return asdict(self)

    def motion_config(self, config: MotionConfig) -> MotionConfig:
        """`config` with the preset's own settings. Raises ValueError for settings that there are not."""
        return replace(config, **self.model)

    @property
    def wants_lpips(self) -> bool:
        return any(terms.wanted for terms in (self.face.perceptual, self.mouth.perceptual, self.joint.perceptual))

    def scaled(self, factor: float) -> Preset:
        """The same with `factor` times as many iterations in every stage, at least one; shares stay what they are."""
        return replace(
            self,
            speech=_scaled(self.speech, factor),
            motion=_scaled(self.motion, factor),
            face=_scaled(self.face, factor),
            mouth=_scaled(self.mouth, factor),
            joint_iterations=_times(self.joint_iterations, factor),
        )


def _times(count: int, factor: float) -> int:
    return count if count >= NEVER or count == 0 else max(1, round(count * factor))


def _scaled(schedule: Any, factor: float) -> Any:
    names = [name for name in _ITERATIONS if hasattr(schedule, name)]
    return replace(schedule, **{name: _times(getattr(schedule, name), factor) for name in names})


EDITABLE = Preset(
    face=BranchSchedule(
        means_rate=2.7e-5,
        maximum=40_000,
        attention_lips=1.0e-4,
        attention_hair=1.0e-4,
        perceptual=Perceptual(patches=0.2, lips=0.01),
        curriculum=Curriculum(blink_every=15),
    ),
    mouth=BranchSchedule(
        iterations=4000, means_rate=0.0, motion_from=NEVER, densify_from=NEVER, full_frame_every=NEVER
    ),
    joint=JointTerms(perceptual=Perceptual(patches=0.05, sides=(32, 42), start=0.5)),
    pairings=Pairings(0.45, 0.30, 0.0, 0.25),
)
"""For artists: no masked pairing, because there a zero Action Unit must mean a resting face, and a null speech vector
so that curves alone can drive it. Conditions stay as the motion stage left them, which has also seen Action Units that
nobody performed. The inside of the mouth keeps the places and the motion that its surface gave it: pictures show too
little of it to do better, and Gaussians that drift between tongue and teeth are carried along by the wrong one, as
specks."""

QUICK = replace(
    EDITABLE,
    name="quick",
    speech=SpeechSchedule(iterations=600),
    motion=MotionSchedule(iterations=1500),
    face=replace(EDITABLE.face, iterations=2500, densify_until=2000),
    mouth=replace(EDITABLE.mouth, iterations=1500),
    joint_iterations=500,
)
"""A first look in a quarter of the time."""

SMOKE = replace(
    EDITABLE,
    name="smoke",
    shares={},
    speech=SpeechSchedule(iterations=30, clips=2),
    motion=MotionSchedule(iterations=30, frames=8, points=64),
    face=BranchSchedule(
        iterations=30,
        motion_from=10,
        densify_from=10,
        densify_until=25,
        densify_every=10,
        maximum=600,
        attention_lips=1.0e-4,
        attention_hair=1.0e-4,
        curriculum=Curriculum(blink_every=5),
    ),
    mouth=BranchSchedule(iterations=15, motion_from=5, densify_from=NEVER, full_frame_every=NEVER),
    joint=JointTerms(),
    joint_iterations=10,
)
"""Seconds, for tests; no LPIPS."""

_PAPER_FACE = BranchSchedule(
    iterations=50_000,
    means_rate=1.6e-4 * EXTENT,
    means_decay=0.01,
    decay=1.0,
    motion_from=3000,
    motion_rate=5.0e-4,
    grid_rate=5.0e-3,
    conditions_rate=5.0e-4,
    audio_rate=5.0e-4,
    parent_decay=True,
    video_only=2000,
    densify_from=500,
    densify_until=49_000,
    densify_every=100,
    gradient_threshold=5.0e-4,
    maximum=100_000,
    prune_opacity=0.05,
    prune_opacity_growth=0.25,
    prune_radius=20.0,
    prune_scale=0.1 * EXTENT,
    alpha=0.0,
    alpha_regions=1.0e-3,
    align=1.0e-3,
    attention_lips=1.0e-4,
    attention_hair=1.0e-4,
    attention_every=1,
    hair_every=7,
    perceptual=Perceptual(patches=0.5, lips=0.01, count=0, start=0.94),
    curriculum=Curriculum(opening_every=15, blink_every=15),
)
_PAPER_MOUTH = replace(
    _PAPER_FACE,
    full_frame_every=NEVER,
    audio_rate=0.0,
    densify_until=45_000,
    gradient_threshold=2.0e-4,
    attention_lips=0.0,
    attention_hair=0.0,
    hair_every=1,
    polish=0.98,
    perceptual=Perceptual(patches=0.5, sides=(32, 42), count=0, start=0.98),
    curriculum=Curriculum(widest_first=True, widest_every=7, until=0.78),
)

PAPER = Preset(
    name="paper",
    sh_degree=2,
    face=_PAPER_FACE,
    mouth=_PAPER_MOUTH,
    joint_iterations=15_000,
    joint=JointTerms(perceptual=Perceptual(patches=0.5, sides=(32, 42), count=0, start=0.5)),
    pairings=Pairings(0.50, 0.35, 0.15, 0.0),
    torso="source",
    needs_lpips=True,
)
"""METHOD 2 to 4 to the letter, from a surface instead of a cloud: 50,000, 50,000 and 15,000 iterations; heads alone."""

ROBUST = replace(
    PAPER,
    name="robust",
    torso="avatar",
    face=replace(_scaled(_PAPER_FACE, 0.3), alpha=0.05, perceptual=Perceptual(patches=0.2, lips=0.01)),
    mouth=replace(
        _scaled(_PAPER_MOUTH, 0.3), alpha=0.05, perceptual=Perceptual(patches=0.05, sides=(32, 42), start=0.98)
    ),
    joint_iterations=4500,
    joint=JointTerms(perceptual=Perceptual(patches=0.05, sides=(32, 42), start=0.5)),
    smooth_action_units=True,
)
"""The paper's losses, gentler where LPIPS makes specks; smoothed Action Units; three tenths of the iterations."""

PARENT = replace(
    PAPER,
    name="parent",
    model={"fusion": "implicit", "use_explicit": False},
    face=replace(_PAPER_FACE, align=0.0),
    mouth=replace(_PAPER_MOUTH, align=0.0),
    pairings=VOICE_ALONE,
)
"""The voice alone moves the lower face, as in the parent method: the row "purely implicit"."""

PRESETS = {preset.name: preset for preset in (PAPER, ROBUST, EDITABLE, QUICK, PARENT, SMOKE)}
