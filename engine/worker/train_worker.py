# SPDX-License-Identifier: GPL-3.0-or-later
"""The request ``train``: from a JSON object to training, and its progress back as messages."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..consent import Consent
from .earlier_training import keep_request
from .environment_check import describe, problem
from .errors import WorkerError
from .messages import LONGEST_TEXT, Message, Progress
from .stage_clock import StageClock
from .unfinished import UnfinishedNote

STAGES = {"A": ("Speech", 0.05), "S": ("Motion", 0.15), "F": ("Face", 0.50), "M": ("Mouth", 0.15), "J": ("Joint", 0.15)}
"""Letter of a stage -> its name for people, and the share of the whole time that it usually takes on a processor."""
PICTURE = "preview.png"
"""In the folder of the checkpoints: how far training is. Agrees with the trainer's name for it, as a test sees to."""
WORK = ".work"
"""Added to an avatar file's name: the folder of its checkpoints."""

OPTIONS: dict[str, Callable[[Any], Any]] = {
    "dataset": Path,
    "output": Path,
    "preset": str,
    "units": str,
    "work": Path,
    "name": str,
    "licence": str,
    "attribution": str,
    "consent": lambda value: Consent(**value),
    "seed": int,
    "threads": int,
}
"""Name of an option of the request -> how the value that JSON knows becomes the trainer's."""


def work_folder(output: Path) -> Path:
    """The folder of checkpoints, note and picture of the training that makes the avatar file `output`."""
    return output.with_name(output.name + WORK)


def train(options: Mapping[str, Any], say: Callable[[Message], None], cancelled: Callable[[], bool]) -> dict[str, Any]:
    """Train. options: the fields of ``TrainOptions`` as JSON has them; those left out have their defaults.

    Returns ``output``, the avatar file, and ``seconds`` of all runs together. Raises HMTalkerError.
    """
    if trouble := problem(describe(try_imports=False)):
        raise WorkerError(f"{trouble}.")
    try:
        given = {name: OPTIONS[name](value) for name, value in options.items()}
        work = given.setdefault("work", work_folder(given["output"]))
        given["dataset"].is_dir()
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise WorkerError(f"The training was asked for with an option that it does not know ({error}).") from error
    if lack := given.get("consent", Consent()).missing():
        raise WorkerError(f"{lack}.")
    say(Progress("Preparing", 0, len(STAGES), 0.0, text="Loading the training set", overall=0.0))
    # Not at the top: what training imports is only needed, and only installed, in this process.
    trainer = importlib.import_module("..training.train", __package__)
    note, clock = UnfinishedNote(work), StageClock([share for _, share in STAGES.values()])

    def told(stage: str, done: int, of: int, losses: Mapping[str, float]) -> None:
        if not note.begun:
            keep_request(work, given)
        message = progress_message(clock, stage, done, of, losses, work / PICTURE)
        note.write(message)
        say(message)

    try:
        result = trainer.train(trainer.TrainOptions(**given), told, cancelled)
    except BaseException:
        note.flush()
        raise
    note.remove()
    return {"output": str(result.output), "seconds": float(result.seconds)}


def progress_message(
    clock: StageClock, stage: str, done: int, of: int, losses: Mapping[str, float], picture: Path
) -> Progress:
    """The trainer's report as a message; a loss that is no number is left out."""
    index = list(STAGES).index(stage)
    share = min(1.0, max(0.0, done / of)) if of > 0 else 1.0
    overall, left = clock.at(index, share)
    told = [f"{name} {value:.4f}" for name, value in losses.items() if math.isfinite(value)]
    return Progress(
        stage=STAGES[stage][0],
        stage_index=index,
        stages=len(STAGES),
        share=share,
        seconds_left=left,
        text=", ".join(told)[:LONGEST_TEXT],
        overall=overall,
        picture=str(picture) if picture.is_file() else "",
    )
