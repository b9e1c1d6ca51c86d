# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stages are told: iterations, rates, and the weight of every loss. One dataclass a stage.

METHOD means docs/method.md, whose sections are numbered alike. A weight of 0 leaves a term out and costs nothing.
Shares are parts of the stage's iterations, so that they keep their meaning in a shorter run.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

NEVER = 10**9
"""An iteration that no stage reaches."""


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
    free_weight: float = 0.0
    """Weight of speech that the person never spoke (free_speech.py) against the person's own; 0 leaves it out."""
    free_clips: int = 4
    """Sentences of it a step."""


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
class Perceptual:
    """LPIPS with AlexNet's weights in the last part of a stage (METHOD 3.1, 3.2, 3.3)."""

    patches: float = 0.0
    """Weight of the mean LPIPS of patches (paper: lambda_2 = 0.5; the parent 0.2)."""
    sides: tuple[int, int] = (64, 96)
    """Pixels a patch's side, drawn anew each step, always even; smaller pictures are one patch."""
    count: int = 3
    """Patches a step at most, of those that show the person; 0 for all, as the paper has it."""
    lips: float = 0.0
    """Weight of the LPIPS of the lips' rectangle, which the patches then leave blank (parent: 0.01)."""
    start: float = 0.94
    """Share of the stage from which on they count."""

    @property
    def wanted(self) -> bool:
        return self.patches > 0 or self.lips > 0


@dataclass(frozen=True)
class Curriculum:
    """Which frames come first (METHOD 4.4); a stage without such frames draws as ever. 0: off."""

    opening_every: int = 0
    """Face, until motion learns: every so many steps a frame whose AU25 lies in a window that widens (parent: 15)."""
    blink_every: int = 0
    """Face, afterwards: every so many steps a frame whose lids are closed as far as the run has come (parent: 15)."""
    widest_first: bool = False
    """Mouth, until motion learns: only frames whose AU25 is at its 95th percentile or beyond."""
    widest_every: int = 0
    """Mouth, afterwards: every so many steps a wide open frame, less wide as the run goes on (parent: 7)."""
    until: float = 0.8
    """Share of the stage at which it ends (parent: 40,000 of 50,000)."""


