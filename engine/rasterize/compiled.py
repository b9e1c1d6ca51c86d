# SPDX-License-Identifier: GPL-3.0-or-later
"""How the kernels are compiled: the decorator that all of them wear."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit

# No nnan/ninf: splats that are not finite must be recognised. No reassoc: every compiler shall give the same sums.
_OPTIONS: dict[str, Any] = {
    "cache": True,
    "nogil": True,
    "fastmath": {"contract", "nsz", "arcp"},
    "error_model": "numpy",
    "boundscheck": False,
}
_ENGINE = Path(__file__).parent.parent
_PARTS = ("rasterize", "gaussians", "motion", "frames")
_SOURCES = sorted([_ENGINE / "composite.py", *(path for part in _PARTS for path in (_ENGINE / part).glob("*.py"))])


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for path in _SOURCES:
        digest.update(path.read_bytes())
    return digest.hexdigest()


_sources = _fingerprint()


def kernel(function: Callable[..., Any]) -> Any:
    """Compile without the GIL and cache the result on disk.

    Numba's cache looks at a function's own file only. Kernels are inlined into each other across files, so the stamp
    is extended to all of them: after an update no kernel may come from an old version.
    """
    dispatcher = njit(**_OPTIONS)(function)
    cache_file = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if cache_file is not None and hasattr(cache_file, "_source_stamp"):
        cache_file._source_stamp = (cache_file._source_stamp, _sources)
    return dispatcher


def inlined(function: Callable[..., Any]) -> Any:
    """For small functions of numbers that stand in a loop: the loop becomes vectors only if no call is left in it."""
    return njit(inline="always", **(_OPTIONS | {"cache": False}))(function)
