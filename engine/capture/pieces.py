# SPDX-License-Identifier: GPL-3.0-or-later
"""How footage is divided: sources (files) into pieces of a minute, which are read side by side, and at cuts into clips.

A clip is what later stages take for uninterrupted; clips that follow each other without a cut (a long take, divided
at full minutes) are one shot. Only the head's motion looks across clips of a shot.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from .errors import CaptureError
from .video_file import VideoInfo, probe

PIECE_FRAMES = 1500
"""A minute: what is held in memory at once."""
SHORTEST_CLIP = 10
"""Frames; shorter clips between two cuts teach nothing and are left out."""
VIDEO_SUFFIXES = frozenset(
    (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mts", ".m2ts", ".mxf", ".wmv", ".flv", ".3gp")
)
_HASHED_BYTES = 1 << 20


@dataclass(frozen=True)
class Source:
    """One video file."""

    info: VideoInfo
    name: str
    """Unique among the sources; file name without suffix where that is unique."""
    digest: str
    """Of the beginning, the end and the size: another file, or the file changed, has another one."""


@dataclass(frozen=True)
class Piece:
    """Grid frames begin..end-1 of a source."""

    source: int
    begin: int
    end: int
    last: bool
    """The source's last piece: read to the end of the file, whatever its header says."""


@dataclass(frozen=True)
class Clip:
    """Uninterrupted frames of one piece."""

    name: str
    source: int
    piece: int
    begin: int
    """First grid frame in the source."""
    end: int
    shot: int
    """Equal for clips that continue each other."""

    @property
    def frames(self) -> int:
        return self.end - self.begin


def find_videos(given: Iterable[Path]) -> tuple[Path, ...]:
    """Files, and the videos in folders, each once, in the order given and by name within a folder."""
    found: list[Path] = []
    for path in given:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES and p.is_file())
            if not inside:
                raise CaptureError(f"There is no video in the folder '{path}'; choose another folder.")
            found += inside
        else:
            found.append(path)
    return tuple(dict.fromkeys(found))


def open_sources(videos: Sequence[Path]) -> list[Source]:
    """Probe all files. Raises :class:`CaptureError` for the first that cannot be used, and for sizes that differ."""
    if not videos:
        raise CaptureError("There is no video to capture from; choose one or more.")
    sources: list[Source] = []
    taken: set[str] = set()
    for path in videos:
        info = probe(path)
        if not info.sound_rate:
            raise CaptureError(
                f"'{path.name}' has no audio track: the avatar learns to speak from sound; film with sound, or leave "
                "this file out."
            )
        if sources and (info.width, info.height) != (sources[0].info.width, sources[0].info.height):
            first = sources[0].info
            raise CaptureError(
                f"'{path.name}' is {info.width} x {info.height} pixels and '{first.path.name}' {first.width} x "
                f"{first.height}: put clips of one size and one camera position together, and leave the others out."
            )
        name = path.stem
        number = 2
        while name.casefold() in taken:
            name = f"{path.stem}-{number}"
            number += 1
        taken.add(name.casefold())
        sources.append(Source(info, name, _digest(path)))
    return sources


def divide(sources: Sequence[Source]) -> list[Piece]:
    """Pieces of a minute; a rest of less than a third of one stays with the piece before it."""
    pieces = []
    for index, source in enumerate(sources):
        count = max(1, round((source.info.frames - PIECE_FRAMES / 3) / PIECE_FRAMES + 0.5))
        for number in range(count):
            last = number == count - 1
            end = source.info.frames if last else (number + 1) * PIECE_FRAMES
            pieces.append(Piece(index, number * PIECE_FRAMES, max(end, number * PIECE_FRAMES + 1), last))
    return pieces


def make_clips(
    sources: Sequence[Source], pieces: Sequence[Piece], frames: Sequence[int], cuts: Sequence[np.ndarray]
) -> list[Clip]:
    """frames: how many each piece really held. cuts: bool [n] a piece, True where a frame continues nothing; the
    first frame of a piece speaks about the last of the piece before."""
    clips: list[Clip] = []
    shot = -1
    for number, (piece, count, cut) in enumerate(zip(pieces, frames, cuts, strict=True)):
        continues = piece.begin > 0 and count > 0 and not cut[0]
        starts = [0, *(int(i) for i in np.flatnonzero(cut) if i > 0), count]
        for begin, end in pairwise(starts):
            shot += not (begin == 0 and continues)
            if end - begin >= SHORTEST_CLIP:
                clips.append(Clip("", piece.source, number, piece.begin + begin, piece.begin + end, shot))
    of_source = Counter(clip.source for clip in clips)
    seen: Counter[int] = Counter()
    for place, clip in enumerate(clips):
        seen[clip.source] += 1
        suffix = f".{seen[clip.source]:03d}" if of_source[clip.source] > 1 else ""
        clips[place] = replace(clip, name=sources[clip.source].name + suffix)
    return clips


def _digest(path: Path) -> str:
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(_HASHED_BYTES))
        file.seek(max(0, size - _HASHED_BYTES))
        digest.update(file.read(_HASHED_BYTES))
    return digest.hexdigest()[:32]
