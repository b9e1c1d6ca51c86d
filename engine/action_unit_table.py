# SPDX-License-Identifier: GPL-3.0-or-later
"""Action Units as a table of comma-separated values: ours to write; ours and OpenFace's to read.

A table says what each intensity is: in it a unit with sides is the mean of its sides.
"""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import numpy as np

from .action_unit_sets import EXTENDED, OPENFACE_17, as_controls, set_of_width
from .action_units import MAXIMUM
from .atomic_file import write_atomically
from .errors import HMTalkerError

MAX_ROWS = 1_000_000


class TableError(HMTalkerError):
    """A table of Action Units cannot be read."""


def write_table(path: str | Path, action_units: np.ndarray, fps: float) -> None:
    """action_units: controls [T,17] or [T,47]. Columns: frame (from 1), timestamp (seconds), AU01 … AU45, and those of
    the set `extended`. Raises OSError."""
    of = set_of_width(np.shape(action_units)[1])
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["frame", "timestamp", *of.codes])
    for index, row in enumerate(action_units if of is OPENFACE_17 else of.measured(action_units)):
        writer.writerow([index + 1, f"{index / fps:.4f}", *(f"{value:.4f}" for value in row)])
    write_atomically(Path(path), [text.getvalue().encode("utf-8")])


def read_table(path: str | Path) -> np.ndarray:
    """Controls float32 [T,17], 0..5, one row a frame; Action Units without a column are 0. [T,47], the set `extended`,
    where the table has a column that only that set knows.

    Columns may be called AU12 or, as OpenFace does, " AU12_r"; others are ignored. Raises TableError.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            names = [name.strip().upper().removesuffix("_R") for name in next(rows, [])]
            of = EXTENDED if set(names) & set(EXTENDED.codes) - set(OPENFACE_17.codes) else OPENFACE_17
            codes = [code for code in of.codes if code in names]
            if not codes:
                raise TableError(f"{path.name} has no column of Action Units; its first line names them: AU01, AU02, …")
            columns = [names.index(code) for code in codes]
            values = [_row(path, line, cells, codes, columns) for line, cells in enumerate(rows, 2) if cells]
    except FileNotFoundError as error:
        raise TableError(f"There is no table {path}; choose another one.") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path.name} is not a table of comma-separated values; choose another file.") from error
    if not values:
        raise TableError(f"{path.name} has no rows; export it again.")
    if len(values) > MAX_ROWS:
        raise TableError(f"{path.name} has more than {MAX_ROWS} rows; split it.")
    known = np.clip(np.array(values, np.float32), 0.0, MAXIMUM)
    if of is not OPENFACE_17:
        return as_controls(known, codes, of)
    table = np.zeros((len(known), of.count), np.float32)
    table[:, [of.index(code) for code in codes]] = known
    return table


def _row(path: Path, line: int, cells: list[str], codes: list[str], columns: list[int]) -> list[float]:
    row = []
    for code, column in zip(codes, columns, strict=True):
        try:
            row.append(float(cells[column]))
        except (IndexError, ValueError) as error:
            raise TableError(f"Line {line} of {path.name} lacks a number for {code}; correct it.") from error
        if not math.isfinite(row[-1]):
            raise TableError(f"Line {line} of {path.name} lacks a number for {code}; correct it.")
    return row
