# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker's two threads to the one who started it: orders come by stdin, messages go out by stdout.

When stdin ends, the caller is gone, whatever ended it, and so the worker ends too. On Linux the kernel sees to that
even while a library holds Python's lock.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from typing import Any

from .messages import Lines, Message, encode, json_object

ORPHANED = 3
"""Exit status of a worker whose caller is gone."""


class Orders:
    """What the caller asks for."""

    def __init__(self, source: int = 0) -> None:
        """source: file descriptor to listen to, from now on, in a thread of its own."""
        self._source = source
        self._request: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._cancelled = threading.Event()
        threading.Thread(target=self._listen, name="orders", daemon=True).start()

    def request(self) -> dict[str, Any]:
        """Wait for the request."""
        return self._request.get()

    def cancelled(self) -> bool:
        """Whether the person asked to stop."""
        return self._cancelled.is_set()

    def _listen(self) -> None:
        lines = Lines()
        # The descriptor itself: a thread inside sys.stdin's buffer would block the interpreter's end.
        while piece := _read(self._source):
            for line in lines.feed(piece):
                said = json_object(line)
                if said.get("type") == "request":
                    self._request.put(said)
                elif said.get("type") == "cancel":
                    self._cancelled.set()
        os._exit(ORPHANED)


class Voice:
    """The only one who writes to the caller; whatever libraries print goes to stderr from now on."""

    def __init__(self) -> None:
        sys.stdout.flush()
        self._target = os.dup(1)
        os.dup2(2, 1)
        self._lock = threading.Lock()

    def say(self, message: Message) -> None:
        """Send a message; nobody listening any more ends the process."""
        line = encode(message)
        with self._lock:
            while line:
                try:
                    line = line[os.write(self._target, line) :]
                except OSError:
                    os._exit(ORPHANED)


def end_with_caller() -> None:
    """Ask Linux to kill this process when the thread that started it ends. Elsewhere the end of stdin must do."""
    if sys.platform != "linux":
        return
    import ctypes
    import signal

    set_parent_death_signal = 1  # PR_SET_PDEATHSIG of linux/prctl.h
    try:
        ctypes.CDLL(None, use_errno=True).prctl(set_parent_death_signal, signal.SIGKILL, 0, 0, 0)
    except (OSError, AttributeError):
        return  # another C library; stdin's end is still watched


def _read(source: int) -> bytes:
    try:
        return os.read(source, 1 << 16)
    except OSError:
        return b""
