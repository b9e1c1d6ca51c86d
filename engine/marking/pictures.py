# SPDX-License-Identifier: GPL-3.0-or-later
"""The mark in PNG, JPEG and OpenEXR files: put between what is there already; the file is replaced as a whole."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

from .. import exr_file, png_file
from ..atomic_file import write_atomically
from ..png_file import SYNTHETIC_MEDIA, XMP_KEY

JPEG = b"\xff\xd8\xff"
JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
"""What XMP begins with in a JPEG (XMP specification part 3, 1.1.3)."""
LONGEST_SEGMENT = 65533
LOOKED_THROUGH = 1 << 17
"""Bytes from the beginning of a JPEG in which its XMP is."""
EXR = exr_file.MAGIC[:4]
MULTIPART = 0x1000
"""Flag of an EXR that has several headers, and an empty one after the last."""


def knows(head: bytes) -> bool:
    """Say by the first bytes whether a file is one of these."""
    return head.startswith((png_file.SIGNATURE, JPEG, EXR))


def is_marked(path: Path) -> bool:
    """Say whether a picture is marked. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(len(png_file.SIGNATURE))
        if head.startswith(JPEG):
            file.seek(0)
            return JPEG_XMP in (start := file.read(LOOKED_THROUGH)) and SYNTHETIC_MEDIA.encode() in start
    texts = png_file.read_text(path) if head == png_file.SIGNATURE else exr_file.read_text(path)
    return SYNTHETIC_MEDIA in texts.get(XMP_KEY, "")


def mark(path: Path, text: Mapping[str, str]) -> bool:
    """Put the texts into a picture without XMP and say whether that could be done. Raises OSError."""
    data = path.read_bytes()
    is_png = data.startswith(png_file.SIGNATURE)
    if data.startswith(JPEG):
        parts = [] if JPEG_XMP in data[:LOOKED_THROUGH] else _jpeg(data, text)
    else:
        known = (png_file if is_png else exr_file).read_text(path)
        more = {key: value for key, value in text.items() if key not in known}
        parts = [] if XMP_KEY in known else (_png if is_png else _exr)(data, more)
    if not parts:
        return False
    write_atomically(path, parts)
    return True


def _png(data: bytes, text: Mapping[str, str]) -> list[bytes]:
    end = len(png_file.SIGNATURE) + 25  # the chunk IHDR is always the first, and always as long
    if data[12:16] != b"IHDR" or b"IEND" not in data[-12:]:
        return []
    return [data[:end], png_file.text_chunks(text), data[end:]]


def _jpeg(data: bytes, text: Mapping[str, str]) -> list[bytes]:
    packet = JPEG_XMP + text[XMP_KEY].encode("utf-8")
    if len(packet) + 2 > LONGEST_SEGMENT or b"\xff\xd9" not in data[-64:]:
        return []
    place = 2
    if data[2:4] == b"\xff\xe0" and len(data) > 64:  # JFIF wants to be the first
        place += 2 + struct.unpack_from(">H", data, 4)[0]
    return [data[:place], b"\xff\xe1" + struct.pack(">H", len(packet) + 2) + packet, data[place:]]


def _exr(data: bytes, text: Mapping[str, str]) -> list[bytes]:
    """The texts end the first header; the tables of where blocks of pixels are move everything by their length."""
    more = exr_file.text_attributes(text)
    try:
        (flags,) = struct.unpack_from("<I", data, 4)
        first = end = _header_end(data, 8)
        if flags & MULTIPART:
            while data[end + 1] != 0:
                end = _header_end(data, end + 1)
            end += 1
        table = end + 1
        count = _blocks(data, table)
    except (IndexError, ValueError, struct.error):
        return []
    places = [place + len(more) for place in struct.unpack_from(f"<{count}Q", data, table)]
    moved = struct.pack(f"<{count}Q", *places)
    return [data[:first], more, data[first:table], moved, data[table + 8 * count :]]


def _header_end(data: bytes, place: int) -> int:
    """Return where the zero byte is that ends the header that begins here. Raises ValueError, IndexError, error."""
    while data[place] != 0:
        for _name_and_kind in range(2):
            place = data.index(b"\0", place) + 1
        (size,) = struct.unpack_from("<i", data, place)
        if size < 0:
            raise ValueError
        place += 4 + size
    return place


def _blocks(data: bytes, table: int) -> int:
    """Return how many blocks the tables list: the first block begins where they end. Raises ValueError, error."""
    place, first = table, len(data)
    while place < first:
        (block,) = struct.unpack_from("<Q", data, place)
        if not place < block < len(data):
            raise ValueError  # unfinished
        first, place = min(first, block), place + 8
    if place != first:
        raise ValueError
    return (place - table) // 8
