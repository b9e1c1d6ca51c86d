# SPDX-License-Identifier: GPL-3.0-or-later
"""Action Units as a table of comma-separated values: ours to write; ours and OpenFace's to read."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import numpy as np

from .action_units import CODES, COUNT, MAXIMUM
from .atomic_file import write_atomically
from .errors import HMTalkerError

MAX_ROWS = 1_000_000


class TableError(HMTalkerError):
    """A table of Action Units cannot be read."""


def write_table(path: str | Path, action_units: np.ndarray, fps: float) -> None:
    """action_units: [T,17]. Columns: frame (from 1), timestamp (seconds), AU01 … AU45. Raises OSError."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["frame", "timestamp", *CODES])
    for index, row in enumerate(action_units):
        writer.writerow([index + 1, f"{index / fps:.4f}", *(f"{value:.4f}" for value in row)])
    write_atomically(Path(path), [text.getvalue().encode("utf-8")])


def read_table(path: str | Path) -> np.ndarray:
    """Intensities float32 [T,17], 0..5, one row a frame; Action Units without a column are 0.

    Columns may be called AU12 or, as OpenFace does, " AU12_r"; others are ignored. Raises TableError.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            names = [name.strip().upper().removesuffix("_R") for name in next(rows, [])]
            columns = [(names.index(code), index) for index, code in enumerate(CODES) if code in names]
            if not columns:
                raise TableError(f"{path.name} has no column of Action Units; its first line names them: AU01, AU02, …")
            values = [_row(path, line, cells, columns) for line, cells in enumerate(rows, 2) if cells]
    except FileNotFoundError as error:
        raise TableError(f"There is no table {path}; choose another one.") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path.name} is not a table of comma-separated values; choose another file.") from error
    if not values:
        raise TableError(f"{path.name} has no rows; export it again.")
    if len(values) > MAX_ROWS:
        raise TableError(f"{path.name} has more than {MAX_ROWS} rows; split it.")
    return np.clip(np.array(values, np.float32), 0.0, MAXIMUM)


def _row(path: Path, line: int, cells: list[str], columns: list[tuple[int, int]]) -> list[float]:
    row = [0.0] * COUNT
    for column, index in columns:
        try:
            row[index] = float(cells[column])
        except (IndexError, ValueError) as error:
            raise TableError(f"Line {line} of {path.name} lacks a number for {CODES[index]}; correct it.") from error
        if not math.isfinite(row[index]):
            raise TableError(f"Line {line} of {path.name} lacks a number for {CODES[index]}; correct it.")
    return row
