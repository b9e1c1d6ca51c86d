# SPDX-License-Identifier: GPL-3.0-or-later
"""What a worker and the one who started it say to each other: one JSON object a line, never anything executable.

The caller writes to the worker's stdin a request, and later perhaps ``{"type": "cancel"}``. The worker answers on
stdout: hello, then progress and findings as they come, then done or failed. A line that is no message (a library that
prints, half a line of a process that was killed) is passed over; a line is never longer than LONGEST_LINE bytes.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any

from .errors import WorkerError

PROTOCOL = 1
LONGEST_LINE = 1 << 20
"""Bytes."""
LONGEST_TEXT = 2000
"""Characters of any text that is shown; the rest is cut off."""
CANCEL = b'{"type": "cancel"}\n'


@dataclass(frozen=True)
class Hello:
    """The first message: who answers."""

    engine: str
    """Version of the engine."""
    python: str
    process: int
    """Process id."""
    protocol: int = PROTOCOL


@dataclass(frozen=True)
class Progress:
    """Where the work stands."""

    stage: str
    """Name of the stage, for people."""
    stage_index: int
    """Number of the stage, from 0."""
    stages: int
    share: float
    """0..1 of this stage."""
    seconds_left: float | None = None
    """Of this stage, or of everything where `overall` is known; None while that is not known."""
    text: str = ""
    """What is being worked on."""
    overall: float | None = None
    """0..1 of all stages together, where they are known to differ in length; None where nobody knows."""
    picture: str = ""
    """File that shows how far the work is; empty where there is none."""


@dataclass(frozen=True)
class Finding:
    """Something that the person should know about what was made."""

    severity: str
    title: str
    remedy: str = ""


@dataclass(frozen=True)
class Done:
    """The last message of work that succeeded."""

    result: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """The last message of work that did not."""

    sentence: str
    """What is wrong and what to do."""
    cancelled: bool = False
    """The person asked for it; nothing is wrong."""


Message = Hello | Progress | Finding | Done | Failed


def encode(message: Message) -> bytes:
    """One line. Raises ValueError for what JSON cannot say or what is longer than LONGEST_LINE."""
    line = json.dumps({"type": type(message).__name__.lower(), **asdict(message)}, allow_nan=False).encode() + b"\n"
    if len(line) > LONGEST_LINE:
        raise ValueError(f"a message of {len(line)} bytes")
    return line


def decode(line: bytes) -> Message | None:
    """The message of a line, or None for anything that is none. Raises :class:`WorkerError` for another protocol."""
    said = json_object(line)
    try:
        match said.get("type"):
            case "hello":
                return _hello(said)
            case "progress":
                stages = max(1, _whole(said["stages"]))
                return Progress(
                    stage=_text(said["stage"]),
                    stage_index=min(stages - 1, max(0, _whole(said["stage_index"]))),
                    stages=stages,
                    share=min(1.0, max(0.0, _number(said["share"]))),
                    seconds_left=None if said.get("seconds_left") is None else max(0.0, _number(said["seconds_left"])),
                    text=_text(said.get("text", "")),
                    overall=None if said.get("overall") is None else min(1.0, max(0.0, _number(said["overall"]))),
                    picture=_text(said.get("picture", "")),
                )
            case "finding":
                return Finding(_text(said["severity"]), _text(said["title"]), _text(said.get("remedy", "")))
            case "done":
                return Done(said["result"]) if isinstance(said["result"], dict) else None
            case "failed":
                return Failed(_text(said["sentence"]), said.get("cancelled") is True)
    except (KeyError, ValueError):
        pass
    return None


def json_object(line: bytes) -> dict[str, Any]:
    """The object that a line holds; an empty one for anything else."""
    try:
        said = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


class Lines:
    """Whole lines out of pieces of a stream, however it is cut up."""

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self._longest = longest
        self._rest = bytearray()
        self._skipping = False  # inside a line that is too long

    def feed(self, piece: bytes) -> list[bytes]:
        """The lines that `piece` completes, without their ends. Lines that are too long are left out."""
        *ended, rest = piece.split(b"\n")
        lines = []
        for part in ended:
            self._add(part)
            if not self._skipping:
                lines.append(bytes(self._rest).rstrip(b"\r"))
            self._rest.clear()
            self._skipping = False
        self._add(rest)
        return lines

    def _add(self, part: bytes) -> None:
        if len(self._rest) + len(part) > self._longest:
            self._skipping = True
            self._rest.clear()
        if not self._skipping:
            self._rest += part


def _hello(said: dict[str, Any]) -> Hello:
    if said.get("protocol") != PROTOCOL:
        raise WorkerError("HM-Talker was updated while Blender was open; save your work and start Blender again.")
    return Hello(_text(said["engine"]), _text(said["python"]), _whole(said["process"]))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("no text")
    return value[:LONGEST_TEXT]


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > 2**53:
        raise ValueError("no whole number")
    return value


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError("no number")
    return float(value)
