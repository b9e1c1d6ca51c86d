# SPDX-License-Identifier: GPL-3.0-or-later
"""RIFF, of which WebP and AVI are made: chunks with a name of four bytes and a size, padded to an even length."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from .mp4 import MAX_XMP

__all__ = ["LONGEST", "MAX_XMP", "Chunk", "chunks", "made"]

MOST = 100_000
"""Chunks side by side in one file; a picture and a film have a handful."""
LONGEST = (1 << 32) - 2
"""Bytes that a file can say it has."""


class Chunk(NamedTuple):
    """One of them."""

    kind: bytes
    start: int
    """Of the content."""
    size: int
    """Of the content, without what pads it."""

    @property
    def end(self) -> int:
        """Where the next one begins."""
        return self.start + self.size + self.size % 2


def chunks(file: BinaryIO, place: int, end: int) -> Iterator[Chunk]:
    """Yield the chunks that follow each other from here on, up to the last one that ends before `end`, or there."""
    for _number in range(MOST):
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            return
        kind, size = struct.unpack("<4sI", head)
        chunk = Chunk(kind, place + 8, size)
        if chunk.end > end:
            return
        yield chunk
        place = chunk.end


def made(kind: bytes, content: bytes) -> bytes:
    """Return a chunk."""
    return struct.pack("<4sI", kind, len(content)) + content + bytes(len(content) % 2)
