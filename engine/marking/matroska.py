# SPDX-License-Identifier: GPL-3.0-or-later
"""The mark in Matroska and WebM films: tags at the end, and an entry of the film's list of contents that leads to them.

RFC 9559 and RFC 8794. The file is whole after each step: first what nobody looks at yet, then what leads there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ..png_file import SYNTHETIC_MEDIA
from . import mp4

EBML, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
SEEK_HEAD, SEEK, SEEK_ID, SEEK_POSITION = b"\x11\x4d\x9b\x74", b"\x4d\xbb", b"\x53\xab", b"\x53\xac"
TAGS, TAG, TARGETS, SIMPLE_TAG = b"\x12\x54\xc3\x67", b"\x73\x73", b"\x63\xc0", b"\x67\xc8"
TAG_NAME, TAG_STRING = b"\x45\xa3", b"\x44\x87"
VOID = b"\xec"
LOOKED_THROUGH = 1 << 16
"""Bytes from the end of the file in which tags of ours would be."""


class _Element(NamedTuple):
    identifier: bytes
    start: int
    """Of the content."""
    size: int
    """Of the content; -1 where the file does not say."""
    size_bytes: int


def knows(head: bytes) -> bool:
    """Say by the first bytes whether a file is such a film."""
    return head.startswith(EBML)


def is_marked(path: Path) -> bool:
    """Say whether a film is marked. Raises OSError."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - LOOKED_THROUGH))
        return SYNTHETIC_MEDIA.encode() in file.read()


def mark(path: Path, text: Mapping[str, str]) -> bool:
    """Append tags and say whether that could be done: a film that does not know its size is unfinished.

    Raises OSError.
    """
    with path.open("rb") as file:
        top = _element(file, 0)
        segment = _element(file, top.start + top.size) if top is not None else None
        if segment is None or segment.identifier != SEGMENT or segment.size_bytes != 8:
            return False
        if segment.start + segment.size != path.stat().st_size:
            return False
        contents = _contents(file, segment)
    tags = _tags({"DIGITAL_SOURCE_TYPE": text["Source"], "ENCODED_BY": text["Software"]})
    mp4.append(path, tags)
    with path.open("r+b", buffering=0) as file:
        _overwrite(file, segment.start - 8, _size(segment.size + len(tags), 8))
        if contents is not None:
            _overwrite(file, *_longer_contents(*contents, segment.size))
    return True


def _tags(values: Mapping[str, str]) -> bytes:
    simple = b"".join(
        _made(SIMPLE_TAG, _made(TAG_NAME, name.encode()) + _made(TAG_STRING, value.encode("utf-8")))
        for name, value in values.items()
    )
    return _made(TAGS, _made(TAG, _made(TARGETS, b"") + simple))


def _contents(file: BinaryIO, segment: _Element) -> tuple[int, bytes, int] | None:
    """Return where the list of contents is, its entries, and how long it is with the space after it; None without."""
    head = _element(file, segment.start)
    if head is None or head.identifier != SEEK_HEAD or head.start + head.size > segment.start + segment.size:
        return None
    file.seek(head.start)
    entries = file.read(head.size)
    void = _element(file, head.start + head.size)
    if void is None or void.identifier != VOID:
        return None
    return segment.start, entries, void.start + void.size - segment.start


def _longer_contents(place: int, entries: bytes, space: int, target: int) -> tuple[int, bytes]:
    """Return place and bytes of the list with one entry more; as it was where there is no room for it."""
    more = _made(SEEK, _made(SEEK_ID, TAGS) + _made(SEEK_POSITION, target.to_bytes(8, "big")))
    head = _made(SEEK_HEAD, entries + more)
    left = space - len(head) - 9  # what follows is one Void with eight bytes of size
    return (place, head + VOID + _size(left, 8)) if left >= 0 else (place, b"")


def _overwrite(file: BinaryIO, place: int, data: bytes) -> None:
    file.seek(place)
    file.write(data)
    os.fsync(file.fileno())


def _made(identifier: bytes, content: bytes) -> bytes:
    return identifier + _size(len(content), 4) + content


def _size(value: int, length: int) -> bytes:
    return (value | 1 << 7 * length).to_bytes(length, "big")


def _element(file: BinaryIO, place: int) -> _Element | None:
    """Return the element that begins here, or None where there is none."""
    file.seek(place)
    data = file.read(12)
    if len(data) < 2 or not data[0]:
        return None
    width = 9 - data[0].bit_length()
    if width > 4 or len(data) <= width or not data[width]:
        return None
    length = 9 - data[width].bit_length()
    raw = data[width : width + length]
    if len(raw) < length:
        return None
    value = int.from_bytes(raw, "big") & (1 << 7 * length) - 1
    unknown = value == (1 << 7 * length) - 1
    return _Element(data[:width], place + width + length, -1 if unknown else value, length)
