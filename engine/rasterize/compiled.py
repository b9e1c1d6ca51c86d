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
_SOURCES = (
    "compiled.py",
    "lanes.py",
    "vector_ir.py",
    "projection.py",
    "sorting.py",
    "binning.py",
    "blending.py",
    "gathering.py",
)


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for name in _SOURCES:
        digest.update(Path(__file__).with_name(name).read_bytes())
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
