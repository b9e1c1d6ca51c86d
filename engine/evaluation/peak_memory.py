# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory this process has taken at most."""

from __future__ import annotations

import sys


def peak_megabytes() -> float:
    """Largest resident size so far in MB (10^6 bytes); NaN where the system does not tell (Windows)."""
    try:
        import resource
    except ImportError:
        return float("nan")
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / 1e6 if sys.platform == "darwin" else size * 1024 / 1e6
