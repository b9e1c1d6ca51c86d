# SPDX-License-Identifier: GPL-3.0-or-later
"""What the converters of evaluation networks share: one .npz written whole or not at all, and their command line."""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..atomic_file import write_atomically
from ..errors import HMTalkerError
from ..pretrained import fetch


def write_npz(out: str | Path, arrays: dict[str, np.ndarray]) -> int:
    """Write `arrays` to `out`; returns its size in bytes. Raises :class:`HMTalkerError` where there is no room."""
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    write_atomically(Path(out), [stream.getvalue()])
    return len(stream.getvalue())


def run(
    module: str,
    title: str,
    part: str,
    source: str,
    convert: Callable[[Path, Path], int],
    arguments: list[str] | None,
) -> int:
    """The command line of ``python -m hmtalker.evaluation.<module>``; returns its exit code.

    title: what it does, in a line. part: what ``pretrained.fetch`` knows the original as. source: what a user's own
    copy of the original is called.
    """
    parser = argparse.ArgumentParser(f"hmtalker.evaluation.{module}", description=title)
    parser.add_argument("--out", type=Path, required=True, help="the .npz file to write")
    parser.add_argument("--source", type=Path, help=f"{source} (default: fetch it)")
    options = parser.parse_args(arguments)
    try:
        size = convert(options.source or fetch(part), options.out)
    except HMTalkerError as error:
        parser.exit(1, f"{error}\n")
    print(f"{options.out}  {size} bytes")
    return 0
