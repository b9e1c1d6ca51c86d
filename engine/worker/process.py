# SPDX-License-Identifier: GPL-3.0-or-later
"""The caller's side of a worker: start one, listen to it, stop it, and outlive it whatever happens to it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from ..errors import CancelledError
from .errors import WorkerError
from .messages import CANCEL, LONGEST_LINE, PROTOCOL, Done, Failed, Lines, Message, decode

log = logging.getLogger(__package__)

BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
POLL_SECONDS = 0.1
GRACE_SECONDS = 5.0
"""How long a cancelled worker may take to put away what it has in hand."""
LINGER_SECONDS = 3.0
"""How long a worker may take to end after its last message."""
LOG_LINES = 200
KEPT = "start it again, what was finished is kept"


def run(
    python: Path,
    command: str,
    options: Mapping[str, Any],
    *,
    heard: Callable[[Message], None] = lambda message: None,
    cancelled: Callable[[], bool] = lambda: False,
    grace: float = GRACE_SECONDS,
    variables: Mapping[str, str] | None = None,
    bootstrap: Path = BOOTSTRAP,
) -> dict[str, Any]:
    """Let a worker in the environment of `python` do one request; blocks until it is done, so call it on a thread.

    The thread must live on until this returns: on Linux a worker ends with the thread that started it.
    options: what JSON can say. heard: called with every message but the last. cancelled: asked ten times a second.
    grace: seconds from then until the worker is ended by force. variables: added to the process's environment.
    Returns the result of ``Done``. Raises :class:`CancelledError` and :class:`WorkerError`, each with its sentence.
    """
    worker = _Worker(python, bootstrap, variables or {})
    try:
        worker.send({"type": "request", "protocol": PROTOCOL, "command": command, "options": dict(options)})
        outcome = _listen(worker, heard, cancelled, grace)
        worker.wait(LINGER_SECONDS)
        status = worker.popen.returncode
    finally:
        worker.end()
    if outcome is None:
        raise WorkerError(_obituary(status, list(worker.tail)))
    if isinstance(outcome, Failed):
        for line in worker.tail:
            log.info("%s", line)
        raise (CancelledError if outcome.cancelled else WorkerError)(outcome.sentence)
    return outcome.result


def _listen(
    worker: _Worker, heard: Callable[[Message], None], cancelled: Callable[[], bool], grace: float
) -> Done | Failed | None:
    """Pass messages on until the last one, or until the worker is gone: None."""
    asked = ended = None
    while True:
        try:
            message = worker.messages.get(timeout=POLL_SECONDS)
        except queue.Empty:
            if ended is None and worker.popen.poll() is not None:
                ended = time.monotonic()
            # Something that the worker has started may hold the pipe open, so its end may never come.
            if ended is not None and time.monotonic() - ended > 1.0:
                return None
        else:
            if message is None or isinstance(message, Done | Failed):
                return message
            if isinstance(message, WorkerError):
                raise message
            heard(message)
        if asked is None and cancelled():
            asked = time.monotonic()
            worker.cancel()
        if asked is not None and time.monotonic() - asked > grace:
            raise CancelledError("Cancelled; what was finished is kept.")


class _Worker:
    """The process, with a thread for each of its pipes, so that nothing here ever waits for one."""

    def __init__(self, python: Path, bootstrap: Path, variables: Mapping[str, str]) -> None:
        self.messages: queue.Queue[Message | WorkerError | None] = queue.Queue(maxsize=1000)
        self.tail: deque[str] = deque(maxlen=LOG_LINES)
        self._orders: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._over = threading.Event()
        try:
            self.popen = subprocess.Popen(
                # Isolated: neither variables nor folders of the caller's Python decide what is imported. No byte code:
                # the extension's folder is not ours to write into.
                [str(python), "-I", "-B", str(bootstrap)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env={**os.environ, **variables},
                **_apart(),
            )
        except OSError as error:
            raise WorkerError(
                f"The training environment's Python '{python}' does not start ({error.strerror or error}); delete the "
                "environment and make it again."
            ) from None
        for name, work in (("orders", self._write), ("messages", self._read), ("log", self._keep_log)):
            threading.Thread(target=work, name=f"HM-Talker worker {name}", daemon=True).start()

    def send(self, request: Mapping[str, Any]) -> None:
        """Ask for something. Raises WorkerError where that is too much at once."""
        line = json.dumps(request).encode() + b"\n"
        if len(line) > LONGEST_LINE:
            raise WorkerError("There are too many files for one capture; put them into one folder and choose fewer.")
        self._orders.put(line)

    def cancel(self) -> None:
        self._orders.put(CANCEL)

    def wait(self, seconds: float) -> None:
        """Give the process time to end by itself."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(seconds)

    def end(self) -> None:
        """Make sure that the process and all that it has started are gone."""
        self._over.set()
        self._orders.put(None)
        if os.name == "posix":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.kill()
        self.wait(LINGER_SECONDS)

    def _write(self) -> None:
        if hasattr(signal, "pthread_sigmask"):
            # Writing to a process that is gone must be an error of this thread, not the end of the whole program:
            # an application with Python inside need not ignore this signal.
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGPIPE])
        pipe = _given(self.popen.stdin)
        with pipe, contextlib.suppress(OSError):
            while (line := self._orders.get()) is not None:
                while line:
                    line = line[os.write(pipe.fileno(), line) :]

    def _read(self) -> None:
        pipe, lines = _given(self.popen.stdout), Lines()
        with pipe, contextlib.suppress(OSError):
            while piece := os.read(pipe.fileno(), 1 << 16):
                for line in lines.feed(piece):
                    try:
                        message: Message | WorkerError | None = decode(line)
                    except WorkerError as error:
                        message = error
                    if message is not None:
                        self._put(message)
                    elif line:
                        self.tail.append(_readable(line))
        self._put(None)

    def _keep_log(self) -> None:
        pipe, lines = _given(self.popen.stderr), Lines()
        with pipe, contextlib.suppress(OSError):
            while piece := os.read(pipe.fileno(), 1 << 16):
                self.tail.extend(_readable(line) for line in lines.feed(piece) if line)

    def _put(self, message: Message | WorkerError | None) -> None:
        while not self._over.is_set():
            with contextlib.suppress(queue.Full):
                self.messages.put(message, timeout=POLL_SECONDS)
                return


def _apart() -> dict[str, Any]:
    """A process group of its own: Ctrl-C in the caller's terminal is the caller's, and all of it can be ended."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.BELOW_NORMAL_PRIORITY_CLASS}
    return {"start_new_session": True}


def _given(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


def _readable(line: bytes) -> str:
    return line[:500].decode("utf-8", "replace").rstrip()


def _obituary(code: int | None, tail: list[str]) -> str:
    """One sentence on a worker that ended without a last message; its log goes to the program's."""
    for line in tail:
        log.error("%s", line)
    if code == -getattr(signal, "SIGKILL", 9):
        return f"The system ended the worker process, as it does when memory runs out; close other programs and {KEPT}."
    if code is not None and (code < 0 or code > 0xC0000000):
        return f"The worker process crashed (status {code}); {KEPT}. Details are in the system console."
    said = f' and said "{tail[-1][:160]}"' if tail else ""
    return f"The worker process ended without an answer (status {code}){said}; {KEPT}."
