# SPDX-License-Identifier: GPL-3.0-or-later
"""All that the report is made from: plain numbers by frame, clip and file, kept beside the dataset."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...atomic_file import write_atomically
from ..array_file import write_arrays
from ..errors import CaptureError
from .lip_sync import LipSync, measure_lip_sync
from .picture_facts import COLUMNS
from .voice import SoundFacts

ARRAYS_FILE = "report_facts.npz"
ABOUT_FILE = "report_facts.json"
FORMAT = 1
GOOD, NO_FACE, BAD_FIT, OTHER_PERSON = range(4)
"""Why a frame is left out (`CaptureFacts.reasons`)."""
NOT_LOOKED = -1
"""Value of `CaptureFacts.faces` where further faces were not looked for."""


@dataclass(frozen=True)
class SourceFacts:
    """One video file."""

    name: str
    file_name: str
    rate: float
    """Pictures a second of the file."""
    variable: bool
    """The time between its pictures varies."""
    width: int
    height: int
    seconds: float
    codec: str
    rotation: int
    sound_rate: int
    """Samples a second, 0 without sound."""


@dataclass(frozen=True)
class ClipFacts:
    """One uninterrupted part of a source."""

    name: str
    source: int
    """Index of its file."""
    begin: int
    """Its first frame in the source, on the grid of 25 a second."""
    frames: int
    sound: SoundFacts | None = None
    phones: dict[str, int] = field(default_factory=dict)
    jitter: tuple[float, float] = (0.0, 0.0)
    """Of the head's pose from frame to frame: degrees, millimetres."""
    shot: int = 0
    """Equal for clips that continue each other."""


@dataclass(frozen=True, eq=False)
class CaptureFacts:
    """Arrays by the frame hold the clips one after the other: T frames in all."""

    fps: float
    sources: tuple[SourceFacts, ...]
    clips: tuple[ClipFacts, ...]
    cuts: tuple[tuple[int, float], ...]
    """(index of the source, seconds) of every cut."""
    usable: np.ndarray
    """bool [T] goes into the dataset."""
    reasons: np.ndarray
    """uint8 [T] GOOD, NO_FACE, BAD_FIT or OTHER_PERSON."""
    faces: np.ndarray
    """int8 [T] faces in the picture; NOT_LOOKED where further ones were not looked for."""
    picture: np.ndarray
    """float32 [T,P], the columns of ``picture_facts``."""
    head: np.ndarray
    """float32 [T,6] pitch, yaw, roll in radians; x, y, z in metres (``HeadPose``)."""
    jitter: tuple[float, float]
    """Of the head over the whole capture: degrees, millimetres."""
    codes: tuple[str, ...]
    """Action Units by their FACS codes."""
    action_units: np.ndarray
    """float32 [T,n] 0..5; AU45: 2 is closed."""
    confidence: np.ndarray
    """float32 [n] 0..1 how far the measurement of each Action Unit can be trusted; empty where that is not known."""
    silent: np.ndarray
    """bool [T] nobody speaks."""
    level: np.ndarray
    """float32 [T] dBFS"""
    opening: np.ndarray
    """float32 [T] mouth opening that the voice asks for (``voice.mouth_opening``), NaN where it is not known."""
    still_camera: bool | None = None
    """Whether the room behind the person stood still; None where that is not known."""
    warnings: tuple[str, ...] = ()
    """Sentences of the stages before."""

    def __post_init__(self) -> None:
        count = self.frames
        shapes = {
            "usable": (bool, ()), "reasons": (np.uint8, ()), "faces": (np.int8, ()), "silent": (bool, ()),
            "picture": (np.float32, (len(COLUMNS),)), "head": (np.float32, (6,)), "level": (np.float32, ()),
            "action_units": (np.float32, (len(self.codes),)), "opening": (np.float32, ()),
        }  # fmt: skip
        for name, (kind, rest) in shapes.items():
            value = np.asarray(getattr(self, name), kind)
            if value.shape != (count, *rest):
                raise ValueError(f"{name} has the shape {value.shape}, expected {(count, *rest)}: one row a frame")
            object.__setattr__(self, name, value)
        object.__setattr__(self, "confidence", np.asarray(self.confidence, np.float32).reshape(-1))
        if len(self.confidence) not in (0, len(self.codes)):
            raise ValueError(f"confidence has {len(self.confidence)} values for {len(self.codes)} Action Units")

    @property
    def frames(self) -> int:
        """T"""
        return sum(clip.frames for clip in self.clips)

    @cached_property
    def clip_of(self) -> np.ndarray:
        """int64 [T] which clip each frame belongs to."""
        return np.repeat(np.arange(len(self.clips)), [clip.frames for clip in self.clips])

    @cached_property
    def starts(self) -> np.ndarray:
        """int64 [clips] number of each clip's first frame among the T."""
        return np.cumsum([0, *(clip.frames for clip in self.clips[:-1])])[: len(self.clips)]

    @cached_property
    def seen(self) -> np.ndarray:
        """bool [T] frames with a face."""
        return np.isfinite(self.column("size")) & (self.reasons != NO_FACE)

    @cached_property
    def lip_sync(self) -> LipSync:
        """Offset of the sound over all files, from the usable frames."""
        return self._sync(np.ones(self.frames, bool))

    @cached_property
    def lip_syncs(self) -> tuple[LipSync, ...]:
        """Offset of the sound in each source by itself."""
        source_of = np.array([clip.source for clip in self.clips], int)[self.clip_of]
        return tuple(self._sync(source_of == source) for source in range(len(self.sources)))

    def _sync(self, mask: np.ndarray) -> LipSync:
        gap = np.where(self.usable, self.column("lip_gap"), np.nan)[mask]
        return measure_lip_sync(gap, self.opening[mask], self.clip_of[mask], ~self.silent[mask], self.fps)

    def column(self, name: str) -> np.ndarray:
        """float32 [T] of a column of ``picture_facts``."""
        return np.asarray(self.picture[:, COLUMNS.index(name)])

    def place(self, frame: int) -> tuple[int, float]:
        """(index of the source, seconds in it) of a frame."""
        number = int(self.clip_of[frame])
        clip = self.clips[number]
        return clip.source, (clip.begin + frame - int(self.starts[number])) / self.fps


