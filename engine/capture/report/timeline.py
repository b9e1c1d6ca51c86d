# SPDX-License-Identifier: GPL-3.0-or-later
"""The capture along time: what is usable, who speaks, lips and voice, light, sharpness, how steady the head is."""

from __future__ import annotations

import numpy as np

from .facts import BAD_FIT, NO_FACE, OTHER_PERSON, CaptureFacts
from .finding import clock
from .picture_findings import BLURRED, DARK
from .svg import bar, drawing, envelope, line, runs, tag, words

LEFT, WIDTH, ROW, GAP = 150.0, 790.0, 46.0, 14.0
STRIP = 14.0
MOST_RUNS = 800
"""Stretches of a strip that are drawn by themselves; more are drawn by the column."""
REASONS = ((NO_FACE, "bad", "no face"), (BAD_FIT, "poor", "does not fit"), (OTHER_PERSON, "other", "another person"))


def timeline(facts: CaptureFacts) -> str:
    """An SVG, 960 wide; "" without frames."""
    if not facts.frames:
        return ""
    good = facts.usable
    parts: list[str] = []
    top = 6.0
    left_out = [
        (~good & (facts.reasons == reason) if reason != NO_FACE else ~facts.seen, kind, text)
        for reason, kind, text in REASONS
    ]
    rest = ~good & ~np.any([mask for mask, _, _ in left_out], axis=0)
    top = _strip(parts, top, "Used", [(good, "good", "used"), *left_out, (rest, "poor", "left out")])
    top = _strip(parts, top, "Speech", [(~facts.silent, "speech", "speech")])
    top += 6
    gap = facts.column("lip_gap")
    largest = float(np.nanpercentile(gap, 99.5)) if np.isfinite(gap).any() else 0.1
    top = _row(parts, facts, top, "Gap between the lips", gap, 0.0, max(largest, 0.05), "lips")
    voice = facts.opening
    if np.isfinite(voice).any():
        largest = max(float(np.nanpercentile(voice, 99.5)), 0.5)
        top = _row(parts, facts, top, "What the voice asks for", voice, 0.0, largest, "voice")
    top = _row(parts, facts, top, "Light on the face", facts.column("highlight"), 0.0, 1.0, "light", DARK)
    blur = np.fmax(facts.column("blur"), 0)
    top = _row(parts, facts, top, "Blur", blur, 0.0, 2.2 * BLURRED, "blur", BLURRED)
    turning = np.degrees(_steps(facts, 1))
    top = _row(parts, facts, top, "Head turning, °/s", turning * facts.fps, 0.0, 60.0, "turn")
    trembling = np.degrees(_steps(facts, 2))
    top = _row(parts, facts, top, "Head trembling, °", trembling, 0.0, 1.0, "turn")
    parts.append(_clock(facts, top))
    for seconds in _cut_moments(facts):
        x = LEFT + seconds / facts.frames * WIDTH
        parts.append(line(x, 4, x, top - GAP + 4, "cut"))
    return drawing(960, top + 18, "The capture along time", *parts)


def _strip(parts: list[str], top: float, name: str, layers: list[tuple[np.ndarray, str, str]]) -> float:
    parts.append(words(LEFT - 10, top + STRIP - 3, name, anchor="end"))
    parts.append(bar(LEFT, top, WIDTH, STRIP, "trough"))
    for mask, kind, text in layers:
        stretches = runs(mask)
        if len(stretches) > MOST_RUNS:
            columns = np.array_split(mask, round(WIDTH))
            stretches = runs(np.repeat([part.mean() > 0.5 for part in columns], [len(part) for part in columns]))
        for begin, end in stretches:
            scale = WIDTH / len(mask)
            parts.append(bar(LEFT + begin * scale, top, max((end - begin) * scale, 0.6), STRIP, kind, text))
    return top + STRIP + 6


def _row(
    parts: list[str],
    facts: CaptureFacts,
    top: float,
    name: str,
    values: np.ndarray,
    low: float,
    high: float,
    kind: str,
    limit: float | None = None,
) -> float:
    parts.append(bar(LEFT, top, WIDTH, ROW, "trough"))
    parts.append(words(LEFT - 10, top + ROW / 2 + 4, name, anchor="end"))
    data = envelope(np.where(facts.seen, values, np.nan), LEFT, WIDTH, low, high, top, ROW)
    parts.append(tag("path", d=data, class_=f"trace {kind}"))
    if limit is not None:
        y = top + ROW * (1 - (limit - low) / (high - low))
        parts.append(line(LEFT, y, LEFT + WIDTH, y, "limit"))
    return top + ROW + GAP


def _steps(facts: CaptureFacts, order: int) -> np.ndarray:
    """[T] size of the differences of that order of the head's angles, radians a frame; NaN across clips."""
    size = np.full(facts.frames, np.nan)
    if facts.frames > order:
        steps = np.linalg.norm(np.diff(facts.head[:, :3].astype(np.float64), n=order, axis=0), axis=1)
        size[order:] = np.where(facts.clip_of[order:] == facts.clip_of[:-order], steps, np.nan)
    return size


def _cut_moments(facts: CaptureFacts) -> list[float]:
    """Frames at which a clip begins that another one of the same file came before, without continuing it."""
    found = []
    for number in range(1, len(facts.clips)):
        clip, before = facts.clips[number], facts.clips[number - 1]
        if clip.source == before.source and clip.shot != before.shot:
            found.append(float(facts.starts[number]))
    return found[:200]


def _clock(facts: CaptureFacts, top: float) -> str:
    seconds = facts.frames / facts.fps
    step = next((s for s in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600) if seconds / s <= 12), 7200)
    marks = []
    for moment in range(0, int(seconds) + 1, step):
        x = LEFT + moment / seconds * WIDTH
        marks.append(line(x, top - GAP, x, top - GAP + 5, "grid"))
        marks.append(words(x, top + 8, clock(moment).split(".")[0], "small", "middle"))
    return "".join(marks)
