# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a file so that nobody ever sees half of it: whole to a neighbour, then renamed over the old one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path


def temporary_beside(path: Path) -> Path:
    """A new hidden name in the folder of `path`: not its own with something added, which might become too long."""
    return path.with_name(f".{secrets.token_hex(8)}.part")


def write_atomically(path: Path, parts: Iterable[bytes]) -> None:
    """`path` holds either its old content or all of `parts`. Makes the folder. Raises OSError that names `path`."""
    temporary = temporary_beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not tempfile: its files are readable by their owner alone, and stay so after the rename.
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        try:
            with os.fdopen(handle, "wb") as file:
                for part in parts:
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        error.filename, error.filename2 = str(path), None  # a disk that is full names no file, others the temporary one
        raise
