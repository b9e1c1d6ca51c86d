# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and write safetensors, strictly: everything that a file claims is checked before anything is allocated.

The layout: 8 bytes, little-endian length n of the header; n bytes of JSON, name -> {dtype, shape, data_offsets}, plus
``__metadata__`` of strings; then the data, without gaps (https://github.com/huggingface/safetensors, "Format").
Stricter than the format itself: duplicate keys, NaN, unknown fields, gaps and oversized claims are
refused. No code is ever executed from a file.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..atomic_file import write_atomically

MAX_FILE = 1 << 30
MAX_HEADER = 16 << 20
MAX_TENSORS = 512
MAX_CONTAINERS = 200_000
"""Objects and lists that a JSON text may open: bounds the memory that parsing it takes."""
MAX_DIMENSIONS = 8
NAME = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")
MAX_NAME = 128

DTYPES: dict[str, np.dtype] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
}
CODES = {dtype: code for code, dtype in DTYPES.items()}

OTHER_FORMATS = (
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"BLENDER", "a Blender file"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive or Blender file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"RIFF", "a sound or video file"),
    (b"ply\n", "a PLY file"),
    (b"\x80\x02", "a Python pickle, which is never opened"),
    (b"\x80\x04", "a Python pickle, which is never opened"),
    (b"version https://git-lfs", "a Git LFS pointer: the real file was not downloaded"),
    (b"<!DOCTYPE", "a web page"),
    (b"<html", "a web page"),
)


class MalformedError(ValueError):
    """The file breaks the format; the text says how and completes a sentence that begins "… is damaged: "."""


class OtherFormatError(MalformedError):
    """The file is something else altogether; the text names it."""


@dataclass(frozen=True)
class Entry:
    """Where a tensor lies in a file; checked."""

    dtype: np.dtype
    shape: tuple[int, ...]
    start: int
    """Bytes from the beginning of the file."""
    size: int
    """Bytes."""


@dataclass(frozen=True)
class Header:
    """Everything that a file says about itself; checked against its size."""

    metadata: dict[str, str]
    entries: dict[str, Entry]


def parse_json(text: bytes) -> Any:
    """JSON without duplicate keys, NaN, Infinity, or numbers and nesting beyond reason. Raises MalformedError."""
    if text.count(b"{") + text.count(b"[") > MAX_CONTAINERS:
        raise MalformedError("its header is unreasonably complex")

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(items)
        if len(result) != len(items):
            raise MalformedError("its header names the same thing twice")
        return result

    def constant(name: str) -> Any:
        raise MalformedError(f"its header holds {name} where a number is expected")

    def number(digits: str) -> float:
        value = float(digits)
        if not math.isfinite(value):
            raise MalformedError("its header holds a number that is too large")
        return value

    try:
        return json.loads(text.decode("utf-8"), object_pairs_hook=pairs, parse_constant=constant, parse_float=number)
    except MalformedError:
        raise
    except RecursionError as error:
        raise MalformedError("its header is nested too deeply") from error
    except ValueError as error:  # also UnicodeDecodeError, JSONDecodeError, integers of thousands of digits
        raise MalformedError("its header cannot be read") from error


def read_header(file: BinaryIO) -> Header:
    """Read and check the header of an open file. Raises MalformedError, OtherFormatError."""
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise MalformedError("it is not an ordinary file")
    size = status.st_size
    start = file.read(32)
    for magic, name in OTHER_FORMATS:
        if start.startswith(magic):
            raise OtherFormatError(name)
    if size == 0:
        raise MalformedError("it is empty")
    if size < 10:
        raise MalformedError("it is cut short")
    if size > MAX_FILE:
        raise MalformedError(f"it is larger than {MAX_FILE >> 20} MB")
    length = int.from_bytes(start[:8], "little")
    if start[8:9] != b"{":
        raise OtherFormatError("of an unknown format")
    if length < 2 or length > MAX_HEADER:
        raise MalformedError("its header has an impossible size")
    if 8 + length > size:
        raise MalformedError("it is cut short within its header")
    file.seek(8)
    text = file.read(length)
    if len(text) != length:
        raise MalformedError("it is cut short within its header")
    data = parse_json(text)
    if not isinstance(data, dict):
        raise MalformedError("its header cannot be read")
    metadata = data.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise MalformedError("its metadata is not text")
    return Header(metadata, _entries(data, 8 + length, size))