@dataclass(frozen=True)
class BranchSchedule:
    """One Gaussian set against pictures."""

    iterations: int = 4500
    full_frame_every: int = 3
    """Every how many steps the whole frame is seen; the other steps look at the face alone."""
    means_rate: float = 1.0e-5
    """Adam rate of positions, in metres: a set that starts on a surface is nearly in its place."""
    means_decay: float = 0.1
    """The rate of positions at the end, in units of its start (METHOD 4.2: 0.01)."""
    decay: float = 0.1
    """The same of colours, opacities, sizes and turns (METHOD 4.2: 1)."""
    motion_from: int = 500
    """Until then the motion field stays as the motion stage left it and only the set learns (METHOD 4.1: F0, M0)."""
    motion_rate: float = 1.0e-4
    """AdamW rate of attention and deformation (METHOD 4.2: 5e-4)."""
    grid_rate: float = 0.0
    """AdamW rate of the field's tables; 0: they stay as the motion stage left them (METHOD 4.2: 5e-3)."""
    conditions_rate: float = 0.0
    """AdamW rate of Action Unit encoders, A2AM and gate; 0: finished in the motion stage (METHOD 4.2: 5e-4)."""
    audio_rate: float = 0.0
    """AdamW rate of AudioNet, five times that of its attention; 0: finished in the speech stage. Face only, because
    the mouth listens with the same ears (METHOD 4.2: 5e-4)."""
    parent_decay: bool = False
    """Motion's rates halve towards 80 % of the stage, then drop and fall to a tenth (METHOD 4.2); else log-linear."""
    video_only: int = 0
    """Steps after `motion_from` in which every pairing is the frame's own Action Units (METHOD 2.5: 2,000)."""
    densify_from: int = 600
    densify_until: int = 3600
    densify_every: int = 300
    gradient_threshold: float = 2.0e-4
    """Mean screen-space gradient (in half images) beyond which a Gaussian is cloned or split (METHOD 4.3)."""
    maximum: int = 36_000
    """Gaussians of the set at most."""
    prune_opacity: float = 0.02
    """Opacity below which a Gaussian is taken away (METHOD 4.3: 0.05) ..."""
    prune_opacity_growth: float = 0.0
    """... and how much that rises until `densify_until` (METHOD 4.3: 0.25)."""
    prune_radius: float = 0.0
    """Pixels on the screen beyond which a Gaussian is taken away once motion learns; 0: none (METHOD 4.3: 20)."""
    prune_scale: float = 0.0
    """Metres, likewise (METHOD 4.3: a tenth of the scene's extent, which is about 0.17 m)."""
    dssim: float = 0.2
    """Weight of 1 - SSIM (METHOD 3.1; paper: lambda_1)."""
    alpha: float = 0.05
    """Weight of the mean alpha error; pictures with a soft matte bear more than the paper's 1e-3."""
    alpha_regions: float = 0.0
    """Weight of what is missing inside plus what is too much outside, each a mean of its own (METHOD 3.1: 1e-3)."""
    delta_mean: float = 1.0e-5
    """Weight of the mean absolute d_mu (METHOD 3.1)."""
    delta_rotation: float = 1.0e-5
    """Of d_q."""
    delta_scale: float = 1.0e-5
    """Of d_s."""
    align: float = 0.0
    """Weight of L_align, Eq (6) (METHOD 3.1: 1e-3). It teaches A2AM, and the audio path where `audio_rate` is not 0."""
    attention_lips: float = 0.0
    """Weight of the upper face's attention in the lips' rectangle (METHOD 3.1: 1e-4)."""
    attention_hair: float = 0.0
    """Weight of both attentions on hair, in steps that see hair (METHOD 3.1: 1e-4)."""
    attention_every: int = 7
    """Every how many steps attention is drawn and weighed (the parent: 1)."""
    hair_every: int = 1
    """While motion learns hair is seen in every so many steps only, else painted over (METHOD 3.1: 7; 1: always)."""
    hair_until: float = 0.92
    """Share of the stage at which that ends (METHOD 3.1: 46,000 of 50,000)."""
    polish: float = 1.0
    """Share of the stage from which on colours alone learn, over black (METHOD 3.2, mouth: 0.98)."""
    perceptual: Perceptual = field(default_factory=Perceptual)
    curriculum: Curriculum = field(default_factory=Curriculum)


@dataclass(frozen=True)
class JointTerms:
    """Weights of stage J (METHOD 3.3)."""

    dssim: float = 0.2
    perceptual: Perceptual = field(default_factory=lambda: Perceptual(sides=(32, 42), start=0.5))


@dataclass(frozen=True)
class Pairings:
    """Probabilities of what the explicit operand is in one step: stochastic feature pairing (METHOD 2.5)."""

    video: float = 0.50
    """The frame's own Action Units."""
    audio: float = 0.35
    """Those that A2AM hears."""
    masked: float = 0.15
    """None: the implicit road alone."""
    implicit_masked: float = 0.0
    """The frame's own without any voice: hands alone drive the face."""

    def __post_init__(self) -> None:
        values = (self.video, self.audio, self.masked, self.implicit_masked)
        if min(values) < 0 or sum(values) <= 0:
            raise ValueError("pairing probabilities must be non-negative, at least one of them positive")

    def probabilities(self) -> np.ndarray:
        """[4] in the order of :class:`~..motion.fusion.Pairing`, summing to 1."""
        values = np.array([self.video, self.audio, self.masked, self.implicit_masked])
        return np.asarray(values / values.sum())


VOICE_ALONE = Pairings(video=0.0, audio=1.0, masked=0.0)
"""For models that see no Action Units of the lower face: stage S moves some of the frame's own by hand (pairing
"video"), which would be noise to them."""
