# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads that share the work of one kernel: ``kernel(worker, workers, ...)`` once on each."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def available_threads() -> int:
    """Cores that this process may use."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # not on Windows and macOS
        return max(1, os.cpu_count() or 1)


class Workers:
    """Runs kernels on `threads` threads, the calling one included. Calls may come from several threads at once."""

    def __init__(self, threads: int) -> None:
        self.threads = max(1, threads)
        self._pool = ThreadPoolExecutor(self.threads - 1, "hmtalker-kernel") if self.threads > 1 else None

    def run(self, kernel: Callable[..., Any], *args: Any) -> None:
        """Return when every worker is done. What a worker raises is raised here."""
        others = (
            [self._pool.submit(kernel, k, self.threads, *args) for k in range(1, self.threads)] if self._pool else []
        )
        try:
            kernel(0, self.threads, *args)
        finally:
            for other in others:
                other.result()

    def close(self) -> None:
        """Stop the threads."""
        if self._pool is not None:
            self._pool.shutdown(wait=True)
