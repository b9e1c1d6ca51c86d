# SPDX-License-Identifier: GPL-3.0-or-later
"""``hmtalker dub``: footage of a person and a new voice to a film, on the command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ..errors import HMTalkerError

REGIONS = ("mouth", "head")


def add_dub_command(commands: Any) -> None:
    """Add ``dub`` to an argument parser's sub-commands."""
    command = commands.add_parser(
        "dub",
        help="give footage of a person a new voice",
        description="Draw the avatar's mouth, or its head, into footage of the same person, moved by another voice.",
    )
    command.add_argument("avatar", type=Path, metavar="AVATAR", help="avatar file (.hmt) of the person who is seen")
    command.add_argument("footage", type=Path, metavar="FOOTAGE", help="a video, or the folder that 'capture' made")
    command.add_argument("--audio", type=Path, required=True, metavar="VOICE", help="a sound file or a film with sound")
    command.add_argument("-o", "--output", type=Path, metavar="FILE", help="the film (.mp4)")
    command.add_argument("--frames", type=Path, metavar="FOLDER", help="write the pictures as PNG files, too")
    command.add_argument("--region", choices=REGIONS, default="mouth", help="what is replaced (mouth)")
    command.add_argument(
        "--dataset", type=Path, metavar="FOLDER", help="the capture of the video; else it is captured first"
    )
    command.add_argument("--clip", default="", metavar="NAME", help="which video of a capture that holds several")
    command.add_argument("--strength", type=float, default=1.0, help="how much the mouth moves (1)")
    command.add_argument("--threads", type=int, default=0, help="cores to use (all)")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    try:
        from ..capture.command import ProgressLine
        from ..take import AnimateSettings
        from .dub import DubOptions, dub
    except ImportError as error:
        raise HMTalkerError(
            f"Dubbing needs the package '{error.name}'; run 'pip install hmtalker[train]' first."
        ) from error
    if not 0 <= options.strength < 1e6:
        raise HMTalkerError(f"A strength of {options.strength} is not a number from 0 up; 1 is the natural one.")
    line = ProgressLine()
    try:
        result = dub(
            DubOptions(
                avatar=options.avatar,
                footage=options.footage,
                voice=options.audio,
                output=options.output,
                frames=options.frames,
                region=options.region,
                dataset=options.dataset,
                clip=options.clip,
                settings=AnimateSettings(strength=options.strength),
                threads=options.threads,
            ),
            line,
        )
    finally:
        line.end()
    for warning in result.warnings:
        print(warning, file=sys.stderr)
    if result.untouched:
        print(f"{result.untouched} pictures stand as they were filmed: no face was measured in them.", file=sys.stderr)
    print(f"{result.pictures} pictures: {options.output or options.frames}")
