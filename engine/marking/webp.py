# SPDX-License-Identifier: GPL-3.0-or-later
"""The mark in WebP pictures: a chunk of XMP at the end, and a header that says so (RFC 9649, 2.7)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

from ..atomic_file import write_atomically
from ..png_file import SYNTHETIC_MEDIA, XMP_KEY
from . import riff

EXTENDED, HAS_XMP, HAS_ALPHA = b"VP8X", 0x04, 0x10
LOSSY, LOSSLESS, XMP = b"VP8 ", b"VP8L", b"XMP "


def knows(head: bytes) -> bool:
    """Say by the first bytes whether a file is such a picture."""
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def is_marked(path: Path) -> bool:
    """Say whether a picture is marked. Raises OSError."""
    with path.open("rb") as file:
        for chunk in riff.chunks(file, 12, path.stat().st_size):
            if chunk.kind == XMP:
                file.seek(chunk.start)
                return SYNTHETIC_MEDIA.encode() in file.read(min(chunk.size, riff.MAX_XMP))
    return False


def mark(path: Path, text: Mapping[str, str]) -> bool:
    """Add the chunk and say whether that could be done: not to a cut picture, nor to one with XMP of its own.

    Raises OSError.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        parts = list(riff.chunks(file, 12, size))
        file.seek(0)
        data = file.read()
    if not parts or parts[-1].end != size or struct.unpack_from("<I", data, 4) != (size - 8,):
        return False
    if any(part.kind == XMP for part in parts):
        return False
    first = parts[0]
    if first.kind == EXTENDED and first.size >= 10:
        flags = data[first.start : first.start + 1]
        head = riff.made(EXTENDED, bytes([flags[0] | HAS_XMP]) + data[first.start + 1 : first.start + first.size])
        rest = data[first.end :]
    else:
        told = _seen(first.kind, data[first.start : first.start + 10])
        if told is None:
            return False
        width, height, flags_of_pixels = told
        sides = b"".join((side - 1).to_bytes(3, "little") for side in (width, height))
        head, rest = riff.made(EXTENDED, bytes([HAS_XMP | flags_of_pixels, 0, 0, 0]) + sides), data[12:]
    content = b"WEBP" + head + rest + riff.made(XMP, text[XMP_KEY].encode("utf-8"))
    if len(content) > riff.LONGEST:
        return False
    write_atomically(path, [b"RIFF" + struct.pack("<I", len(content)), content])
    return True


def _seen(kind: bytes, data: bytes) -> tuple[int, int, int] | None:
    """Width, height and flags of the pixels of a simple picture, by their first bytes; None for what is no such."""
    if kind == LOSSY and data[3:6] == b"\x9d\x01\x2a" and len(data) == 10:
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 6))
        return (width, height, 0) if width and height else None
    if kind == LOSSLESS and data[:1] == b"\x2f" and len(data) >= 5:
        (bits,) = struct.unpack_from("<I", data, 1)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, HAS_ALPHA if bits >> 28 & 1 else 0
    return None
