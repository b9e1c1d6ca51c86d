# SPDX-License-Identifier: GPL-3.0-or-later
"""What went wrong lately, for the Doctor's report. Kept in memory only."""

from __future__ import annotations

import time
from collections import deque

_recent: deque[str] = deque(maxlen=20)


def remember(what: str, message: str) -> None:
    """Keep a problem. what: the operator that failed. message: what the artist was told."""
    _recent.append(f"{time.strftime('%H:%M:%S')} {what}: {message}")


def recent() -> list[str]:
    """Return the last problems, oldest first."""
    return list(_recent)


def forget() -> None:
    """Drop them all."""
    _recent.clear()
