# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays as the bytes of .npy and .npz files, to be written whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic_file import write_atomically


def array_bytes(array: np.ndarray) -> Iterator[bytes]:
    """The parts of an .npy file."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, np.lib.format.header_data_from_array_1_0(array))
    yield head.getvalue()
    yield np.ascontiguousarray(array).tobytes()


def write_arrays(path: Path, **arrays: Any) -> None:
    """An uncompressed .npz. Raises OSError."""
    out = io.BytesIO()
    np.savez(out, **arrays)
    write_atomically(path, [out.getvalue()])