def write_facts(folder: Path, facts: CaptureFacts) -> None:
    """Keep the facts as JSON and arrays. Raises OSError."""
    arrays = {f.name: getattr(facts, f.name) for f in fields(facts)}
    arrays = {name: value for name, value in arrays.items() if isinstance(value, np.ndarray)}
    about: dict[str, Any] = {
        "format": FORMAT,
        "fps": facts.fps,
        "sources": [asdict(source) for source in facts.sources],
        "clips": [asdict(clip) for clip in facts.clips],
        "cuts": [list(cut) for cut in facts.cuts],
        "jitter": list(facts.jitter),
        "codes": list(facts.codes),
        "still_camera": facts.still_camera,
        "warnings": list(facts.warnings),
        "columns": list(COLUMNS),
    }
    write_arrays(folder / ARRAYS_FILE, **arrays)
    text = json.dumps(about, indent=1, ensure_ascii=False, default=float)
    write_atomically(folder / ABOUT_FILE, [text.encode("utf-8", "surrogatepass")])


def read_facts(folder: Path) -> CaptureFacts:
    """The facts that :func:`write_facts` kept. Raises :class:`CaptureError`."""
    try:
        about = json.loads((folder / ABOUT_FILE).read_bytes().decode("utf-8", "surrogatepass"))
        if about["format"] != FORMAT or tuple(about["columns"]) != COLUMNS:
            raise CaptureError(f"The report in '{folder}' was made by another version; capture again.")
        with np.load(folder / ARRAYS_FILE, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return CaptureFacts(
            fps=float(about["fps"]),
            sources=tuple(SourceFacts(**source) for source in about["sources"]),
            clips=tuple(_clip(clip) for clip in about["clips"]),
            cuts=tuple((int(source), float(seconds)) for source, seconds in about["cuts"]),
            jitter=(float(about["jitter"][0]), float(about["jitter"][1])),
            codes=tuple(about["codes"]),
            still_camera=about["still_camera"],
            warnings=tuple(about["warnings"]),
            **arrays,
        )
    except CaptureError:
        raise
    except Exception as error:  # a damaged archive fails in many ways that share no class
        raise CaptureError(f"The facts of the report in '{folder}' cannot be read; capture again.") from error


def _clip(about: dict[str, Any]) -> ClipFacts:
    sound = SoundFacts(**about["sound"]) if about["sound"] is not None else None
    return ClipFacts(**{**about, "sound": sound, "jitter": tuple(about["jitter"])})
