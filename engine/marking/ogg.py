# SPDX-License-Identifier: GPL-3.0-or-later
"""The mark in Ogg films with Theora: two comments more in the header that has the film's comments.

RFC 3533 and the Theora specification, 6.3. One page changes; the film is replaced as a whole, copied in pieces.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ..atomic_file import write_atomically
from ..png_file import SYNTHETIC_MEDIA

OGG = b"OggS"
FIRST, LAST = 2, 4
"""Flags of a page: of a stream's first, of its last."""
HEAD = 27
LONGEST_PAGE = HEAD + 255 + 255 * 255
IDENTIFIES, COMMENTS, SKELETON = b"\x80theora", b"\x81theora", b"fishead\0"
LOOKED_THROUGH = 64
"""Pages from the beginning among which the comments are."""
PIECE = 1 << 20


class _Page(NamedTuple):
    place: int
    flags: int
    stream: int
    lacing: bytes
    body: bytes
    data: bytes

    @property
    def end(self) -> int:
        return self.place + len(self.data)


def knows(head: bytes) -> bool:
    """Say by the first bytes whether a file is such a film."""
    return head[:4] == OGG


def is_marked(path: Path) -> bool:
    """Say whether a film is marked. Raises OSError."""
    with path.open("rb") as file:
        page = _comment_page(file)
    return page is not None and SYNTHETIC_MEDIA.encode() in page.body[: _first_packet(page)]


def mark(path: Path, text: Mapping[str, str]) -> bool:
    """Add the comments and say whether that could be done: a film without its last page is unfinished.

    Raises OSError.
    """
    with path.open("rb") as file:
        page = _comment_page(file)
        if page is None or not _ends_well(file):
            return False
        more = {"DIGITAL_SOURCE_TYPE": text["Source"], "ENCODED_BY": text["Software"]}
        changed = _with_comments(page, [f"{name}={value}".encode() for name, value in more.items()])
        if changed is None:
            return False
        write_atomically(path, _copied(file, page, changed))
    return True


def _copied(file: BinaryIO, page: _Page, changed: bytes) -> Iterator[bytes]:
    file.seek(0)
    yield file.read(page.place)
    yield changed
    file.seek(page.end)
    while piece := file.read(PIECE):
        yield piece


def _page(file: BinaryIO, place: int) -> _Page | None:
    """Return the page that begins here; None where there is none that is whole."""
    file.seek(place)
    data = file.read(LONGEST_PAGE)
    if len(data) < HEAD or data[:5] != OGG + b"\0":
        return None
    lacing = data[HEAD : HEAD + data[26]]
    length = HEAD + data[26] + sum(lacing)
    data = data[:length]
    if len(lacing) < data[26] or len(data) < length or _summed(data) != data[22:26]:
        return None
    return _Page(place, data[5], struct.unpack_from("<I", data, 14)[0], lacing, data[HEAD + len(lacing) :], data)


def _comment_page(file: BinaryIO) -> _Page | None:
    """The page that the comments of the film begin in, if they end there, too.

    None also where there is a Skeleton: it says where in the file each second is, which would be true no longer.
    """
    place, film = 0, None
    for _number in range(LOOKED_THROUGH):
        page = _page(file, place)
        if page is None or page.body.startswith(SKELETON):
            return None
        if page.flags & FIRST and page.body.startswith(IDENTIFIES):
            film = page.stream
        elif page.stream == film:
            whole = page.body.startswith(COMMENTS) and _first_packet(page) > 0
            return page if whole else None
        place = page.end
    return None


def _first_packet(page: _Page) -> int:
    """How long the page's first packet is; 0 where it goes on in the next page."""
    length = 0
    for size in page.lacing:
        length += size
        if size < 255:
            return length
    return 0


def _with_comments(page: _Page, more: list[bytes]) -> bytes | None:
    """The page with more comments; None where its own cannot be read, or there is no room."""
    length = _first_packet(page)
    packet, place = page.body[:length], len(COMMENTS)
    try:
        place += 4 + struct.unpack_from("<I", packet, place)[0]  # who made the film
        where, (count,) = place, struct.unpack_from("<I", packet, place)
        place += 4
        for _number in range(count):
            place += 4 + struct.unpack_from("<I", packet, place)[0]
    except struct.error:
        return None
    if place > length:
        return None
    added = b"".join(struct.pack("<I", len(value)) + value for value in more)
    packet = packet[:where] + struct.pack("<I", count + len(more)) + packet[where + 4 : place] + added + packet[place:]
    lacing = b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255])
    lacing += page.lacing[length // 255 + 1 :]
    if len(lacing) > 255:
        return None
    data = page.data[:22] + bytes(4) + bytes([len(lacing)]) + lacing + packet + page.body[length:]
    return data[:22] + _summed(data) + data[26:]


def _ends_well(file: BinaryIO) -> bool:
    """Say whether the last page of the file says that it is a stream's last one."""
    size = file.seek(0, os.SEEK_END)
    begin = max(0, size - LONGEST_PAGE)
    file.seek(begin)
    data = file.read()
    place = data.rfind(OGG)
    while place >= 0:
        count = data[place + 26] if place + 26 < len(data) else 0
        length = HEAD + count + sum(data[place + HEAD : place + HEAD + count])
        page = _page(file, begin + place) if place + length == len(data) else None
        if page is not None:
            return bool(page.flags & LAST)
        place = data.rfind(OGG, 0, place)
    return False


def _table() -> tuple[int, ...]:
    values = []
    for value in range(256):
        value <<= 24
        for _bit in range(8):
            value = (value << 1 ^ 0x04C11DB7 if value >> 31 else value << 1) & 0xFFFFFFFF
        values.append(value)
    return tuple(values)


TABLE = _table()


def _summed(page: bytes) -> bytes:
    """The check of a page (RFC 3533, 6), whose place in it counts as zeros."""
    check = 0
    for value in page[:22] + bytes(4) + page[26:]:
        check = check << 8 & 0xFFFFFFFF ^ TABLE[check >> 24 ^ value]
    return struct.pack("<I", check)
