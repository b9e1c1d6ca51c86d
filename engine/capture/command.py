# SPDX-License-Identifier: GPL-3.0-or-later
"""``hmtalker capture``: videos of a person to a dataset, on the command line."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ..action_unit_sets import SETS
from .errors import CaptureError
from .options import MATTES, CaptureOptions, Progress

UNIT_SETS = tuple(SETS)


def add_capture_command(commands: Any) -> None:
    """Add ``capture`` to an argument parser's sub-commands."""
    command = commands.add_parser(
        "capture",
        help="turn videos of one person into a training set, with a report of what to film again",
        description="Turn videos of one person into a training set. A stopped capture goes on when called again.",
    )
    command.add_argument("videos", type=Path, nargs="+", metavar="VIDEO", help="files, or folders of files")
    command.add_argument("-o", "--output", type=Path, required=True, metavar="DATASET", help="a new folder")
    command.add_argument("--size", type=int, default=512, metavar="PIXELS", help="largest side of the frames (512)")
    command.add_argument(
        "--matte", choices=MATTES, default="auto", help="chroma key, person matte, or what fits (auto)"
    )
    command.add_argument("--parsing", type=Path, metavar="FILE", help="a face parsing network of your own")
    command.add_argument("--units", choices=UNIT_SETS, default=UNIT_SETS[0], help="set of Action Units (openface-17)")
    command.add_argument(
        "--test", action="append", default=[], metavar="NAME", help="a clip to keep for testing; repeatable"
    )
    command.add_argument("--test-list", type=Path, metavar="FILE", help="names of such clips, one a line, or JSON")
    command.add_argument("--focal", type=float, metavar="PIXELS", help="focal length of the whole picture, if known")
    command.add_argument("--threads", type=int, default=0, help="processes side by side (one for each core)")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from .pipeline import capture

    chosen = CaptureOptions(
        videos=tuple(options.videos),
        output=options.output,
        size=options.size,
        matte=options.matte,
        parsing=options.parsing,
        unit_set=options.units,
        hold_out=(*options.test, *(_names(options.test_list) if options.test_list else ())),
        focal=options.focal,
        threads=options.threads,
    )
    line = ProgressLine()
    try:
        result = capture(chosen, line)
    finally:
        line.end()
    verdict = result.summary.get("verdict", "")
    print(verdict if isinstance(verdict, str) else verdict.get("text", ""))
    for finding in result.summary.get("findings", []):
        print(f"{finding['severity']:5} {finding['title']} {finding['remedy']}")
    print(f"Dataset: {result.output}\nReport:  {result.report}")


def _names(path: Path) -> tuple[str, ...]:
    """One name a line, or a JSON list, or a JSON object with such a list under "eval" or "test"."""
    text = path.read_text("utf-8")
    try:
        data = json.loads(text)
    except ValueError:
        data = [line.strip() for line in text.splitlines() if line.strip()]
    if isinstance(data, dict):
        data = data.get("eval", data.get("test"))
    if not isinstance(data, list) or not all(isinstance(name, str) for name in data):
        raise CaptureError(f"'{path.name}' is no list of clip names; write one name a line.")
    return tuple(data)


class ProgressLine:
    """Progress in one line of a terminal, or a line a stage where the output goes to a file."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._stage = ""
        self._length = 0

    def __call__(self, progress: Progress) -> None:
        head = f"{progress.index + 1}/{progress.count} {progress.stage}"
        if not self._live:
            if progress.stage != self._stage:
                print(head, file=sys.stderr, flush=True)
        else:
            if progress.stage != self._stage:
                self.end()
            left = "" if progress.seconds_left is None else f", {duration(progress.seconds_left)} left"
            text = f"{head}: {progress.share:.0%}{left}  {progress.text}"[:100]
            print("\r" + text.ljust(self._length), end="", file=sys.stderr, flush=True)
            self._length = len(text)
        self._stage = progress.stage

    def end(self) -> None:
        """Leave the line as it is and begin a new one."""
        if self._live and self._length:
            print(file=sys.stderr, flush=True)
        self._length = 0


def duration(seconds: float) -> str:
    """ "8 s", "3 min", "1 h 20 min"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
