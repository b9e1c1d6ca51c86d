# SPDX-License-Identifier: GPL-3.0-or-later
"""The mark in AVI films: a chunk of XMP (XMP specification part 3, 1.2.1), in space that was left for such things.

FFmpeg, which writes Blender's films, leaves a kilobyte before the pictures. A text that is longer is appended, where
the film is no longer than one piece of AVI (1 GB).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from ..png_file import SYNTHETIC_MEDIA, XMP_KEY
from . import mp4, riff

XMP, SPACE, LIST, INDEX = b"_PMX", b"JUNK", b"LIST", b"idx1"


def knows(head: bytes) -> bool:
    """Say by the first bytes whether a file is such a film."""
    return head[:4] == b"RIFF" and head[8:12] == b"AVI "


def is_marked(path: Path) -> bool:
    """Say whether a film is marked. Raises OSError."""
    with path.open("rb") as file:
        for piece in riff.chunks(file, 0, path.stat().st_size):
            for chunk in riff.chunks(file, piece.start + 4, piece.end):
                if chunk.kind == XMP:
                    file.seek(chunk.start)
                    return SYNTHETIC_MEDIA.encode() in file.read(min(chunk.size, riff.MAX_XMP))
            break
    return False


def mark(path: Path, text: Mapping[str, str]) -> bool:
    """Put the text in and say whether that could be done: a film without its index is unfinished. Raises OSError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        pieces = list(riff.chunks(file, 0, size))
        if not pieces or pieces[-1].end != size or any(not _is_piece(file, piece) for piece in pieces):
            return False
        parts = list(riff.chunks(file, pieces[0].start + 4, pieces[0].end))
    kinds = {part.kind for part in parts}
    if XMP in kinds or INDEX not in kinds or parts[-1].end != pieces[0].end:
        return False
    packet = riff.made(XMP, text[XMP_KEY].encode("utf-8"))
    space = next((part for part in parts if part.kind == SPACE and _leaves(part, packet) >= 0), None)
    if space is not None:
        _fill(path, space, packet)
        return True
    longer = pieces[0].size + pieces[0].size % 2 + len(packet)
    if len(pieces) > 1 or longer > riff.LONGEST:
        return False
    mp4.append(path, packet)
    _overwrite(path, 4, struct.pack("<I", longer))
    return True


def _is_piece(file: BinaryIO, piece: riff.Chunk) -> bool:
    file.seek(piece.start)
    return piece.kind == b"RIFF" and file.read(4) == (b"AVI " if piece.start == 8 else b"AVIX")


def _leaves(space: riff.Chunk, packet: bytes) -> int:
    """Return how many bytes stay empty; negative for too little space, a chunk's head included."""
    return space.end - space.start - len(packet)


def _fill(path: Path, space: riff.Chunk, packet: bytes) -> None:
    """First what nobody looks at yet, then the name that makes it known. Raises OSError."""
    left = _leaves(space, packet)
    _overwrite(path, space.start, packet[8:] + struct.pack("<4sI", SPACE, left))
    _overwrite(path, space.start - 8, packet[:8])


def _overwrite(path: Path, place: int, data: bytes) -> None:
    with path.open("r+b", buffering=0) as file:
        file.seek(place)
        file.write(data)
        os.fsync(file.fileno())
