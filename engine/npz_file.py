# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading .npz files that anyone may have made: no pickle, and no more memory than the file's own size accounts for.

``numpy.load`` allocates what an array's header claims before it has seen the data; here the claim is checked first.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

MOST_ARRAYS = 64
MOST_AXES = 8
PLAIN = "biufU"
"""Kinds of numbers and text; never objects."""


def read_npz(source: str | Path | IO[bytes], most_bytes: int) -> dict[str, np.ndarray]:
    """All arrays of the file, name -> array. most_bytes: of all arrays together, unpacked.

    Raises ValueError with what is wrong with the file, OSError where it cannot be read.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            members = archive.infolist()
            if len(members) > MOST_ARRAYS:
                raise ValueError(f"it holds {len(members)} arrays")
            if sum(member.file_size for member in members) > most_bytes:
                raise ValueError("its arrays are too large")
            return {member.filename.removesuffix(".npy"): _read(archive, member) for member in members}
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError) as error:
        raise ValueError(f"it is not a whole archive ({error})") from error
    except (NotImplementedError, RuntimeError) as error:  # zipfile: unknown compression, encryption
        raise ValueError(f"it is packed in another way ({error})") from error


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(member) as stream:
        shape, fortran, dtype = _header(stream)
        if dtype.kind not in PLAIN or dtype.hasobject or len(shape) > MOST_AXES:
            raise ValueError(f"the array {member.filename} is of {dtype}")
        if any(axis < 0 for axis in shape):
            raise ValueError(f"the array {member.filename} has a negative length")
        size = dtype.itemsize
        for axis in shape:
            size *= axis  # Python's integers cannot overflow
        if size > member.file_size:
            raise ValueError(f"the array {member.filename} claims more than there is")
        data = stream.read(size + 1)
    if len(data) != size:
        raise ValueError(f"the array {member.filename} is not as long as it claims")
    array = np.frombuffer(bytearray(data), dtype)
    return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(stream)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"an array has the version {version}")
    try:
        return readers[version](stream)
    except (OSError, ValueError, zlib.error, zipfile.BadZipFile, EOFError):
        raise
    except Exception as error:  # numpy takes the header for Python's source, and fails as Python's readers do
        raise ValueError(f"an array's header cannot be read ({error})") from error
