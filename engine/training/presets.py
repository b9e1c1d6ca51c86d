# SPDX-License-Identifier: GPL-3.0-or-later
"""How long, how hard and in which pairings to train. One dataclass a stage, one preset a purpose."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace

from .surface import CLOTH, FACE, HAIR, MOUTH, NECK


@dataclass(frozen=True)
class SpeechSchedule:
    """Audio to Action Units; neither pictures nor a surface yet."""

    iterations: int = 1000
    clips: int = 8
    """Clips a step, each at its whole length."""
    learning_rate: float = 2.0e-3
    weight_decay: float = 2.0e-2
    dropout: float = 0.3
    """Share of encoder channels silenced a step: speakers and rooms differ in detail."""
    noise: float = 0.3
    """Noise on the encoder's channels, in units of their own spread."""


@dataclass(frozen=True)
class MotionSchedule:
    """Motion in metres, from a surface."""

    iterations: int = 3500
    frames: int = 40
    """Frames a step."""
    points: int = 640
    """Surface samples a step and branch, drawn with preference for the ones that move."""
    learning_rate: float = 2.0e-3
    grid_rate: float = 1.0e-2


@dataclass(frozen=True)
class BranchSchedule:
    """One Gaussian set against pictures."""

    iterations: int = 4500
    full_frame_every: int = 3
    """Every how many steps the whole frame is seen; the other steps look at the face alone."""
    means_rate: float = 1.0e-5
    """Adam rate of positions, in metres: a set that starts on a surface is nearly in its place."""
    motion_from: int = 500
    """Until then the motion field stays as the speech stage left it and only the set learns."""
    motion_rate: float = 1.0e-4
    densify_from: int = 600
    densify_until: int = 3600
    densify_every: int = 300
    gradient_threshold: float = 2.0e-4
    """Mean screen-space gradient (in half images) beyond which a Gaussian is cloned or split."""
    maximum: int = 36_000
    prune_opacity: float = 0.02
    dssim: float = 0.2
    """Weight of 1 - SSIM (paper: lambda_1)."""
    alpha: float = 0.05
    """Weight of the alpha error; pictures with exact alpha bear more than the paper's 1e-3."""
    delta_l1: float = 1.0e-5


@dataclass(frozen=True)
class Pairings:
    """Probabilities of what the explicit operand is in one step (stochastic feature pairing)."""

    video: float = 0.50
    audio: float = 0.35
    masked: float = 0.15
    implicit_masked: float = 0.0


@dataclass(frozen=True)
class Preset:
    name: str = "editable"
    sh_degree: int = 1
    shares: dict[int, float] = field(default_factory=lambda: {FACE: 0.6, HAIR: 0.4, MOUTH: 0.6, NECK: 0.5, CLOTH: 0.3})
    """Share of the surface's samples of each region that become Gaussians."""
    speech: SpeechSchedule = field(default_factory=SpeechSchedule)
    motion: MotionSchedule = field(default_factory=MotionSchedule)
    face: BranchSchedule = field(default_factory=BranchSchedule)
    mouth: BranchSchedule = field(
        default_factory=lambda: BranchSchedule(
            iterations=4000, means_rate=0.0, motion_from=10**9, densify_from=10**9, full_frame_every=10**9
        )
    )
    """The inside of the mouth keeps the places and the motion that its surface gave it: pictures show too little of it
    to do better, and Gaussians that drift between tongue and teeth are carried along by the wrong one, as specks."""
    joint_iterations: int = 1000
    pairings: Pairings = field(default_factory=lambda: Pairings(0.45, 0.30, 0.0, 0.25))
    seed: int = 0

    def to_dict(self) -> dict:
        """JSON-ready, as stored in the avatar."""
        return asdict(self)


EDITABLE = Preset()
"""For artists: no masked pairing, because there a zero Action Unit must mean a resting face, and a null speech vector
so that curves alone can drive it."""

QUICK = replace(
    EDITABLE,
    name="quick",
    speech=SpeechSchedule(iterations=600),
    motion=MotionSchedule(iterations=1500),
    face=BranchSchedule(iterations=2500, densify_until=2000),
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
        iterations=30, motion_from=10, densify_from=10, densify_until=25, densify_every=10, maximum=600
    ),
    mouth=BranchSchedule(iterations=15, motion_from=5, densify_from=10**9, full_frame_every=10**9),
    joint_iterations=10,
)
"""Seconds, for tests."""

PRESETS = {preset.name: preset for preset in (EDITABLE, QUICK, SMOKE)}
