# SPDX-License-Identifier: GPL-3.0-or-later
"""The request ``capture``: from a JSON object to the capture pipeline, and its progress back as messages."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .environment_check import describe, problem
from .errors import WorkerError
from .messages import LONGEST_TEXT, Finding, Message, Progress
from .unfinished import UnfinishedNote

OPTIONS: dict[str, Callable[[Any], Any]] = {
    "videos": lambda value: tuple(Path(path) for path in value),
    "output": Path,
    "size": int,
    "matte": str,
    "parsing": lambda value: None if value is None else Path(value),
    "unit_set": str,
    "hold_out": tuple,
    "focal": lambda value: None if value is None else float(value),
    "threads": int,
}
"""Name of an option of the request -> how the value that JSON knows becomes the pipeline's."""


def capture(
    options: Mapping[str, Any], say: Callable[[Message], None], cancelled: Callable[[], bool]
) -> dict[str, Any]:
    """Capture. options: the fields of ``CaptureOptions`` as JSON has them; those left out have their defaults.

    Returns ``output`` and ``report``, both paths. Raises HMTalkerError.
    """
    if trouble := problem(describe(try_imports=False)):
        raise WorkerError(f"{trouble}.")
    try:
        given = {name: OPTIONS[name](value) for name, value in options.items()}
        note = UnfinishedNote(given["output"])
    except (KeyError, TypeError, ValueError) as error:
        raise WorkerError(f"The capture was asked for with an option that it does not know ({error}).") from error
    # Not at the top: what the pipeline imports is only needed, and only installed, in this process.
    from ..capture.options import CaptureOptions

    pipeline = importlib.import_module("..capture.pipeline", __package__)

    def told(progress: Any) -> None:
        message = progress_message(progress)
        note.write(message)
        say(message)

    try:
        result = pipeline.capture(CaptureOptions(**given), told, cancelled)
    except BaseException:
        note.flush()
        raise
    note.remove()
    for finding in result.summary.get("findings", []):
        if isinstance(finding, Mapping):
            say(Finding(*(str(finding.get(key, ""))[:LONGEST_TEXT] for key in ("severity", "title", "remedy"))))
    return {"output": str(result.output), "report": str(result.report)}


def progress_message(progress: Any) -> Progress:
    """The pipeline's progress as a message; a time left that is no number is left out."""
    left = progress.seconds_left
    return Progress(
        stage=str(progress.stage)[:LONGEST_TEXT],
        stage_index=int(progress.index),
        stages=int(progress.count),
        share=min(1.0, max(0.0, float(progress.share))),
        seconds_left=float(left) if left is not None and math.isfinite(left) else None,
        text=str(progress.text)[:LONGEST_TEXT],
    )
