# SPDX-License-Identifier: GPL-3.0-or-later
"""Pixels of the PNG files that this program writes, read without an image library."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from .png_file import COLOUR_TYPES, SIGNATURE, UP

LARGEST_SIDE = 8192
LARGEST_FILE = 64 << 20
"""Bytes."""


def read_png(path: Path) -> np.ndarray | None:
    """uint8 [H,W,channels] of a file that ``encode_png`` made; None where there is none, or any other."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE)
    except OSError:
        return None
    return _decoded(data)


def _decoded(data: bytes) -> np.ndarray | None:
    if not data.startswith(SIGNATURE):
        return None
    place, size, packed = len(SIGNATURE), (0, 0, 0), bytearray()
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        part = data[place + 8 : place + 8 + length]
        if kind == b"IHDR" and len(part) == 13:
            width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", part)
            channels = next((count for count, known in COLOUR_TYPES.items() if known == colour), 0)
            if depth != 8 or any(rest) or not channels or not 0 < max(width, height) <= LARGEST_SIDE:
                return None
            size = height, width, channels
        elif kind == b"IDAT":
            packed += part
        place += 12 + length
    return _pixels(bytes(packed), size)


def _pixels(packed: bytes, size: tuple[int, int, int]) -> np.ndarray | None:
    height, width, channels = size
    row = 1 + width * channels
    try:
        plain = zlib.decompressobj().decompress(packed, height * row + 1)
    except zlib.error:
        return None
    if not height * width or len(plain) != height * row:
        return None
    rows = np.frombuffer(plain, np.uint8).reshape(height, row)
    if (rows[:, 0] != UP).any():
        return None
    return np.cumsum(rows[:, 1:], axis=0, dtype=np.uint8).reshape(height, width, channels)
