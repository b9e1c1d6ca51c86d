# SPDX-License-Identifier: GPL-3.0-or-later
"""Speech that a person never spoke, for stage A: synthetic voices, and the face that the person would make to them.

A person is filmed saying what there was to say, GRID's 51 words at worst, and in one voice. Synthetic voices say
everything else, with their phones known exactly; how the person's mouth goes with the visemes of those phones is read
from the person's own clips (own_articulation), whose visemes are heard (heard_visemes), so that no text is needed.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..capture.speech_draws import encode_draws
from ..errors import CancelledError, HMTalkerError
from ..speech.encoder import SpeechEncoder, create
from .dataset import Performance
from .heard_visemes import VisemeListener
from .own_articulation import OwnArticulation
from .spoken_sentences import script
from .spoken_text import Speaker, Voice, find_speaker
from .visemes import of_ipa, shares

FPS, STEPS = 25.0, 50.0
DRAWS = 2

log = logging.getLogger(__package__)


@dataclass(frozen=True)
class FreeSpeech:
    """Clips that nobody filmed; one entry a clip in each list."""

    speech: list[np.ndarray]
    """float16 [draws, T50, D]"""
    lower: list[np.ndarray]
    """float32 [T,9] pulls of the lower face."""
    unsaid: list[np.ndarray]
    """float32 [T,2+M] pucker, funnel and further mouth measurements."""


def at_frame_rate(steps: np.ndarray, frames: int) -> np.ndarray:
    """[T50,V] -> [frames,V]: the mean of the two steps of each frame; the last step goes on beyond the end."""
    short = max(0, 2 * frames - len(steps))
    padded = np.pad(steps, ((0, short), (0, 0)), mode="edge")
    return np.asarray(padded[: 2 * frames].reshape(frames, 2, -1).mean(1))


def speak_freely(
    performance: Performance,
    clips: np.ndarray,
    encoder: SpeechEncoder,
    speaker: Speaker,
    seed: int = 0,
    said: Sequence[tuple[str, Voice]] | None = None,
    tick: Callable[[], None] | None = None,
) -> FreeSpeech:
    """Let synthetic voices say `said` (by default the whole script) with the face of the person of `performance`.

    clips: indices of those to learn the person's articulation from. tick: called between sentences; what it raises
    ends the work. Raises :class:`HMTalkerError`.
    """
    rng = np.random.default_rng([seed, 7])
    speech, in_steps, in_frames = [], [], []
    for text, voice in script() if said is None else said:
        if tick is not None:
            tick()
        spoken = speaker.say(text, voice)
        phones = [(of_ipa(name), begin, end) for name, begin, end in spoken.phones]
        encoded = encode_draws(spoken.samples, encoder, rng, DRAWS)
        frames = max(1, math.floor(len(spoken.samples) / 16_000 * FPS))
        speech.append(encoded)
        in_steps.append(shares(phones, encoded.shape[1], STEPS))
        in_frames.append(shares(phones, frames, FPS))
    listener = VisemeListener([clip[-1] for clip in speech], in_steps, seed)
    rows = [performance.frames_of(int(clip)) for clip in clips]
    curves = np.concatenate(
        [
            performance.units.pulls(performance.action_units, performance.units.lower),
            performance.rounding,
            performance.measurements,
        ],
        1,
    )
    own = OwnArticulation(
        [at_frame_rate(listener(performance.speech[int(c)][0]), len(r)) for c, r in zip(clips, rows, strict=True)],
        [curves[r] for r in rows],
    )
    faces = [own(visemes) for visemes in in_frames]
    lower = len(performance.units.lower)
    return FreeSpeech(speech, [face[:, :lower] for face in faces], [face[:, lower:] for face in faces])


def free_speech_for(
    performance: Performance, clips: np.ndarray, seed: int = 0, tick: Callable[[], None] | None = None
) -> FreeSpeech | None:
    """What :func:`speak_freely` makes, or None, with a warning, where eSpeak NG or the speech encoder is missing."""
    speaker = find_speaker()
    if speaker is None:
        log.warning(
            "The avatar learns only the sounds of its clips, because the package espeakng-loader is not installed; "
            "install it and train again for sounds that nobody says in them."
        )
        return None
    try:
        encoder = create()
        if len(clips) == 0 or performance.speech[int(clips[0])].shape[2] != encoder.dimension:
            return None  # heard with another encoder, which synthetic voices have not been tried with
        return speak_freely(performance, clips, encoder, speaker, seed, tick=tick)
    except CancelledError:
        raise
    except HMTalkerError as error:
        log.warning("The avatar learns only the sounds of its clips: %s", error)
        return None
