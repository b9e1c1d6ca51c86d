# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings about what was performed: expressions, lip shapes, turns of the head, blinks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .coverage import Coverage
from .facts import CaptureFacts
from .finding import NOTE, WARN, Finding, listing, percent, worst

LEAST_SECONDS = 5.0
"""With less footage nothing is said to be missing."""
CORE = ("AU12", "AU25", "AU26")
"""Without these the avatar can neither speak nor smile."""
HOW_TO_PERFORM: dict[str, str] = {
    "AU01": "raise the inner ends of your brows, as in worry",
    "AU02": "raise your brows, as in surprise",
    "AU04": "draw your brows together, as in anger",
    "AU05": "open your eyes wide",
    "AU06": "laugh so that your cheeks rise",
    "AU07": "narrow your eyes, as in bright sun",
    "AU09": "wrinkle your nose, as at a bad smell",
    "AU10": "bare your upper teeth",
    "AU12": "smile broadly",
    "AU14": "tuck in the corners of your mouth, as in doubt",
    "AU15": "pull the corners of your mouth down",
    "AU16": "bare your lower teeth",
    "AU17": "push up your chin, as in a pout",
    "AU18": "pucker your lips, as for a kiss",
    "AU20": "stretch your lips sideways, as in fear",
    "AU22": "push your lips forward, as for 'sh'",
    "AU23": "make your lips thin and tight",
    "AU24": "press your lips together",
    "AU25": "part your lips",
    "AU26": "let your jaw drop",
    "AU27": "open your mouth as wide as you can",
    "AU28": "draw your lips in over your teeth",
    "AU45": "close your eyes for a moment",
}
LEAST_SHAPE = 0.01
"""Share of the spoken frames that a lip shape should have."""
NEEDED_SHAPES: dict[str, str] = {
    "closed": "say 'papa, mama, baby', with the lips meeting each time",
    "open": "say 'hello, better, again' without mumbling",
    "wide open": "say 'ah, father, wow' with a wide open mouth",
    "rounded": "say 'you, who, oh, room' with rounded lips",
    "spread": "smile and say 'cheese, easy, see'",
}
LEAST_VISEME = 0.005
"""Share of the heard phones that a group should have: a small part of what the rarest groups have in English."""
LEAST_HEARD = 300
"""Phones, half a minute of speech, from which a missing group means something."""
LEAST_YAW, LEAST_PITCH = 8.0, 5.0
"""Degrees that the head should span at least. An avatar turns by little more than it was seen to turn."""
WIDE_YAW, WIDE_PITCH = 35.0, 30.0
"""Degrees from the usual pose beyond which half of the face is hidden and landmarks are guessed."""
OFTEN_WIDE = 0.02
FEW_BLINKS = 2.0
"""A minute. Seventeen are usual at rest, three while reading."""


def performance_findings(facts: CaptureFacts, coverage: Coverage) -> Iterator[Finding]:
    if (facts.usable & facts.seen).sum() < LEAST_SECONDS * facts.fps:
        return
    yield from _units(coverage)
    yield from _lips(facts, coverage)
    yield from _pose(facts, coverage)
    yield from _blinks(facts, coverage)


def _units(coverage: Coverage) -> Iterator[Finding]:
    missing = [code for code in coverage.never if code in HOW_TO_PERFORM and code != "AU45"]
    if missing:
        yield Finding(
            WARN if set(missing) & set(CORE) else NOTE,
            "units_missing",
            "Some expressions were never performed.",
            f"{listing(missing)} did not pass the lowest level; the avatar can only guess how they look on you.",
            f"Film half a minute more, each slowly and twice: {'; '.join(HOW_TO_PERFORM[code] for code in missing)}.",
        )


def _lips(facts: CaptureFacts, coverage: Coverage) -> Iterator[Finding]:
    spoken = (coverage.lip_shape >= 0) & ~facts.silent
    if spoken.sum() < LEAST_SECONDS * facts.fps:
        return
    rare = [name for name in NEEDED_SHAPES if coverage.lip_shares[name] < LEAST_SHAPE]
    if rare:
        yield Finding(
            NOTE if rare == ["spread"] else WARN,
            "lip_shapes_missing",
            "Some lip shapes hardly occur.",
            f"While speaking, the lips are hardly ever {listing(rare, 'or')}.",
            f"Film half a minute more: {listing(NEEDED_SHAPES[name] for name in rare)}.",
        )
    total = sum(coverage.visemes.values())
    if total >= LEAST_HEARD:
        absent = [name for name, count in coverage.visemes.items() if count < LEAST_VISEME * total]
        if absent:
            yield Finding(
                NOTE,
                "visemes_missing",
                "Some sounds hardly occur.",
                f"Heard as English, these are rare: {listing(absent)}.",
                "Read a text aloud that has all sounds of your language, such as 'The North Wind and the Sun'.",
            )


def _pose(facts: CaptureFacts, coverage: Coverage) -> Iterator[Finding]:
    if not len(coverage.angles):
        return
    pitch, yaw, _ = coverage.pose_span
    if yaw < LEAST_YAW or pitch < LEAST_PITCH:
        yield Finding(
            WARN if yaw < LEAST_YAW / 2 else NOTE,
            "little_turning",
            "The head hardly turns.",
            f"It spans {yaw:.0f} degrees from side to side and {pitch:.0f} up and down; the avatar will look right "
            "only within that.",
            "Film a minute in which you look slowly left, right, up and down by a hand's width while you speak.",
        )
    head = np.degrees(facts.head[:, :2].astype(np.float64))
    good = facts.usable & facts.seen & np.isfinite(head).all(1)
    away = np.abs(head - np.median(head[good], axis=0))
    wide = good & ((away[:, 1] > WIDE_YAW) | (away[:, 0] > WIDE_PITCH))
    part = float(wide.sum() / good.sum())
    if part > OFTEN_WIDE:
        yield Finding(
            WARN,
            "much_turning",
            "The head turns too far.",
            f"In {percent(part)} of the frames it is turned by more than {WIDE_YAW:.0f} degrees to the side or "
            f"{WIDE_PITCH:.0f} up or down, where half of the mouth is hidden.",
            "Film again facing the camera; turn by no more than 30 degrees.",
            frames=worst(away.max(1), wide),
        )


def _blinks(facts: CaptureFacts, coverage: Coverage) -> Iterator[Finding]:
    blinks = coverage.blinks
    trusted = all(u.confidence is None or u.confidence >= 0.3 for u in coverage.units if u.code == "AU45")
    seconds = float((facts.usable & facts.seen).sum()) / facts.fps
    if blinks is None or not trusted or seconds < 10:
        return
    if blinks == 0 or (blinks < FEW_BLINKS and seconds > 60):
        yield Finding(
            WARN,
            "no_blinks",
            "The eyes are hardly ever closed.",
            f"There {'is no blink' if blinks == 0 else f'are {blinks:.1f} blinks a minute'}; lids cannot be learnt so.",
            "Film again and blink now and then; close your eyes slowly a few times while you are silent.",
        )
