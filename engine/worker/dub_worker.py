# SPDX-License-Identifier: GPL-3.0-or-later
"""The request ``dub``: from a JSON object to a dubbed film, and its progress back as messages."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .capture_worker import progress_message
from .environment_check import describe, problem
from .errors import WorkerError
from .messages import Message

OPTIONS: dict[str, Callable[[Any], Any]] = {
    "avatar": Path,
    "footage": Path,
    "voice": Path,
    "output": Path,
    "region": str,
    "dataset": lambda value: None if value is None else Path(value),
    "clip": str,
    "settings": dict,
    "threads": int,
}
"""Name of an option of the request -> how the value that JSON knows becomes the dubber's. `settings`: the fields of
``AnimateSettings``."""


def dub(options: Mapping[str, Any], say: Callable[[Message], None], cancelled: Callable[[], bool]) -> dict[str, Any]:
    """Dub. options: the fields of ``DubOptions`` as JSON has them; those left out have their defaults.

    Returns ``output``, ``pictures``, ``untouched`` and ``warnings``. Raises HMTalkerError.
    """
    if trouble := problem(describe(try_imports=False)):
        raise WorkerError(f"{trouble}.")
    # Not at the top: what dubbing imports is only needed, and only installed, in this process.
    dubber = importlib.import_module("..dub.dub", __package__)
    try:
        given = {name: OPTIONS[name](value) for name, value in options.items()}
        given["settings"] = dubber.AnimateSettings(**given.get("settings", {}))
        request = dubber.DubOptions(**given)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise WorkerError(f"The dubbing was asked for with an option that it does not know ({error}).") from error
    result = dubber.dub(request, lambda progress: say(progress_message(progress)), cancelled)
    return {
        "output": str(request.output),
        "pictures": result.pictures,
        "untouched": result.untouched,
        "warnings": list(result.warnings),
    }
