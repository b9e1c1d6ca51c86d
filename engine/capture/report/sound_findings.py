# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings about the voice: whether there is one, how it sounds, and whether it fits the lips."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...speech.loudness import SILENCE_DB
from .facts import CaptureFacts
from .finding import NOTE, STOP, WARN, Finding, lasting, listing, percent, share, spans

LATE, FAR_TOO_LATE = 45.0, 100.0
"""Milliseconds. ITU-R BT.1359 puts the first offset that viewers notice at 45 ms; an avatar that learns from sound
more than two frames away learns other phones' lips."""
DRIFT = 40.0
"""Milliseconds between beginning and end: the clocks of a camera and a recorder run apart."""
QUIET = -45.0
"""dBFS of the loud parts of the speech; 16-bit recordings are grainy there."""
NOISY = -20.0
"""dB of the background under the speech."""
CLIPPED = 0.02
"""Share of the 20 ms blocks of speech."""
NARROW, NARROW_RATE = 5000.0, 16_000
"""Hz. S and F are told apart above."""
LITTLE_SPEECH, LITTLE_SECONDS = 0.3, 30.0
"""Share of the frames that hold speech, and seconds of it."""
REST_SECONDS, REST_ANYWHERE = 0.8, 2.0
"""Seconds of rest at the start, and in all, from which the face at rest is learnt."""
REST_GAP = 0.035
"""Eye distances between resting lips, above their usual gap in silence."""
LISTED = 6


def sound_findings(facts: CaptureFacts) -> Iterator[Finding]:
    if not facts.frames:
        return
    sounds = [(clip, clip.sound) for clip in facts.clips if clip.sound is not None]
    if not sounds or all(sound.speech_db < SILENCE_DB for _, sound in sounds):
        yield Finding(
            STOP,
            "no_speech",
            "There is no sound.",
            "The sound track is missing or silent, and without a voice no speech can be learnt.",
            "Check the microphone and film again; listen to the first seconds before you go on.",
        )
        return
    yield from _amount(facts)
    if facts.seen.any():
        yield from _lips(facts)
        yield from _rest(facts)
    yield from _quality(facts)


def _amount(facts: CaptureFacts) -> Iterator[Finding]:
    every = np.ones(facts.frames, bool)
    speech, seconds = share(~facts.silent, every), float((~facts.silent).sum()) / facts.fps
    if speech < LITTLE_SPEECH and seconds < LITTLE_SECONDS:
        yield Finding(
            STOP if seconds < 5 else WARN,
            "little_speech",
            "There is little speech.",
            f"Speech fills {lasting(seconds)}, {percent(speech)} of the footage.",
            "Film again and speak most of the time; a text to read aloud helps.",
        )


def _lips(facts: CaptureFacts) -> Iterator[Finding]:
    sync = facts.lip_sync
    files = [(source, own) for source, own in zip(facts.sources, facts.lip_syncs, strict=True) if own.known]
    alike = sync.known and all(abs(own.milliseconds - sync.milliseconds) < LATE / 2 for _, own in files)
    late = [(source, own) for source, own in files if abs(own.milliseconds) >= LATE]
    syncs = zip(facts.sources, facts.lip_syncs, strict=True)
    drifting = [(source, own.drift) for source, own in syncs if abs(own.drift) >= DRIFT]
    if late and not alike:
        worst_of = max(abs(own.milliseconds) for _, own in late)
        told = [f"'{source.file_name}' {_by(own.milliseconds)}" for source, own in late[:LISTED]]
        yield Finding(
            STOP if worst_of >= FAR_TOO_LATE else WARN,
            "lip_sync",
            f"The sound of {len(late)} file{'s' * (len(late) != 1)} does not fit the lips.",
            f"It comes too late or too early: {listing(told)}.",
            "Move the sound of these files back by as much in a video editor, or leave them out, and capture again.",
        )
    elif sync.known and abs(sync.milliseconds) >= LATE:
        size, direction = abs(sync.milliseconds), "earlier" if sync.milliseconds > 0 else "later"
        yield Finding(
            STOP if size >= FAR_TOO_LATE else WARN,
            "lip_sync",
            f"The sound is {_by(sync.milliseconds)}.",
            f"Lips and voice fit best with the sound moved by {size:.0f} ms (give or take {2 * sync.error:.0f}), which "
            f"is {size * facts.fps / 1000:.1f} frames.",
            f"Move the sound {size:.0f} ms {direction} in a video editor and capture again; or film again with a wired "
            "microphone, as wireless ones delay the sound.",
        )
    elif not sync.known and not files and not drifting:
        yield Finding(
            NOTE,
            "lip_sync_unknown",
            "It cannot be told whether sound and lips fit.",
            f"{sync.reason[:1].upper()}{sync.reason[1:]}.",
            "Check by eye: the lips must be shut at the very moment of a P or B.",
        )
    if drifting:
        source, drift = max(drifting, key=lambda entry: abs(entry[1]))
        yield Finding(
            WARN,
            "drift",
            "Sound and picture drift apart.",
            f"Towards the end of '{source.file_name}' the sound is {abs(drift):.0f} ms "
            f"{'later' if drift > 0 else 'earlier'} than at the beginning.",
            "Record sound and picture with the same device and a fixed frame rate, or film shorter takes.",
        )


