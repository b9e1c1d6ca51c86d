# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: ``hmtalker animate``, ``render``, ``frame``, ``info``, ``capture``, ``train``, ``evaluate``,
``dub``, ``encoder``, ``backends``, ``fetch``.

Anything that a person can mend ends with one sentence on stderr and exit code 2.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from . import __version__, action_units
from .action_unit_sets import EXTENDED
from .capture.command import add_capture_command
from .dub.command import add_dub_command
from .errors import HMTalkerError, file_sentence
from .evaluation.command import add_evaluate_command
from .rasterize.backend import add_backends_command
from .speech.command import add_encoder_command
from .training.command import add_train_command

if TYPE_CHECKING:
    from .avatar import Avatar
    from .motion.state import MotionState
    from .take import Take

FAILED, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except HMTalkerError as error:
        print(error, file=sys.stderr)
        return FAILED
    except OSError as error:
        print(file_sentence(error), file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("Stopped; what was finished is kept.", file=sys.stderr)
        return INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("hmtalker", description="Speech to facial Action Units to a talking head.")
    parser.add_argument("--version", action="version", version=f"hmtalker {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    command = commands.add_parser("animate", help="let an avatar speak; writes Action Units (.csv) or a take (.npz)")
    command.add_argument("audio", type=Path, metavar="AUDIO")
    _add_avatar(command)
    command.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help=".csv or .npz")
    _add_performance(command)
    command.set_defaults(run=_animate)

    command = commands.add_parser("render", help="render speech, a take, or a table of Action Units to PNG files")
    command.add_argument("source", type=Path, metavar="AUDIO|TAKE|CSV", help="sound file, .npz or .csv")
    _add_avatar(command)
    command.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    _add_picture(command)
    _add_performance(command)
    command.set_defaults(run=_render)

    command = commands.add_parser("frame", help="render one face")
    _add_avatar(command)
    command.add_argument("--au", type=_intensity, action="append", default=[], metavar="CODE=0..5", help="AU12=3")
    command.add_argument(
        "--head", type=float, nargs=3, default=(0, 0, 0), metavar=("PITCH", "YAW", "ROLL"), help="degrees"
    )
    command.add_argument("-o", "--output", type=Path, required=True, metavar="PNG")
    _add_picture(command)
    command.set_defaults(run=_frame)

    command = commands.add_parser("info", help="say what an avatar file holds")
    command.add_argument("avatar", type=Path, metavar="AVATAR")
    command.add_argument("--json", action="store_true", help="the whole header as JSON")
    command.set_defaults(run=_info)

    add_capture_command(commands)
    add_train_command(commands)
    add_evaluate_command(commands)
    add_dub_command(commands)
    add_encoder_command(commands)
    add_backends_command(commands)

    command = commands.add_parser("fetch", help="download a pretrained part once, checked by its hash")
    command.add_argument("part", metavar="PART")
    command.set_defaults(run=_fetch)
    return parser


def _add_avatar(command: argparse.ArgumentParser) -> None:
    command.add_argument("-a", "--avatar", type=Path, required=True, metavar="AVATAR", help="avatar file (.hmt)")


def _add_performance(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("performance")
    group.add_argument("--fps", type=_positive, default=25.0, help="frames a second (25)")
    group.add_argument("--seed", type=_whole, default=0, help="another number blinks and sways differently")
    group.add_argument("--strength", type=_amount, default=1.0, help="how much the mouth moves (1)")
    group.add_argument("--blink-rate", type=_amount, default=17.0, help="blinks a minute (17)")
    group.add_argument("--brows", type=_amount, default=1.0, help="how much the brows follow the voice (1)")
    group.add_argument("--head-motion", type=_amount, default=1.0, help="how much the head moves (1)")
    group.add_argument("--filmed", action="store_true", help="head and upper face as filmed, not as performed")


def _add_picture(command: argparse.ArgumentParser) -> None:
    command.add_argument("--size", type=_whole, metavar="PIXELS", help="height; the avatar's own by default")
    command.add_argument("--background", type=_colour, metavar="RRGGBB", help="opaque, over this colour")


def _amount(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 up")
    return value


def _positive(text: str) -> float:
    value = float(text)
    if not 1 <= value <= 240:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and 240")
    return value


def _whole(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 2**32:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 0 up")
    return value


def _intensity(text: str) -> tuple[str, float]:
    code, _, value = text.upper().partition("=")
    if code not in EXTENDED.codes:
        raise argparse.ArgumentTypeError(f"{code} is not one of {', '.join(EXTENDED.codes)}")
    return code, min(_amount(value), action_units.MAXIMUM)


def _colour(text: str) -> tuple[int, ...]:
    digits = text.lstrip("#")
    if len(digits) != 6:
        raise argparse.ArgumentTypeError(f"{text} is not a colour such as ffffff")
    return tuple(bytes.fromhex(digits))


def _animate(options: argparse.Namespace) -> None:
    if options.output.suffix.lower() not in (".csv", ".npz"):
        raise HMTalkerError(f"{options.output.name} ends in neither .csv nor .npz; choose one of the two.")
    take = _perform(options, options.audio, _avatar(options))
    if options.output.suffix.lower() == ".csv":
        from .action_unit_table import write_table

        write_table(options.output, take.action_units, take.fps)
    else:
        from .atomic_file import write_atomically

        write_atomically(options.output, [take.to_bytes()])
    print(f"{take.frames} frames, {take.seconds:.2f} s: {options.output}")


def _perform(options: argparse.Namespace, audio: Path, avatar: Avatar) -> Take:
    from .speech.audio_file import load_audio
    from .take import AnimateSettings, animate

    settings = AnimateSettings(
        strength=options.strength,
        blink_rate=options.blink_rate,
        brows=options.brows,
        head_motion=options.head_motion,
        filmed=options.filmed,
        seed=options.seed,
    )
    take = animate(avatar, load_audio(audio), options.fps, settings=settings)
    for warning in take.warnings:
        print(warning, file=sys.stderr)
    return take


def _avatar(options: argparse.Namespace) -> Avatar:
    from .avatar import load_avatar

    return load_avatar(options.avatar)


def _render(options: argparse.Namespace) -> None:
    avatar = _avatar(options)
    states = _states(options, avatar)
    frames = _write_frames(options, avatar, ((options.output / f"{index:04d}.png", state) for index, state in states))
    print(f"{frames} frames: {options.output}")


def _states(options: argparse.Namespace, avatar: Avatar) -> Iterator[tuple[int, MotionState]]:
    """Frame number from 1, and the motion state."""
    from .motion.state import MotionState

    if options.source.suffix.lower() == ".csv":
        from .action_unit_table import read_table

        yield from enumerate(map(MotionState, read_table(options.source)), 1)
        return
    if options.source.suffix.lower() == ".npz":
        from .take import Take

        take = Take.from_bytes(options.source.read_bytes())
    else:
        take = _perform(options, options.source, avatar)
    yield from ((index + 1, take.state(index)) for index in range(take.frames))


def _frame(options: argparse.Namespace) -> None:
    from .head_pose import HeadPose
    from .motion.state import MotionState

    units = np.zeros(EXTENDED.count, np.float32)
    for code, value in options.au:
        units[EXTENDED.index(code)] = value
    pitch, yaw, roll = np.radians(options.head)
    state = MotionState(units, head=HeadPose((float(pitch), float(yaw), float(roll))))
    _write_frames(options, _avatar(options), iter([(options.output, state)]))


def _write_frames(options: argparse.Namespace, avatar: Avatar, frames: Iterator[tuple[Path, MotionState]]) -> int:
    """Render each motion state to its file; returns how many."""
    from .frames.frame_range import side_by_side
    from .png_file import synthetic_media_text, write_png
    from .render import Renderer

    camera = avatar.camera
    if options.size:
        camera = camera.scaled(max(1, round(camera.width * options.size / camera.height)), options.size)
    author = str(avatar.header.get("attribution", ""))
    text = synthetic_media_text(author, f"HM-Talker {__version__}", f"Rendered from the avatar {avatar.name}")
    renderer = Renderer(avatar)

    def finish(frame: tuple[Path, MotionState]) -> None:
        path, state = frame
        pixels = renderer.render_srgb8(state, camera, threads=1)
        if options.background is not None:
            alpha = pixels[:, :, 3:] / np.float32(255)
            pixels = (pixels[:, :, :3] * alpha + options.background * (1 - alpha) + 0.5).astype(np.uint8)
        write_png(path, pixels, text)

    count = sum(1 for _ in side_by_side(finish, frames, renderer.threads))
    renderer.close()
    return count


def _info(options: argparse.Namespace) -> None:
    from .avatar import read_avatar_header
    from .avatar.header import unit_set_of
    from .consent import consent_sentence

    header = read_avatar_header(options.avatar)
    if options.json:
        print(json.dumps(header, indent=1, ensure_ascii=False))
        return
    camera, counts = header["camera"], header["counts"]
    rows = {
        "Name": header["name"],
        "Licence": header.get("licence") or "not stated",
        "Attribution": header.get("attribution") or "not stated",
        "Consent": consent_sentence(header.get("consent", {})),
        "Gaussians": f"{counts['face']} face, {counts['mouth']} mouth",
        "Frame": f"{camera['width']} x {camera['height']}",
        "Action Units": unit_set_of(header).name,
        "Speech encoder": header["encoder"]["id"],
        "Metrics": ", ".join(f"{key} {value}" for key, value in header.get("metrics", {}).items()) or "none",
    }
    for title, value in rows.items():
        print(f"{title:15}{value}")
    names = dict(zip(EXTENDED.codes, EXTENDED.names, strict=True))
    for code, row in header.get("au_statistics", {}).items():
        print(f"{code:5} {names[code]:26} usually to {row.get('p95', 0):.1f}, at most {row.get('max', 0):.1f}")


def _fetch(options: argparse.Namespace) -> None:
    from .pretrained import fetch

    print(fetch(options.part))


if __name__ == "__main__":
    sys.exit(main())
