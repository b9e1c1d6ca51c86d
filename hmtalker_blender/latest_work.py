# SPDX-License-Identifier: GPL-3.0-or-later
"""Work on one background thread of which only the newest matters: a picture of a face that has moved on is not drawn.

The main thread asks and, now and then, collects; it never waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any

Work = Callable[[Callable[[], bool]], Any]
"""Called on the worker thread with a function that says whether something newer was asked for meanwhile."""
Deliver = Callable[[Any], None]
"""Called on the main thread with what the work returned, or with the exception that it raised."""


class LatestWork:
    """Does the newest work asked for under each key, oldest key first."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._changed = threading.Condition()
        self._waiting: dict[Hashable, tuple[Work, Deliver]] = {}
        self._finished: list[tuple[Deliver, Any]] = []
        self._busy = False
        self._thread: threading.Thread | None = None
        self._stopping = False

    def ask(self, key: Hashable, work: Work, deliver: Deliver) -> None:
        """Ask for work; what was asked under the same key before is dropped, or told that it is out of date."""
        with self._changed:
            self._waiting[key] = work, deliver
            if self._thread is None:
                self._stopping = False
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify()

    def collect(self) -> bool:
        """Deliver what is finished. Main thread. Returns whether anything is still to come."""
        with self._changed:
            finished, self._finished = self._finished, []
        for deliver, result in finished:
            deliver(result)
        with self._changed:
            return bool(self._busy or self._waiting or self._finished)

    def stop(self) -> None:
        """Drop what waits, wait for what is under way, and end the thread; it starts anew when something is asked."""
        with self._changed:
            self._waiting.clear()
            self._finished.clear()
            self._stopping = True
            thread, self._thread = self._thread, None
            self._changed.notify()
        if thread is not None:
            thread.join()
        with self._changed:
            self._finished.clear()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._stopping:
                    self._changed.wait()
                if self._stopping:
                    return
                key = next(iter(self._waiting))
                work, deliver = self._waiting.pop(key)
                self._busy = True
            try:
                result = work(lambda key=key: self._stopping or key in self._waiting)
            except BaseException as error:
                result = error
            with self._changed:
                self._busy = False
                self._finished.append((deliver, result))
