# SPDX-License-Identifier: GPL-3.0-or-later
"""The first verb: speech in, a take out.

The voice drives the lower face twice, as Action Units and as implicit conditions (arXiv 2508.10566: c_a^e and c_a^i);
the upper face and the head follow its loudness, seeded chance, and the avatar's rest.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from . import action_units as au
from . import breath, prosody
from .action_unit_sets import EXTENDED, base
from .avatar import Avatar
from .blinks import blink_curve
from .errors import AudioError, AvatarError, CancelledError
from .filmed_motion import filmed_motion
from .gaze import gaze_curve
from .speech.audio_file import MAX_SECONDS, SAMPLE_RATE

if TYPE_CHECKING:
    from .speech.encoder import SpeechEncoder
    from .take import Take

HEADROOM = 1.2
"""A lower-face Action Unit may exceed the largest value of the avatar's training by this factor, not more."""

STILL_SHARE = 0.55
"""In silence a lower-face Action Unit counts only beyond this share of its 95th percentile in training: a motion model
alone keeps the mouth moving through a third of the pauses of recordings that sound unlike its own."""

Progress = Callable[[float], Any]
Cancelled = Callable[[], bool]


@dataclass(frozen=True)
class AnimateSettings:
    """How a performance is given. All defaults are the natural ones."""

    strength: float = 1.0
    """Gain of all lower-face Action Units that the voice asks for; 0 keeps them at rest."""
    gains: Mapping[str, float] = field(default_factory=dict)
    """Further gain of single lower-face Action Units, by code; that of a unit counts for both of its sides."""
    smoothing: float = 0.5
    """Standard deviation, in 25ths of a second, of the filter that calms the lower face; 0 for none."""
    blink_rate: float = 17.0
    """Blinks a minute."""
    brows: float = 1.0
    """Gain of brow motion with the voice."""
    head_motion: float = 1.0
    """Gain of all that the head does: sway, nods, and its part in breathing."""
    nods: float = 1.0
    """Gain of nods with the voice, beside `head_motion`."""
    breath: float = 1.0
    """Gain of the breath that lifts shoulders and head."""
    gaze: float = 1.0
    """Gain of glances, for faces whose eyes can turn; an avatar has no such eyes."""
    seed: int = 0
    """The same seed gives the same blinks, brows, glances, breath and head."""
    silence: bool = True
    """Close the mouth where nobody speaks."""
    filmed: bool = False
    """Head and upper face as the person was filmed, forth and back, instead of performed with the voice."""

    def __post_init__(self) -> None:
        known = [EXTENDED.codes[column] for column in EXTENDED.lower_columns]
        if unknown := sorted(set(self.gains) - set(known)):
            raise ValueError(f"gains are for {', '.join(known)}; there is no {unknown[0]} among them")
        for name, value in [*vars(self).items(), *self.gains.items()]:
            if name not in ("gains", "seed", "silence", "filmed") and not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} is {value}; it is at least 0")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; it is at least 0")


