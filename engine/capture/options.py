# SPDX-License-Identifier: GPL-3.0-or-later
"""What a capture is asked for, what it tells on the way, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MATTES = ("auto", "screen", "person", "none")
"""Chroma key where there is a screen and the person matte otherwise; or one of them; or the whole picture."""


@dataclass(frozen=True)
class CaptureOptions:
    """All that decides the dataset; the same options on the same files continue an earlier capture."""

    videos: tuple[Path, ...]
    """Clips of one person, from one camera position and of one size."""
    output: Path
    """Folder of the dataset; made if it is not there."""
    size: int = 512
    """Largest side of the square frames, in pixels. Smaller footage is not enlarged."""
    matte: str = "auto"
    """One of MATTES."""
    parsing: Path | None = None
    """A face parsing network of the user's own (see ``matte.parsing_networks``)."""
    unit_set: str = "openface-17"
    """Name of the set of Action Units (``action_unit_sets``)."""
    hold_out: tuple[str, ...] = ()
    """Names of the clips to test on; by default the last eleventh of the footage."""
    focal: float | None = None
    """Focal length in pixels of the whole picture, where it is known; solved otherwise."""
    threads: int = 0
    """Processes side by side; 0 takes one for each core."""

    @property
    def processes(self) -> int:
        from ..render import available_threads

        return self.threads or available_threads()


@dataclass(frozen=True)
class Progress:
    """Where a capture stands."""

    stage: str
    """Name of the stage, for people."""
    index: int
    """Number of the stage, from 0 ..."""
    count: int
    """... of so many."""
    share: float
    """0..1 of this stage."""
    seconds_left: float | None
    """Of this stage, or None while that is not known."""
    text: str = ""
    """What is being worked on."""


@dataclass(frozen=True)
class CaptureResult:
    """A finished dataset."""

    output: Path
    report: Path
    """report.html"""
    summary: dict[str, Any]
    """What report.json holds: verdict, findings, key figures."""


ProgressCallback = Callable[[Progress], None]
Cancelled = Callable[[], bool]
