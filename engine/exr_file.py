# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenEXR files of rendered frames, written and (their text) read without an image library.

One part, scan lines in blocks of 16 packed with zip: https://openexr.com/en/latest/OpenEXRFileLayout.html. Colours are
linear (Rec. 709 primaries, the format's default) and premultiplied, as the format has it; depth is channel Z.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .atomic_file import write_atomically

MAGIC = struct.pack("<II", 20000630, 2)
ROWS = 16
"""Scan lines in a block of ZIP_COMPRESSION."""
ZIP_COMPRESSION = 3
HALF, FLOAT = 1, 2
LONGEST_NAME = 31
LARGEST_HALF = 65504.0
MAX_HEADER = 1 << 20
"""Bytes; a file of ours has a few thousand."""


def encode_exr(rgba: np.ndarray, depth: np.ndarray | None = None, text: Mapping[str, str] | None = None) -> bytes:
    """An EXR of float32 rgba [H,W,4], stored as half floats, and depth [H,W], stored as floats.

    text: name (1..31 ASCII characters) -> text in Unicode, kept as string attributes. Raises ValueError.
    """
    if rgba.ndim != 3 or rgba.shape[2] != 4 or 0 in rgba.shape or (depth is not None and depth.shape != rgba.shape[:2]):
        raise ValueError(f"an EXR is made of rgba [H,W,4] and depth [H,W], not of {rgba.shape}")
    height, width, _ = rgba.shape
    halves = np.clip(rgba, -LARGEST_HALF, LARGEST_HALF).astype("<f2")
    planes = [np.ascontiguousarray(halves[..., channel]) for channel in (3, 2, 1, 0)]
    channels = _channel("A", HALF) + _channel("B", HALF) + _channel("G", HALF) + _channel("R", HALF)
    if depth is not None:
        planes.append(np.ascontiguousarray(depth, "<f4"))
        channels += _channel("Z", FLOAT)
    box = struct.pack("<4i", 0, 0, width - 1, height - 1)
    header = [
        MAGIC,
        _attribute("channels", "chlist", channels + b"\0"),
        _attribute("compression", "compression", bytes([ZIP_COMPRESSION])),
        _attribute("dataWindow", "box2i", box),
        _attribute("displayWindow", "box2i", box),
        _attribute("lineOrder", "lineOrder", b"\0"),
        _attribute("pixelAspectRatio", "float", struct.pack("<f", 1.0)),
        _attribute("screenWindowCenter", "v2f", struct.pack("<2f", 0.0, 0.0)),
        _attribute("screenWindowWidth", "float", struct.pack("<f", 1.0)),
    ]
    header.append(text_attributes(text or {}))
    header.append(b"\0")
    blocks = [_block(planes, start) for start in range(0, height, ROWS)]
    place, offsets = sum(map(len, header)) + 8 * len(blocks), []
    for block in blocks:
        offsets.append(place)
        place += len(block)
    return b"".join([*header, struct.pack(f"<{len(offsets)}Q", *offsets), *blocks])


def text_attributes(text: Mapping[str, str]) -> bytes:
    """The attributes that hold texts: name (1..31 ASCII characters) -> text in Unicode. Raises ValueError."""
    parts = []
    for name, value in text.items():
        if not (1 <= len(name) <= LONGEST_NAME and name.isascii() and "\0" not in name):
            raise ValueError(f"{name!r} cannot name a text in an EXR")
        parts.append(_attribute(name, "string", value.encode("utf-8")))
    return b"".join(parts)


def write_exr(
    path: str | Path, rgba: np.ndarray, depth: np.ndarray | None = None, text: Mapping[str, str] | None = None
) -> None:
    """Write :func:`encode_exr` atomically. Raises OSError, ValueError."""
    write_atomically(Path(path), [encode_exr(rgba, depth, text)])


def read_text(path: str | Path) -> dict[str, str]:
    """The string attributes of an EXR, name -> text; {} where no such file can be read."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_HEADER)
    except OSError:
        return {}
    if not data.startswith(MAGIC[:4]):
        return {}
    texts, place = {}, len(MAGIC)
    try:
        while data[place] != 0:
            name, kind = data[place : data.index(b"\0", place)], b""
            place += len(name) + 1
            kind = data[place : data.index(b"\0", place)]
            place += len(kind) + 1
            (size,) = struct.unpack_from("<i", data, place)
            place += 4
            if size < 0 or place + size > len(data):
                return {}
            if kind == b"string":
                texts[name.decode("ascii")] = data[place : place + size].decode("utf-8")
            place += size
    except (IndexError, ValueError, struct.error):
        return {}
    return texts


def _channel(name: str, kind: int) -> bytes:
    return name.encode("ascii") + b"\0" + struct.pack("<iB3xii", kind, 0, 1, 1)


def _attribute(name: str, kind: str, value: bytes) -> bytes:
    return name.encode("ascii") + b"\0" + kind.encode("ascii") + b"\0" + struct.pack("<i", len(value)) + value


def _block(planes: list[np.ndarray], start: int) -> bytes:
    """Scan lines from `start`: of each line one channel after the other."""
    lines = range(start, min(start + ROWS, len(planes[0])))
    raw = b"".join(plane[line].tobytes() for line in lines for plane in planes)
    data = np.frombuffer(raw, np.uint8)
    # Low and high bytes apart, then each byte as the difference to the one before: the format's own way to pack better.
    parted = np.concatenate([data[0::2], data[1::2]])
    steps = parted.copy()
    steps[1:] = parted[1:] - parted[:-1] + np.uint8(128)
    packed = zlib.compress(steps.tobytes(), 4)
    stored = packed if len(packed) < len(raw) else raw
    return struct.pack("<ii", start, len(stored)) + stored
