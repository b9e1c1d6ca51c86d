# SPDX-License-Identifier: GPL-3.0-or-later
"""One thing that is to be said about a capture: how bad it is, what it is, what to do about it, and where it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .facts import CaptureFacts

STOP, WARN, NOTE = SEVERITIES = ("stop", "warn", "note")
"""stop: do not train on this. warn: the avatar will be worse for it. note: good to know."""
JOIN_SECONDS = 1.0
"""Places closer together than this are told as one."""
EXAMPLES = 3
"""Frames that a finding shows."""


@dataclass(frozen=True)
class Span:
    """A stretch of a file, in seconds."""

    source: int
    begin: float
    end: float


@dataclass(frozen=True)
class Finding:
    """What is wrong, in words for the person who was filmed."""

    severity: str
    key: str
    """Stable name, for programs."""
    title: str
    detail: str
    remedy: str
    """What to film again and how, or what else to do."""
    spans: tuple[Span, ...] = ()
    """Where; empty where it is everywhere."""
    frames: tuple[int, ...] = ()
    """The worst frames, of the T of the capture."""


def spans(facts: CaptureFacts, mask: np.ndarray) -> tuple[Span, ...]:
    """Where `mask` (bool [T]) is True, in files and seconds, close places joined."""
    found: list[Span] = []
    for frame in np.flatnonzero(mask):
        source, second = facts.place(int(frame))
        end = second + 1 / facts.fps
        last = found[-1] if found else None
        if last is not None and last.source == source and last.begin <= second <= last.end + JOIN_SECONDS:
            found[-1] = Span(source, last.begin, end)
        else:
            found.append(Span(source, second, end))
    return tuple(found)


def worst(values: np.ndarray, mask: np.ndarray | None = None, count: int = EXAMPLES) -> tuple[int, ...]:
    """Frames with the largest `values` [T] (among those in `mask`), at least 25 frames apart."""
    values = np.where(np.isfinite(values), values, -np.inf)
    if mask is not None:
        values = np.where(mask, values, -np.inf)
    chosen: list[int] = []
    for frame in np.argsort(-values, kind="stable")[:2000]:
        if len(chosen) >= count or not np.isfinite(values[frame]):
            break
        if all(abs(int(frame) - other) >= 25 for other in chosen):
            chosen.append(int(frame))
    return tuple(chosen)


def middle(values: np.ndarray, mask: np.ndarray) -> float:
    """Median of `values` in `mask`; NaN if there are none."""
    values = values[mask & np.isfinite(values)]
    return float(np.median(values)) if len(values) else float("nan")


def share(part: np.ndarray, whole: np.ndarray) -> float:
    """Of the frames in `whole`, how many are in `part`: 0..1; 0 for none."""
    return float((part & whole).sum() / max(1, int(whole.sum())))


def clock(seconds: float) -> str:
    """1:02:03, 2:03 or 0:03.5"""
    seconds = max(0.0, seconds)
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours}:{minutes:02d}:{rest:02d}"
    return f"{minutes}:{rest:02d}" if whole >= 10 else f"{minutes}:{rest:02d}.{int(seconds * 10) % 10}"


def lasting(seconds: float) -> str:
    """12 seconds, 4 minutes."""
    if seconds < 90:
        return f"{seconds:.0f} second{'s' * (round(seconds) != 1)}"
    minutes = seconds / 60
    return f"{minutes:.1f} minutes" if minutes < 10 else f"{minutes:.0f} minutes"


def percent(part: float) -> str:
    """A share, 0..1, as people say it."""
    return "less than 1 %" if 0 < part < 0.01 else f"{100 * part:.0f} %"


def listing(words: Iterable[str], last: str = "and") -> str:
    """a, b and c"""
    words = list(words)
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""
