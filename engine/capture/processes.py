# SPDX-License-Identifier: GPL-3.0-or-later
"""The same work on many pieces of footage, one process a core, with progress by the frame and cancelling at once.

Processes and not threads: half of a frame's time is spent in numpy, which holds Python's lock. Each ends when the
process that started it ends, whatever ended that one.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for
from typing import Any, Generic, TypeVar

from ..errors import CancelledError
from .errors import CaptureError

Job = TypeVar("Job")
Result = TypeVar("Result")

POLL_SECONDS = 0.2
"""How often progress is told and cancelling is noticed."""


@dataclass
class Beat:
    """Given to the work; call it once a frame. Raises :class:`CancelledError` when the person has cancelled."""

    tick: Callable[[], None]
    stopped: Callable[[], bool]

    def __call__(self) -> None:
        if self.stopped():
            raise CancelledError("Capture was cancelled; what was finished is kept.")
        self.tick()


_beat = Beat(lambda: None, lambda: False)  # of this process


@dataclass(frozen=True)
class _Task(Generic[Job, Result]):
    work: Callable[[Job, Beat], Result]
    job: Job

    def __call__(self) -> Result:
        return self.work(self.job, _beat)


def each(
    work: Callable[[Job, Beat], Result],
    jobs: Sequence[Job],
    processes: int,
    advanced: Callable[[int], None],
    cancelled: Callable[[], bool],
) -> Iterator[tuple[int, Result]]:
    """Call ``work(job, beat)`` for every job and yield (index of the job, result) as they finish, in any order.

    work: a function at the top of a module, that calls beat() once a frame. advanced: told how many more frames are
    done. With one process, or one job, the work is done in this process. Raises what the work raises,
    :class:`CancelledError`, and :class:`CaptureError` when a process was killed.
    """
    if min(processes, len(jobs)) <= 1:
        yield from _here(work, jobs, advanced, cancelled)
        return
    context = multiprocessing.get_context("spawn")
    counter, stop = context.Value("q", 0), context.Event()
    told = 0
    pool = ProcessPoolExecutor(min(processes, len(jobs)), context, _start, (counter, stop))
    try:
        pending: dict[Future[Any], int] = {}
        waiting = iter(enumerate(jobs))
        while True:
            while len(pending) < 2 * processes and (entry := next(waiting, None)) is not None:
                pending[pool.submit(_Task(work, entry[1]))] = entry[0]
            if not pending:
                return
            finished, _ = wait(pending, POLL_SECONDS, FIRST_COMPLETED)
            if counter.value > told:
                advanced(counter.value - told)
                told = counter.value
            if cancelled():
                raise CancelledError("Capture was cancelled; what was finished is kept.")
            for future in finished:
                yield pending.pop(future), future.result()
    except BrokenProcessPool as error:
        raise CaptureError(
            "A helper process ended unexpectedly, perhaps for want of memory; start the capture again, it goes on "
            "where it stopped."
        ) from error
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _here(
    work: Callable[[Job, Beat], Result],
    jobs: Sequence[Job],
    advanced: Callable[[int], None],
    cancelled: Callable[[], bool],
) -> Iterator[tuple[int, Result]]:
    beat = Beat(lambda: advanced(1), cancelled)
    for index, job in enumerate(jobs):
        yield index, work(job, beat)


def _start(counter: Any, stop: Any) -> None:
    """In a new process: one thread a library, and no life after the parent's."""
    global _beat

    def tick() -> None:
        with counter.get_lock():
            counter.value += 1

    _beat = Beat(tick, stop.is_set)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    import cv2

    cv2.setNumThreads(1)


def _end_with(sentinel: int) -> None:
    wait_for([sentinel])
    os._exit(1)