def animate(
    avatar: Avatar,
    samples: np.ndarray,
    fps: float = 25.0,
    encoder: SpeechEncoder | None = None,
    settings: AnimateSettings | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Take:
    """Let `avatar` speak.

    samples: [n] float32, mono, 16 kHz. encoder: None for the one that the avatar was trained with. progress: called
    with 0..1. cancelled: asked now and then. Raises AudioError, AvatarError, CancelledError.
    """
    from .speech.loudness import SILENCE_DB, block_levels, frame_loudness, speech_level
    from .speech.silence import speech_gate
    from .take import Take

    settings = settings or AnimateSettings()
    samples = _checked(samples)
    if not 1 <= fps <= 240:
        raise ValueError(f"fps is {fps}; it is 1 to 240")
    report = progress or (lambda fraction: None)
    seconds = len(samples) / SAMPLE_RATE
    frames = max(1, math.ceil(seconds * fps - 1e-6))
    moments = (np.arange(frames) + 0.5) / fps
    known, rest = avatar.units, avatar.rest_action_units
    lower = list(known.lower_columns)
    units = np.tile(rest, (frames, 1))
    warnings: list[str] = []
    report(0.0)

    if speech_level(block_levels(samples)) < SILENCE_DB:
        warnings.append("The audio is silent, so the face rests and blinks; check the strip's volume.")
        implicit = np.tile(avatar.rest_implicit, (frames, 1))
        stressed = gate = np.zeros(frames, np.float32)
    else:
        gate = np.asarray(speech_gate(samples, fps, frames), np.float32)
        implicit, spoken = _speak(avatar, samples, fps, gate, encoder, settings, report, cancelled)
        units[:, lower] = known.controls(spoken, known.lower)[:, lower]
        stressed = prosody.stress(frame_loudness(samples, fps, frames), fps)

    for code, curve in _upper_face(stressed, moments, fps, settings).items():
        units[:, known.index(code)] += curve
    # Each kind of motion has its own stream of chance: changing one leaves the others as they were.
    head = prosody.head_motion(stressed, moments, fps, np.random.default_rng([settings.seed, 3]), settings.nods)
    drawn = settings.breath * breath.breath_curve(gate, fps, np.random.default_rng([settings.seed, 5]))[:, None]
    head = np.float32(settings.head_motion) * (head + drawn * breath.HEAD)
    film = filmed_motion(avatar, np.arange(frames) / fps) if settings.filmed else None
    if film is not None:
        head, upper = film[0], list(known.upper_columns)
        units[:, upper] = known.controls(film[1], known.upper)[:, upper]
    elif settings.filmed:
        warnings.append(f"The avatar {avatar.name} brings no filmed motion, so head and upper face are performed.")
    gaze = settings.gaze * gaze_curve(gate, head, fps, np.random.default_rng([settings.seed, 4]))
    if cancelled is not None and cancelled():
        raise CancelledError("Animating was cancelled; nothing was changed.")
    report(1.0)
    return Take(
        fps=float(fps),
        action_units=known.clip(units),
        implicit=implicit,
        head=head,
        body=drawn * breath.BODY,
        gaze=gaze,
        audio_sha256=hashlib.sha256(samples.data).hexdigest(),
        seconds=seconds,
        settings=asdict(settings)
        | {"avatar": avatar.name, "encoder": avatar.header["encoder"]["id"], "rest": [float(unit) for unit in rest]},
        warnings=tuple(warnings),
    )


def _checked(samples: np.ndarray) -> np.ndarray:
    try:
        samples = np.ascontiguousarray(samples, np.float32)
    except (TypeError, ValueError) as error:
        raise AudioError("The audio is not a row of samples; choose another sound.") from error
    if samples.ndim != 1:
        raise AudioError("The audio has several channels where one is expected; mix it down to mono.")
    if len(samples) == 0:
        raise AudioError("The audio has no samples; choose a sound that is longer.")
    if len(samples) > MAX_SECONDS * SAMPLE_RATE:
        raise AudioError(f"The audio is longer than {MAX_SECONDS / 3600:.0f} hours; animate it in parts.")
    if not np.isfinite(samples).all():
        raise AudioError("The audio holds values that are not numbers; export it again.")
    return samples


def _speak(
    avatar: Avatar,
    samples: np.ndarray,
    fps: float,
    speaking: np.ndarray,
    encoder: SpeechEncoder | None,
    settings: AnimateSettings,
    report: Progress,
    cancelled: Cancelled | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Implicit conditions [T,32] and pulls of the lower face [T,9] of the voice. speaking: [T] 0..1."""
    from .motion.portable import PortableMotion
    from .speech.stretches import encode_in_stretches

    if encoder is None:
        from .speech.encoder import create

        encoder = create(avatar.header["encoder"]["id"])
    wanted = avatar.header["encoder"]
    if encoder.id != wanted["id"] or encoder.dimension != wanted["dim"]:
        raise AvatarError(
            f"The avatar {avatar.name} was trained with the speech encoder '{wanted['id']}' and cannot hear with "
            f"'{encoder.id}'; use its own encoder or train it again."
        )
    nothing = np.zeros((0, 3), np.float32)
    motion = PortableMotion(avatar.motion, avatar.motion_config, nothing, nothing, threads=1)
    heard = encode_in_stretches(
        encoder, samples, motion.speech.project, lambda fraction: report(0.9 * fraction), cancelled
    )
    if cancelled is not None and cancelled():
        raise CancelledError("Animating was cancelled; nothing was changed.")
    implicit = motion.speech.implicit_of_projected(heard, fps, len(speaking))
    units = motion.predicted_action_units(implicit)

    known = avatar.units
    rest = known.pulls(avatar.rest_action_units, known.lower)
    gains = settings.strength * np.array([_gain(settings, code) for code in known.lower], np.float32)
    units = np.clip(rest + gains * (units - rest), 0.0, _ceiling(avatar))
    if settings.silence:
        gate = speaking[:, None]
        implicit = gate * implicit + (1 - gate) * avatar.rest_implicit
        units = gate * units + (1 - gate) * _quieted(avatar, units, rest)
    sigma = settings.smoothing * fps / 25
    return prosody.smooth(implicit, sigma), prosody.smooth(units, sigma)


def _quieted(avatar: Avatar, units: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """[T,9]: what is left of the lower face where nobody speaks: only what is strongly heard, such as a breath."""
    return rest + np.maximum(units - rest - STILL_SHARE * _lower_statistic(avatar, "p95"), 0)


def _ceiling(avatar: Avatar) -> np.ndarray:
    """[9]: the largest lower-face intensities; the face was never shown more, and cannot imagine it."""
    return np.clip(HEADROOM * _lower_statistic(avatar, "max"), 0.0, au.MAXIMUM)


def _gain(settings: AnimateSettings, muscle: str) -> float:
    """The gain of a unit, and of a side beside that of its unit."""
    own = settings.gains.get(muscle, 1.0)
    return own if base(muscle) == muscle else own * settings.gains.get(base(muscle), 1.0)


def _lower_statistic(avatar: Avatar, name: str) -> np.ndarray:
    """[9] "p95" or "max" of the lower face's muscles in training; 5 where the avatar does not say."""
    statistics = avatar.header.get("au_statistics", {})
    values = [statistics.get(code, {}).get(name, au.MAXIMUM) for code in avatar.units.codes]
    return avatar.units.pulls(np.array(values, np.float32), avatar.units.lower)


def _upper_face(
    stressed: np.ndarray, moments: np.ndarray, fps: float, settings: AnimateSettings
) -> dict[str, np.ndarray]:
    """Additions to the resting upper face, code -> [T]."""
    brows = prosody.brow_curves(stressed, moments, fps, np.random.default_rng([settings.seed, 2]))
    curves = {code: settings.brows * curve for code, curve in brows.items()}
    blinks = blink_curve(moments, settings.blink_rate, np.random.default_rng([settings.seed, 1]))
    # Wide eyes and closed lids exclude each other.
    curves["AU05"] = curves["AU05"] * (1 - blinks / au.BLINK_CLOSED)
    return curves | {"AU45": blinks}
