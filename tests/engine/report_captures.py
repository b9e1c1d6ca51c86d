# SPDX-License-Identifier: GPL-3.0-or-later
"""Made-up captures for the tests of the report: one that is good in every way, and ways to spoil it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from hmtalker.action_units import CODES
from hmtalker.capture.report.facts import CaptureFacts, ClipFacts, SourceFacts
from hmtalker.capture.report.phones import VISEMES
from hmtalker.capture.report.picture_facts import COLUMNS
from hmtalker.capture.report.voice import SoundFacts

FPS = 25
GOOD_SOUND = SoundFacts(speech_db=-20.0, noise_db=-45.0, clipped=0.0, bandwidth=8000.0)
GOOD_PICTURE = {
    "light": 0.55, "highlight": 0.7, "light_left": 0.30, "light_right": 0.26, "white": 0.0, "black": 0.01,
    "surround": 0.5, "blur": 0.018, "mouth_blur": 0.018, "noise": 0.005, "size": 150.0, "edge": 0.8,
    "lip_gap": 0.0, "lip_width": 0.6, "eyes_open": 0.1,
}  # fmt: skip
PHONES = {phone: 30 for group in VISEMES.values() for phone in group}


def smooth(values: np.ndarray, width: int) -> np.ndarray:
    kernel = np.hanning(width + 2) / np.hanning(width + 2).sum()
    return np.convolve(values, kernel)[: len(values)] if len(values) else values


def good_capture(seconds: float = 200.0, *, sound_late: int = 0, clips: int = 1, seed: int = 0) -> CaptureFacts:
    """One file that nothing is to be said about. sound_late: frames. clips: parts of it, all of one shot."""
    rng = np.random.default_rng(seed)
    count = round(seconds * FPS)
    time = np.arange(count)
    silent = (time < 2 * FPS) | (time % 150 < 40)
    syllables = np.clip(smooth(rng.normal(size=count), 6) * 4, 0, None)
    lips = np.where(silent, 0.0, syllables / max(float(syllables.max(initial=0)), 1e-9))
    opening = np.roll(4 * lips + 0.3 * smooth(rng.normal(size=count), 3), sound_late)
    picture = np.tile(np.array([GOOD_PICTURE[name] for name in COLUMNS], np.float32), (count, 1))
    picture *= 1 + 0.02 * rng.normal(size=picture.shape)
    picture[:, COLUMNS.index("lip_gap")] = 0.2 * lips
    width = np.where(time % 60 < 12, 0.54, np.where(time % 60 < 24, 0.65, 0.6))
    picture[:, COLUMNS.index("lip_width")] = np.where(silent, 0.6, width)
    units = np.clip(2.5 * np.sin(time[:, None] / 40 + np.arange(len(CODES))), 0, 5).astype(np.float32)
    units[:, CODES.index("AU45")] = 2.0 * (time % 90 < 5)
    head = np.zeros((count, 6), np.float32)
    head[:, 0], head[:, 1] = 0.1 * np.sin(time / 90), 0.15 * np.sin(time / 70)
    lengths = np.diff(np.linspace(0, count, clips + 1).astype(int)).tolist()
    begins = np.cumsum([0, *lengths[:-1]]).tolist()
    return CaptureFacts(
        fps=float(FPS),
        sources=(SourceFacts("take", "take.mp4", 25.0, False, 1920, 1080, seconds, "h264", 0, 48_000),),
        clips=tuple(
            ClipFacts(f"take.{number}", 0, begin, length, GOOD_SOUND, PHONES, (0.05, 0.2))
            for number, (begin, length) in enumerate(zip(begins, lengths, strict=True))
        ),
        cuts=(),
        usable=np.ones(count, bool),
        reasons=np.zeros(count, np.uint8),
        faces=np.where(time % 5 == 0, 1, -1),
        picture=picture,
        head=head,
        jitter=(0.05, 0.2),
        codes=CODES,
        action_units=units,
        confidence=np.ones(len(CODES)),
        silent=silent,
        level=np.where(silent, -70.0, -20.0),
        opening=opening,
        still_camera=True,
    )


def changed(facts: CaptureFacts, **columns: Any) -> CaptureFacts:
    """With columns of the picture facts set: to a value, to [T], or to what a function makes of them."""
    picture = facts.picture.copy()
    for name, value in columns.items():
        column = COLUMNS.index(name)
        picture[:, column] = value(picture[:, column]) if callable(value) else value
    return replace(facts, picture=picture)


def with_sound(facts: CaptureFacts, **values: float) -> CaptureFacts:
    clips = tuple(replace(clip, sound=replace(GOOD_SOUND, **values)) for clip in facts.clips)
    return replace(facts, clips=clips)


def with_source(facts: CaptureFacts, **values: Any) -> CaptureFacts:
    return replace(facts, sources=(replace(facts.sources[0], **values),))


def with_units(facts: CaptureFacts, change: Callable[[np.ndarray], None], **others: Any) -> CaptureFacts:
    units = facts.action_units.copy()
    change(units)
    return replace(facts, action_units=units, **others)


def without_face(facts: CaptureFacts, mask: np.ndarray) -> CaptureFacts:
    picture = facts.picture.copy()
    picture[mask] = np.nan
    reasons = np.where(mask, 1, facts.reasons)
    return replace(facts, picture=picture, reasons=reasons, usable=facts.usable & ~mask)
