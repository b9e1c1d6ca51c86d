# SPDX-License-Identifier: GPL-3.0-or-later
"""A note in the folder of long work (a dataset's, a training's) of where it stands, gone when it is finished.

It is there after a cancel, a crash or a power cut, and tells the person that work goes on where it stopped.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from pathlib import Path

from ..atomic_file import write_atomically
from .messages import LONGEST_LINE, Progress, decode, encode

FILE_NAME = ".unfinished.json"
EVERY_SECONDS = 2.0


class UnfinishedNote:
    """Keeps the note up to date."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._written: tuple[int, float] = (-1, 0.0)  # stage, and when
        self._pending: Progress | None = None

    @property
    def begun(self) -> bool:
        """Whether anything was noted yet."""
        return self._written[0] >= 0

    def write(self, progress: Progress) -> None:
        """Note where the work stands, now and then."""
        stage, moment = self._written
        self._pending = progress
        if progress.stage_index != stage or time.monotonic() - moment > EVERY_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Note it now. A folder that cannot be written is somebody else's to tell."""
        progress, self._pending = self._pending, None
        if progress is None or not self._path.parent.is_dir():
            return
        self._written = progress.stage_index, time.monotonic()
        with contextlib.suppress(OSError):
            write_atomically(self._path, [encode(replace(progress, seconds_left=None))])

    def remove(self) -> None:
        """The work is finished."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def read_unfinished(folder: Path) -> Progress | None:
    """Where unfinished work in `folder` stood, or None where there is none."""
    try:
        with (folder / FILE_NAME).open("rb") as file:
            found = decode(file.read(LONGEST_LINE))
    except OSError:
        return None
    return found if isinstance(found, Progress) else None
