# SPDX-License-Identifier: GPL-3.0-or-later
"""``blender -b FILE --command hm_talker bake|sound|check``: for render farms and scripts."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy

from ..engine.errors import HMTalkerError
from . import farm, versions

COMMAND = "hm_talker"
DONE, FOUND, FAILED = 0, 1, 2
_handle: Any = None


def attach() -> None:
    """Tell Blender that there is the command."""
    global _handle
    _handle = bpy.utils.register_cli_command(COMMAND, run)


def detach() -> None:
    """Take it back."""
    bpy.utils.unregister_cli_command(_handle)


def run(arguments: Sequence[str]) -> int:
    """Do one command; returns the exit code: 0 done, 1 there are problems, 2 it failed, with a sentence."""
    parser = argparse.ArgumentParser(f"blender -b FILE --command {COMMAND}", description="HM-Talker on render farms.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser(
        "bake", help="bake the avatars' frames that the Sequencer shows; goes on where it was"
    )
    command.add_argument("--frames", default="", help="1-250 or 3,7-9; the scene's by default")
    command = commands.add_parser("sound", help="write the scene's sound")
    command.add_argument("--frames", default="", help="from the first to the last of these; the scene's by default")
    command.add_argument("--output", type=Path, required=True, metavar="FILE.flac")
    commands.add_parser("check", help="say what another machine would not find")
    try:
        options = parser.parse_args(list(arguments))
    except SystemExit as stop:  # Blender would take it for its own end
        return DONE if not stop.code else FAILED
    try:
        return _run(options)
    except (HMTalkerError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return FAILED


def _run(options: argparse.Namespace) -> int:
    scene = versions.sequencer_scene(bpy.context) or bpy.context.scene
    if options.command == "check":
        found = farm.problems(bpy.context)
        print("\n".join(found) or "Nothing is missing.")
        return FOUND if found else DONE
    frames = farm.parse_frames(options.frames or f"{scene.frame_start}-{scene.frame_end}")
    if options.command == "sound":
        farm.write_sound(scene, frames, options.output.absolute())
        print(f"The sound is in {options.output}.")
        return DONE
    rendered, total = farm.bake(bpy.context, scene, frames, print)
    print(f"{rendered} of {total} frames rendered, the others were up to date." if total else
          "The Sequencer shows no baked frames in this range; there is nothing to bake.")  # fmt: skip
    return DONE