def _entries(data: dict[str, Any], begin: int, size: int) -> dict[str, Entry]:
    if len(data) > MAX_TENSORS:
        raise MalformedError(f"it claims to hold more than {MAX_TENSORS} arrays")
    entries = {}
    for name, value in data.items():
        if len(name) > MAX_NAME or not NAME.fullmatch(name):
            raise MalformedError("an array in it has an impossible name")
        entries[name] = _entry(name, value, begin, size)
    place = begin
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].start, item[1].size)):
        if entry.start != place:
            wrong = "overlaps other data" if entry.start < place else "leaves a gap"
            raise MalformedError(f"the data of {name} {wrong}")
        place += entry.size
    if place != size:
        raise MalformedError("it holds more data than its header describes")
    return entries


def _entry(name: str, value: Any, begin: int, size: int) -> Entry:
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise MalformedError(f"the description of {name} is not complete")
    dtype = DTYPES.get(value["dtype"]) if isinstance(value["dtype"], str) else None
    if dtype is None:
        raise MalformedError(f"{name} is of a type that is not supported")
    shape, offsets = value["shape"], value["data_offsets"]
    if not _whole_numbers(shape) or len(shape) > MAX_DIMENSIONS:
        raise MalformedError(f"{name} has an impossible shape")
    if not _whole_numbers(offsets) or len(offsets) != 2:
        raise MalformedError(f"{name} lies at an impossible place")
    first, last = offsets
    # Python's integers do not overflow, so a product of huge dimensions simply fails to match.
    if last - first != math.prod(shape) * dtype.itemsize:
        raise MalformedError(f"the shape of {name} does not match its size")
    if last > size - begin:
        raise MalformedError(f"it is cut short: {name} is missing or incomplete")
    return Entry(dtype, tuple(shape), begin + first, last - first)


def _whole_numbers(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def read_array(file: BinaryIO, entry: Entry) -> np.ndarray:
    """One tensor of a file whose header was read, in its stored type. Raises MalformedError."""
    array = np.empty(entry.shape, entry.dtype)
    file.seek(entry.start)
    if entry.size and file.readinto(array.reshape(-1).view(np.uint8)) != entry.size:  # type: ignore[attr-defined]
        raise MalformedError("it is cut short")
    return array


def write_safetensors(path: Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write atomically: `path` holds either its old content or the whole new one. Raises OSError, ValueError.

    Equal content gives equal bytes.
    """
    # Widest types first, so that every array is aligned to its own type.
    names = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    stored, offset = [], 0
    for name in names:
        array = np.ascontiguousarray(arrays[name])
        array = array.reshape(arrays[name].shape).astype(array.dtype.newbyteorder("<"), copy=False)
        if array.dtype not in CODES:
            raise ValueError(f"{name} is {array.dtype}, which an avatar file cannot hold")
        if len(name) > MAX_NAME or not NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot name an array in an avatar file")
        last = offset + array.nbytes
        header[name] = {"dtype": CODES[array.dtype], "shape": list(array.shape), "data_offsets": [offset, last]}
        stored.append(array)
        offset = last
    text = json.dumps(header, separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode("utf-8")
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER or len(names) > MAX_TENSORS or 8 + len(text) + offset > MAX_FILE:
        raise ValueError("the avatar is too large for its file format")
    write_atomically(path, itertools.chain([len(text).to_bytes(8, "little"), text], map(np.ndarray.tobytes, stored)))
