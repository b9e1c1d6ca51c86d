# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a capture is finished, kept in its folder, so that it goes on where it stopped and does nothing twice.

Each finished task is noted with a digest of everything that it depends on. A task whose digest has changed, because a
clip was added or an option is another one, is done again; all others are kept.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..atomic_file import write_atomically
from ..errors import CancelledError
from .errors import CaptureError
from .options import Cancelled, Progress, ProgressCallback

FILE_NAME = "capture.json"
FORMAT = 1
TELL_SECONDS = 0.1
SURE_SHARE, SURE_SECONDS = 0.02, 1.5
"""From here on a stage's time left is told."""


def digest(*values: Any) -> str:
    """Of plain values, in order."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:32]


class Journal:
    """The record in a dataset's folder."""

    def __init__(self, folder: Path) -> None:
        """Open the folder, or make it. Raises :class:`CaptureError` where that is not possible."""
        self.folder = folder
        self._done: dict[str, str] = {}
        self.facts: dict[str, Any] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / ".writable"
            probe.touch()
            probe.unlink()
            path = folder / FILE_NAME
            if path.is_file():
                self._load(path)
            elif any(not entry.name.startswith(".") for entry in folder.iterdir()):
                raise CaptureError(f"The folder '{folder}' holds other files; choose an empty or a new folder.")
        except OSError as error:
            raise CaptureError(
                f"The dataset cannot be written to '{folder}' ({error.strerror or error}); choose another folder."
            ) from error

    def _load(self, path: Path) -> None:
        try:
            data = json.loads(path.read_text("utf-8"))
            if data["format"] != FORMAT:
                raise CaptureError(f"'{self.folder}' was captured by another version; choose a new folder.")
            self._done = {str(key): str(value) for key, value in data["done"].items()}
            self.facts = dict(data["facts"])
        except (ValueError, KeyError, TypeError, AttributeError):
            # A damaged record costs time, not data: everything is checked and done again.
            self._done, self.facts = {}, {}

    def is_done(self, task: str, inputs: str, *files: Path) -> bool:
        """Whether `task` was finished with just these inputs (a digest) and its files are still there."""
        return self._done.get(task) == inputs and all(file.exists() for file in files)

    def mark(self, task: str, inputs: str) -> None:
        """Note a finished task. Raises OSError."""
        self._done[task] = inputs
        self.save()

    def save(self) -> None:
        """Write the record. Raises OSError."""
        text = json.dumps({"format": FORMAT, "done": self._done, "facts": self.facts}, indent=1, ensure_ascii=False)
        write_atomically(self.folder / FILE_NAME, [text.encode()])


class Clock:
    """Tells how far the stages are. `count`: of how many."""

    def __init__(self, count: int, progress: ProgressCallback | None, cancelled: Cancelled | None) -> None:
        self._count = count
        self._progress = progress or (lambda progress: None)
        self.cancelled: Callable[[], bool] = cancelled or (lambda: False)
        self._index = -1
        self._told = 0.0

    @contextmanager
    def stage(self, name: str, total: float = 1.0) -> Iterator[Callable[..., None]]:
        """Enter a stage of `total` units of work; yields advance(units=1, text="").

        advance raises :class:`CancelledError` when the person has cancelled.
        """
        self._index += 1
        started, done = time.monotonic(), 0.0

        def tell(text: str, *, force: bool = False) -> None:
            now = time.monotonic()
            if not force and now - self._told < TELL_SECONDS:
                return
            self._told = now
            share = min(1.0, done / total) if total else 1.0
            taken = now - started
            known = share > SURE_SHARE and taken > SURE_SECONDS
            left = taken / share * (1 - share) if known else None
            self._progress(Progress(name, self._index, self._count, share, left, text))

        def advance(units: float = 1.0, text: str = "") -> None:
            nonlocal done
            done += units
            tell(text)
            if self.cancelled():
                raise CancelledError("Capture was cancelled; what was finished is kept.")

        tell("", force=True)
        yield advance
        done = total
        tell("", force=True)
