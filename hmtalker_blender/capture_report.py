# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report on a training set says, for panels: its verdict and findings, read again only when it was written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import capture_job, jobs

if TYPE_CHECKING:
    from .properties import HMT_PG_capture

SUMMARY, PAGE = "report.json", "report.html"
LONGEST = 4 << 20
"""Bytes of a summary; more is not ours."""
NOTE_ICON = "INFO"
ICONS = {"stop": "CANCEL", "warn": "ERROR", "note": NOTE_ICON, "good": "CHECKMARK"}
"""Severity of a verdict or a finding -> icon."""


@dataclass(frozen=True)
class Line:
    """One finding as a panel shows it."""

    icon: str
    title: str
    remedy: str


@dataclass(frozen=True)
class Report:
    """What panels show of a report."""

    verdict: str
    icon: str
    footage: str
    """How much of it can be used, and how much of that is speech; empty where that is not known."""
    lines: tuple[Line, ...]


_read: dict[Path, tuple[tuple[int, int], Report | None]] = {}


def page(settings: HMT_PG_capture) -> Path | None:
    """Return where the report for people is, or will be; None where the dataset has no folder yet."""
    folder = capture_job.dataset_folder(settings)
    return folder / PAGE if folder is not None else None


def of(folder: Path) -> Report | None:
    """Return the report in a dataset's folder, or None where there is none that can be read."""
    path = folder / SUMMARY
    try:
        state = path.stat()
    except OSError:
        _read.pop(path, None)
        return None
    stamp = state.st_mtime_ns, state.st_size
    if path not in _read or _read[path][0] != stamp:
        _read.clear()
        _read[path] = stamp, _parsed(path)
    return _read[path][1]


def forget() -> None:
    """Drop what was read."""
    _read.clear()


def _parsed(path: Path) -> Report | None:
    try:
        with path.open("rb") as file:
            said = json.loads(file.read(LONGEST))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    found = said.get("findings")
    lines = tuple(_line(entry) for entry in found if isinstance(entry, dict)) if isinstance(found, list) else ()
    verdict = said.get("verdict")
    head = _line(verdict if isinstance(verdict, dict) else {})
    return Report(head.title, head.icon, _footage(said.get("figures")), lines)


def _line(entry: dict[str, Any]) -> Line:
    icon = ICONS.get(_text(entry.get("severity")), NOTE_ICON)
    return Line(icon, _text(entry.get("title", entry.get("text"))), _text(entry.get("remedy")))


def _footage(figures: Any) -> str:
    if not isinstance(figures, dict):
        return ""
    usable, speech = figures.get("usable_seconds"), figures.get("speech_seconds")
    if not all(isinstance(value, int | float) and 0 <= value < 1e9 for value in (usable, speech)):
        return ""
    return f"{jobs.duration(usable)} of footage can be used, with {jobs.duration(speech)} of speech"


def _text(value: Any) -> str:
    return value[:1000] if isinstance(value, str) else ""
