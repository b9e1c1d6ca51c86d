# SPDX-License-Identifier: GPL-3.0-or-later
"""The mark in MP4 and QuickTime films and JPEG 2000 pictures: one more box at the end, nothing written anew."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..png_file import SYNTHETIC_MEDIA, XMP_KEY

XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
"""Name of the box that holds XMP in such files (XMP specification part 3, 1.1.4 and 1.2.5)."""
CONTENT = {b"ftyp": b"moov", b"jP  ": b"jp2c"}
"""Name of a file's first box -> of the one without which there is nothing to see."""
MAX_XMP = 1 << 20
MOST_BOXES = 100_000
"""In one file; a film has a handful, one that was written in fragments two for each of them."""


def knows(head: bytes) -> bool:
    """Say by the first bytes whether a file is one of these."""
    return head[4:8] in CONTENT


def is_marked(path: Path) -> bool:
    """Say whether a file is marked."""
    return SYNTHETIC_MEDIA in read_xmp(path)


def mark(path: Path, text: Mapping[str, str]) -> bool:
    """Append the XMP and say whether that could be done: a film without its index is unfinished. Raises OSError."""
    boxes = list(_boxes(path))
    size = path.stat().st_size
    kinds = [kind for kind, _start, _end in boxes]
    if not kinds or CONTENT[kinds[0]] not in kinds or boxes[-1][2] != size:
        return False
    append(path, xmp_box(text))
    return True


def xmp_box(text: Mapping[str, str]) -> bytes:
    """The box. text: as ``png_file.synthetic_media_text`` makes it."""
    packet = XMP_BOX + text[XMP_KEY].encode("utf-8")
    return struct.pack(">I4s", 8 + len(packet), b"uuid") + packet


def append(path: Path, data: bytes) -> None:
    """Append all of it, or leave the file as it was. Raises OSError."""
    with path.open("r+b", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        try:
            if file.write(data) != len(data):
                raise OSError(f"{path} could not be written to its end")
            os.fsync(file.fileno())
        except OSError:
            file.truncate(end)
            raise


def read_xmp(path: Path) -> str:
    """The XMP packet of a film; empty where there is none."""
    try:
        for kind, start, end in _boxes(path):
            if kind == b"uuid" and end - start <= MAX_XMP:
                with path.open("rb") as file:
                    file.seek(start)
                    content = file.read(end - start)
                if content.startswith(XMP_BOX):
                    return content[len(XMP_BOX) :].decode("utf-8")
    except (OSError, UnicodeDecodeError):
        pass
    return ""


def _boxes(path: Path) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start of the content and end of each box of the file, as far as they follow the format."""
    with path.open("rb") as file:
        size, place = file.seek(0, os.SEEK_END), 0
        for _number in range(MOST_BOXES):
            if place > size:
                return
            file.seek(place)
            if len(head := file.read(8)) < 8:
                return
            length, kind = struct.unpack(">I4s", head)
            start = place + 8
            if length == 1:
                wide = file.read(8)
                if len(wide) < 8:
                    return
                (length,) = struct.unpack(">Q", wide)
                start += 8
            if place + length < start:  # also 0: to the end of the file, so nothing can follow
                return
            place += length
            yield kind, start, place
