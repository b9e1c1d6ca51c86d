# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers out of large tables of comma-separated values, a line at a time; only the wanted columns stay in memory."""

from __future__ import annotations

import csv
import math
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

import numpy as np

from .curves import CurvesError

MAX_ROWS = 1_000_000
LONGEST_LINE = 1 << 20  # characters; a file without lines is no table, and is not read whole

Parser = Callable[[str], float]


@dataclass(frozen=True)
class Numbers:
    """The wanted columns of a table."""

    values: np.ndarray
    """float64 [n, columns]; NaN where a cell is empty, missing or no finite number."""
    lines: np.ndarray
    """int64 [n]: line of the file that each row comes from, the header being line 1."""
    cut: bool
    """The last line ends in the middle; it is not among the rows."""


def read_numbers(
    path: Path, choose: Callable[[list[str]], Sequence[int]], parsers: Mapping[int, Parser] | None = None
) -> Numbers:
    """Read a table whose first line names the columns.

    Separators are commas, semicolons or tabs, as the first line has them; decimals may be written with a comma; UTF-8
    with or without a mark, or UTF-16 with one. choose: from the stripped names to the indices of the wanted columns.
    parsers: by column index, what reads its cells instead of `float`; ValueError means no number. Raises CurvesError,
    and whatever `choose` raises.
    """
    try:
        with path.open("rb") as binary:
            mark = binary.read(2)
        encoding = "utf-16" if mark in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        # A damaged character spoils its own cell only.
        with path.open(encoding=encoding, errors="replace", newline="") as file:
            header = file.readline(LONGEST_LINE)
            if not header.strip("\ufeff \t\r\n\0"):
                raise CurvesError(
                    f"{path.name} is empty or does not begin with the names of its columns; export it again."
                )
            separator = max(",;\t", key=header.count)
            header = header.rstrip(separator + " \r\n")
            names = [name.strip(' \t\r\n"') for name in header.split(separator)]
            wanted = list(choose(names))
            return _rows(path, _lines(path, file.readline), separator, len(names), wanted, parsers or {})
    except FileNotFoundError as error:
        raise CurvesError(f"There is no table {path}; choose another one.") from error
    except (OSError, UnicodeError) as error:
        raise CurvesError(f"{path.name} cannot be read as a table; choose another file.") from error


def _lines(path: Path, readline: Callable[[int], str]) -> Iterator[str]:
    number = 1
    while line := readline(LONGEST_LINE):
        number += 1
        if len(line) >= LONGEST_LINE:
            raise CurvesError(f"Line {number} of {path.name} is far too long for a table; export it again.")
        yield line


def _rows(
    path: Path,
    lines: Iterator[str],
    separator: str,
    width: int,
    wanted: list[int],
    parsers: Mapping[int, Parser],
) -> Numbers:
    reader = csv.reader(lines, delimiter=separator)
    pick = itemgetter(*wanted) if len(wanted) > 1 else lambda cells: (cells[wanted[0]],)
    parse = [parsers.get(index, float) for index in wanted]
    numbers, origins = array("d"), array("q")
    cut, usual = False, 0
    try:
        for cells in reader:
            if not any(cells):
                continue
            cut = len(cells) < (min(width, usual) or width)
            usual = max(usual, len(cells))
            try:
                row = [read(cell) for read, cell in zip(parse, pick(cells), strict=True)]
            except (ValueError, IndexError, OverflowError):
                row = _careful(cells, wanted, parse)
            numbers.extend(row)
            origins.append(reader.line_num + 1)
            if len(origins) > MAX_ROWS:
                raise CurvesError(f"{path.name} has more than {MAX_ROWS} rows; split it.")
    except csv.Error as error:
        raise CurvesError(
            f"Line {reader.line_num + 1} of {path.name} is no row of a table; export it again."
        ) from error
    values = np.frombuffer(numbers, np.float64) if numbers else np.zeros(0)
    values = values.reshape(-1, len(wanted))[: len(origins) - cut]
    values[~np.isfinite(values)] = np.nan
    return Numbers(values, np.array(origins, np.int64)[: len(values)], cut)


def _careful(cells: list[str], wanted: list[int], parse: list[Parser]) -> list[float]:
    pairs = zip(parse, wanted, strict=True)
    return [_number(cells[index], read) if index < len(cells) else math.nan for read, index in pairs]


def _number(cell: str, parse: Parser) -> float:
    for text in (cell, cell.replace(",", ".")):
        try:
            return parse(text)
        except (ValueError, OverflowError):
            continue
    return math.nan
