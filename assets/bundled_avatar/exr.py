# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the render's OpenEXR file and write PNG, with numpy and the standard library only."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

_PIXEL_TYPES = {0: np.dtype("<u4"), 1: np.dtype("<f2"), 2: np.dtype("<f4")}


def read_exr(path: Path) -> dict[str, np.ndarray]:
    """Channels [H, W] by name of an uncompressed single-part scanline file (openexr.com, file layout)."""
    data = path.read_bytes()
    at = 8
    header: dict[str, bytes] = {}
    while data[at]:
        end = data.index(0, at)
        name = data[at:end].decode()
        at = data.index(0, end + 1) + 1
        (size,) = struct.unpack_from("<i", data, at)
        header[name] = data[at + 4 : at + 4 + size]
        at += 4 + size
    if header["compression"][0] != 0:
        raise ValueError(f"{path} is compressed; render with the EXR codec set to none")
    left, top, right, bottom = struct.unpack("<4i", header["dataWindow"])
    width, height = right - left + 1, bottom - top + 1
    channels = _channels(header["channels"])
    row = np.dtype([("y", "<i4"), ("bytes", "<i4"), *((name, kind, (width,)) for name, kind in channels)])
    (first,) = struct.unpack_from("<Q", data, at + 1)
    rows = np.frombuffer(data, row, height, first)
    return {name: rows[name] for name, _ in channels}


def _channels(listing: bytes) -> list[tuple[str, np.dtype]]:
    found, at = [], 0
    while listing[at]:
        end = listing.index(0, at)
        (kind,) = struct.unpack_from("<i", listing, end + 1)
        found.append((listing[at:end].decode(), _PIXEL_TYPES[kind]))
        at = end + 17
    return found


def write_png(path: Path, image: np.ndarray) -> None:
    """image uint8 [H, W, 3 or 4]."""
    height, width, channels = image.shape
    rows = image.reshape(height, width * channels)
    filtered = np.ones((height, 1 + width * channels), np.uint8)  # filter 1: difference to the left neighbour
    filtered[:, 1:] = rows
    filtered[:, 1 + channels :] -= rows[:, :-channels]
    kind = {3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for name, body in ((b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes(), 4)), (b"IEND", b"")):
            file.write(struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)))


def encode_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear 0..1 to sRGB-encoded 0..1 (IEC 61966-2-1)."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
