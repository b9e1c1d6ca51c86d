# SPDX-License-Identifier: GPL-3.0-or-later
"""The mark in TIFF pictures: XMP in tag 700 of the first picture (TIFF 6.0; XMP specification part 3, 1.1.9).

The text and a new directory that names it go to the end of the file, and then the header leads there. No byte of the
picture moves, and the file is whole after each step.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ..png_file import SYNTHETIC_MEDIA, XMP_KEY
from . import mp4

ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
"""First bytes -> order of bytes. Another number than 42 is BigTIFF, which Blender does not write."""
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
"""Type of a field -> bytes of one value."""
XMP, BYTE = 700, 1
PLACES_OF_PIXELS = {273: 279, 324: 325}
"""Tag of where strips (or tiles) of pixels are -> tag of how long they are."""
MOST_PIECES = 1 << 20
LONGEST = (1 << 32) - 1


class _Directory(NamedTuple):
    order: str
    entries: dict[int, bytes]
    """Tag -> its 12 bytes."""
    following: bytes
    """Where the next picture's is."""


def knows(head: bytes) -> bool:
    """Say by the first bytes whether a file is such a picture."""
    return head[:4] in ORDERS


def is_marked(path: Path) -> bool:
    """Say whether a picture is marked. Raises OSError."""
    with path.open("rb") as file:
        found = _directory(file)
        entry = found.entries.get(XMP) if found else None
        if found is None or entry is None:
            return False
        _tag, _kind, count, place = struct.unpack(found.order + "HHII", entry)
        file.seek(place)
        return SYNTHETIC_MEDIA.encode() in file.read(min(count, mp4.MAX_XMP))


def mark(path: Path, text: Mapping[str, str]) -> bool:
    """Append the text and say whether that could be done: not to a cut picture, nor to one with XMP of its own.

    Raises OSError.
    """
    with path.open("rb") as file:
        found, size = _directory(file), file.seek(0, os.SEEK_END)
        if found is None or XMP in found.entries or not _is_whole(file, found, size):
            return False
    packet = text[XMP_KEY].encode("utf-8")
    place = size + size % 2
    directory = place + len(packet) + len(packet) % 2
    entries = found.entries | {XMP: struct.pack(found.order + "HHII", XMP, BYTE, len(packet), place)}
    made = struct.pack(found.order + "H", len(entries)) + b"".join(entries[tag] for tag in sorted(entries))
    if directory + len(made) + 4 > LONGEST:
        return False
    mp4.append(path, bytes(place - size) + packet + bytes(len(packet) % 2) + made + found.following)
    with path.open("r+b", buffering=0) as file:
        file.seek(4)
        file.write(struct.pack(found.order + "I", directory))
        os.fsync(file.fileno())
    return True


def _directory(file: BinaryIO) -> _Directory | None:
    """The directory of the first picture; None where it is not there, or names a thing twice."""
    file.seek(0)
    head = file.read(8)
    if len(head) < 8 or head[:4] not in ORDERS:
        return None
    order = ORDERS[head[:4]]
    file.seek(struct.unpack(order + "I", head[4:])[0])
    number = file.read(2)
    if len(number) < 2:
        return None
    (count,) = struct.unpack(order + "H", number)
    data = file.read(12 * count + 4)
    if len(data) < 12 * count + 4:
        return None
    entries = {}
    for place in range(0, 12 * count, 12):
        entry = data[place : place + 12]
        entries[struct.unpack(order + "H", entry[:2])[0]] = entry
    return _Directory(order, entries, data[-4:]) if 0 < len(entries) == count else None


def _is_whole(file: BinaryIO, found: _Directory, size: int) -> bool:
    """Say whether all that the directory names lies within the file, and pixels are among it."""
    for entry in found.entries.values():
        _tag, kind, count, place = struct.unpack(found.order + "HHII", entry)
        length = SIZES.get(kind, 0) * count
        if length > 4 and place + length > size:
            return False
    for places, lengths in PLACES_OF_PIXELS.items():
        if places in found.entries and lengths in found.entries:
            where, long = (_integers(file, found, tag) for tag in (places, lengths))
            return 0 < len(where) == len(long) and all(a + b <= size for a, b in zip(where, long, strict=True))
    return False


def _integers(file: BinaryIO, found: _Directory, tag: int) -> tuple[int, ...]:
    """The values of a field; none where they are no integers, too many, or not there."""
    entry = found.entries[tag]
    _tag, kind, count, place = struct.unpack(found.order + "HHII", entry)
    letter = {3: "H", 4: "I"}.get(kind)
    if letter is None or count > MOST_PIECES:
        return ()
    length = SIZES[kind] * count
    if length > 4:
        file.seek(place)
    data = entry[8 : 8 + length] if length <= 4 else file.read(length)
    return struct.unpack(f"{found.order}{count}{letter}", data) if len(data) == length else ()