def _by(milliseconds: float) -> str:
    return f"{abs(milliseconds):.0f} ms too {'late' if milliseconds > 0 else 'early'}"


def _rest(facts: CaptureFacts) -> Iterator[Finding]:
    gap = facts.column("lip_gap")
    quiet = facts.usable & facts.silent & np.isfinite(gap)
    usual = float(np.percentile(gap[quiet], 25)) if quiet.any() else 0.0
    with np.errstate(invalid="ignore"):
        rest = quiet & (gap < usual + REST_GAP)
    first = int(np.argmin(rest)) if not rest.all() else len(rest)
    total = rest.sum() / facts.fps
    if first / facts.fps >= REST_SECONDS:
        return
    enough = total >= REST_ANYWHERE
    yield Finding(
        NOTE if enough else WARN,
        "no_rest",
        "There is no rest at the start.",
        f"The first {REST_SECONDS:g} seconds are not silent with closed lips; "
        + (f"{lasting(float(total))} of rest were found later." if enough else "there is hardly any rest later either.")
        + " The resting face is learnt from them.",
        "Begin with two seconds of silence: lips closed, relaxed, looking into the camera.",
    )


def _quality(facts: CaptureFacts) -> Iterator[Finding]:
    heard = [(clip, clip.sound) for clip in facts.clips if clip.sound is not None and clip.sound.speech_db > SILENCE_DB]
    weights = np.array([clip.frames for clip, _ in heard], float)
    clip_of, count = facts.clip_of, len(facts.clips)
    speech = float(np.average([sound.speech_db for _, sound in heard], weights=weights))
    if speech < QUIET:
        yield Finding(
            WARN,
            "quiet",
            "The voice is very quiet.",
            f"It reaches {speech:.0f} dB of full scale; -30 to -12 is usual.",
            "Film again with the microphone nearer, or its level raised.",
        )

    def places(bad: list[bool]) -> np.ndarray:
        marked = np.zeros(count, bool)
        marked[[facts.clips.index(clip) for (clip, _), is_bad in zip(heard, bad, strict=True) if is_bad]] = True
        return np.asarray(marked[clip_of]) if not all(bad) else np.zeros(facts.frames, bool)

    clipped = float(np.average([sound.clipped for _, sound in heard], weights=weights))
    if clipped > CLIPPED:
        yield Finding(
            WARN,
            "clipped",
            "The sound is overdriven.",
            f"{percent(clipped)} of the speech is cut off at full scale and sounds harsh.",
            "Film again with a lower recording level, or further from the microphone.",
            spans(facts, places([sound.clipped > CLIPPED for _, sound in heard])),
        )
    noisy = [sound.noise_db > NOISY for _, sound in heard]
    if weights[noisy].sum() > 0.2 * weights.sum():
        level = float(np.median([sound.noise_db for _, sound in heard if sound.noise_db > NOISY]))
        yield Finding(
            WARN,
            "noisy",
            "There is much noise behind the voice.",
            f"It is only {-level:.0f} dB under the voice; {-NOISY:.0f} and more are good. The avatar's lips would move "
            "to noise.",
            "Film again in a quiet room with soft furniture, fan and computer off, and the microphone near you.",
            spans(facts, places(noisy)),
        )
    yield from _bandwidth(facts, [sound.bandwidth for _, sound in heard], weights)


def _bandwidth(facts: CaptureFacts, widths: list[float], weights: np.ndarray) -> Iterator[Finding]:
    low_rate = [source.file_name for source in facts.sources if 0 < source.sound_rate < NARROW_RATE]
    narrow = weights[np.array(widths) < NARROW].sum() > 0.5 * weights.sum()
    if low_rate or narrow:
        detail = (
            f"{listing(f'{name!r}' for name in low_rate[:3])} hold sound of less than {NARROW_RATE // 1000} kHz"
            if low_rate
            else f"It ends at {float(np.median(widths)) / 1000:.1f} kHz"
        )
        yield Finding(
            WARN,
            "narrow_sound",
            "The sound is of telephone quality.",
            f"{detail}; S, F and TH cannot be told apart in it.",
            "Film again with the built-in or a wired microphone instead of a wireless headset, at 44.1 or 48 kHz.",
        )
