# SPDX-License-Identifier: GPL-3.0-or-later
"""Long work beside a living interface: main-thread steps first, then a worker thread that can be watched and cancelled.

A job knows nothing of operators. A modal operator calls `tick` from a timer; a script or background mode calls `run`.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from ..engine.errors import CancelledError, HMTalkerError

log = logging.getLogger(__package__)

running: list[Job] = []
"""Jobs that are under way, oldest first; panels show them."""


def busy_reason() -> str:
    """Say what is under way, so that nothing else can begin, or return an empty string. Jobs apart do not count."""
    return next((f"{job.title} is under way" for job in running if not job.apart), "")


def apart_reason() -> str:
    """Say which job apart is under way, or return an empty string: two of them would be in each other's way."""
    return next((f"{job.title} is under way" for job in running if job.apart), "")


class Job:
    """One piece of long work."""

    def __init__(
        self,
        title: str,
        work: Callable[[Job], Any],
        steps: Iterator[float] | None = None,
        *,
        apart: bool = False,
    ) -> None:
        """title: shown beside the progress bar. work: runs on a worker thread with the job, its result is kept.

        steps: optional main-thread work before it, yielding its own progress in 0..1 at every point where it may pause.
        apart: the work is done in a process of its own and may take hours, so other jobs may run beside it; it says
        itself, in its text, how much time is left.
        """
        self.title = title
        self.apart = apart
        self.text = "Starting"
        self.fraction = 0.0
        self.result: Any = None
        self.error: BaseException | None = None
        self._work = work
        self._steps = steps
        self._messages: queue.SimpleQueue[tuple[float, str]] = queue.SimpleQueue()
        self._cancel = threading.Event()
        self._thread: threading.Thread | None = None
        self._first: tuple[float, float] | None = None  # when progress began: what came before does not tell the pace

    # For the worker

    def progress(self, fraction: float, text: str = "") -> None:
        """Say how far the work is, 0..1, and what it is doing. Any thread."""
        self._messages.put((fraction, text))

    def cancelled(self) -> bool:
        """Say whether somebody asked to stop. Any thread."""
        return self._cancel.is_set()

    # For the one who watches

    def cancel(self) -> None:
        """Ask the work to stop at the next point where nothing is left half done."""
        self._cancel.set()
        self.text = "Cancelling"

    def tick(self, budget: float = 0.03) -> bool:
        """Do `budget` seconds of main-thread work and take in the worker's messages. Returns True when all is over."""
        if self not in running and self._thread is None:
            running.append(self)
        if self._steps is not None:
            self._advance(budget)
        elif self._thread is None:
            self._thread = threading.Thread(target=self._run_work, name=f"HM-Talker {self.title}", daemon=True)
            self._thread.start()
        self.drain()
        over = self.error is not None or (self._thread is not None and not self._thread.is_alive())
        if over:
            self.drain()
            self.close()
        return over

    def drain(self) -> None:
        """Take in what the worker said since the last time."""
        while not self._messages.empty():
            self.fraction, text = self._messages.get()
            if self._first is None and self.fraction > 0.0:
                self._first = time.monotonic(), self.fraction
            if not self.cancelled():
                self.text = text or self.text

    def run(self) -> None:
        """Do everything now and wait for it."""
        while not self.tick(budget=3600.0):
            if self._thread is not None:
                self._thread.join(0.1)

    def close(self) -> None:
        """Forget the job; if it still runs, ask it to stop and wait for that."""
        if self._steps is not None:
            self._steps.close()  # type: ignore[attr-defined]
            self._steps = None
        if self._thread is not None and self._thread.is_alive():
            self._cancel.set()
            self._thread.join()
        if self in running:
            running.remove(self)

    @property
    def time_left(self) -> float | None:
        """Seconds until the end at the present pace, or None while that cannot be said."""
        if self._first is None or self.apart:
            return None
        moment, fraction = self._first
        spent, gained = time.monotonic() - moment, self.fraction - fraction
        return spent * (1.0 - self.fraction) / gained if gained >= 0.03 and spent >= 1.0 else None

    @property
    def status(self) -> str:
        """One line for the status bar and the panel."""
        left = self.time_left
        return self.text if left is None else f"{self.text}, {duration(left)} left"

    # Inside

    def _advance(self, budget: float) -> None:
        end = time.monotonic() + budget
        try:
            while time.monotonic() < end:
                if self.cancelled():
                    raise CancelledError("Cancelled.")
                self.fraction = next(self._steps)  # type: ignore[arg-type]
        except StopIteration:
            self._steps = None
        except Exception as error:
            self._fail(error)

    def _run_work(self) -> None:
        try:
            self.result = self._work(self)
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if not isinstance(error, HMTalkerError):
            log.error("%s failed", self.title, exc_info=error)
        self.error = error


def sentence(error: BaseException) -> str:
    """Return what to tell the artist about an error: its own sentence if it was meant for people."""
    if isinstance(error, HMTalkerError):
        return str(error)
    if isinstance(error, MemoryError):
        return "There is not enough memory for this; close other programs or use a shorter strip."
    return f"Something unexpected went wrong ({type(error).__name__}: {error}); details are in the system console."


def cancel_all() -> None:
    """Stop everything and wait until it has stopped."""
    for job in list(running):
        job.close()


def duration(seconds: float) -> str:
    """Return a time for people."""
    if seconds >= 3600:
        return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:02.0f} min"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:02.0f} s"
