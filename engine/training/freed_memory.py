# SPDX-License-Identifier: GPL-3.0-or-later
"""Give freed memory back to the system.

Tensors of some megabytes that come and go beside pictures that stay leave holes between them, which glibc keeps: a
training of some thousand steps grew to 15 GB of which 1 was in use.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import sys
from collections.abc import Callable
from functools import cache


def give_back() -> None:
    """Return what is freed to the system, where its library can do so; some milliseconds."""
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        return ctypes.CDLL(ctypes.util.find_library("c") or "libc.so.6").malloc_trim
    except (OSError, AttributeError):  # another C library
        return None
