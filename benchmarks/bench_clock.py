# SPDX-License-Identifier: GPL-3.0-or-later
"""Medians of wall and processor time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any


def clock(work: Callable[[], Any], rounds: int, warm: int = 1) -> dict[str, float]:
    """Milliseconds of a call: median and smallest wall time, and median time of all the process's threads."""
    for _ in range(warm):
        work()
    wall, processor = [], []
    for _ in range(rounds):
        begun, used = time.perf_counter(), time.process_time()
        work()
        wall.append(1e3 * (time.perf_counter() - begun))
        processor.append(1e3 * (time.process_time() - used))
    return {
        "ms": statistics.median(wall),
        "ms_min": min(wall),
        "ms_p95": sorted(wall)[int(0.95 * (rounds - 1))],
        "cpu_ms": statistics.median(processor),
    }
