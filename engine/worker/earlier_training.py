# SPDX-License-Identifier: GPL-3.0-or-later
"""What an earlier training left in the folder of its checkpoints, for those who do not have torch."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..atomic_file import write_atomically
from ..consent import Consent
from .messages import Progress
from .unfinished import read_unfinished

RUN = "run.json"
"""Written by the trainer, as a test sees to."""
TABLES = ("performance.npz", "frames.npz", "camera.json")
"""Of the training set; their sizes are noted in `RUN`, in this order."""
REQUEST = "request.json"
"""What was asked for, so that it need not be typed again."""
UNITS = "openface-17"
"""The set of Action Units of a training that names none; the trainer's, as a test sees to."""
LONGEST = 1 << 20
"""Bytes of either; more is not ours."""


@dataclass(frozen=True)
class EarlierTraining:
    """A training that was not finished."""

    stopped: Progress
    """Where."""
    same: bool
    """The training asked for now goes on there; another one begins anew."""


def read_earlier(work: Path, dataset: Path, preset: str, units: str = UNITS) -> EarlierTraining | None:
    """The unfinished training in `work`, or None. dataset, preset, units: of the training that is asked for now."""
    stopped = read_unfinished(work)
    if stopped is None:
        return None
    try:
        inputs = _object(work / RUN)["inputs"]
        same = (
            inputs["name"] == preset
            and inputs.get("model", {}).get("unit_set", UNITS) == units
            and os.path.realpath(inputs["dataset"]) == os.path.realpath(dataset)
            and inputs["tables"] == [(dataset / name).stat().st_size for name in TABLES]
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        same = False
    return EarlierTraining(stopped, same)


@dataclass(frozen=True)
class Asked:
    """What a person had filled in for a training."""

    preset: str = ""
    units: str = UNITS
    name: str = ""
    licence: str = ""
    attribution: str = ""
    consent: Consent = field(default_factory=Consent)


def keep_request(work: Path, options: Mapping[str, Any]) -> None:
    """Keep what was asked for. options: those of the trainer."""
    known = {name: options[name] for name in asdict(Asked()) if name in options}
    asked = replace(Asked(), **known)
    with contextlib.suppress(OSError):  # a folder that cannot be written is the trainer's to tell
        write_atomically(work / REQUEST, [json.dumps(asdict(asked), indent=1).encode()])


def read_request(work: Path) -> Asked | None:
    """What was asked for last time, or None where that is not known."""
    try:
        said = _object(work / REQUEST)
        consent = Consent(**said.pop("consent"))
        asked = Asked(**said, consent=consent)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    texts = (asked.preset, asked.units, asked.name, asked.licence, asked.attribution, *asdict(consent).values())
    return asked if all(isinstance(text, str) for text in texts) else None


def _object(path: Path) -> dict[str, Any]:
    """Raises OSError, ValueError."""
    with path.open("rb") as file:
        try:
            said = json.loads(file.read(LONGEST))
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
    if not isinstance(said, dict):
        raise ValueError("no object")
    return said
