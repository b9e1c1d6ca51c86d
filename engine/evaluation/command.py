# SPDX-License-Identifier: GPL-3.0-or-later
"""``hmtalker evaluate``: an avatar against the test frames of its dataset, on the command line."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..atomic_file import write_atomically
from ..errors import HMTalkerError

DRIVES = {"audio": ("audio",), "units": ("action_units",), "both": ("audio", "action_units")}
METRICS = ("picture", "lpips", "lmd", "aue", "jitter", "sync", "identity")
PASTES = ("avatar", "source")
# What is printed: key of the report, what a person calls it, digits.
ROWS = (
    ("psnr", "PSNR, whole frame (dB)", 2),
    ("psnr face", "PSNR, face (dB)", 2),
    ("psnr mouth", "PSNR, inside of the mouth (dB)", 2),
    ("ssim", "SSIM, whole frame", 4),
    ("ssim aligned", "SSIM, aligned face", 4),
    ("ssim mouth", "SSIM, mouth window", 4),
    ("lpips", "LPIPS, whole frame", 4),
    ("lpips mouth", "LPIPS, mouth window", 4),
    ("lmd", "LMD* (pixels)", 3),
    ("lmd 512", "LMD* (pixels of 512)", 3),
    ("aue lower", "AUE-L*", 3),
    ("aue lower, motionless", "   of a motionless face", 3),
    ("aue upper", "AUE-U*", 3),
    ("aue upper, motionless", "   of a motionless face", 3),
    ("identity", "Identity (distance)", 3),
    ("sync confidence", "Sync confidence (own scorer)", 3),
    ("sync confidence, other voice", "   with another clip's voice", 3),
    ("sync distance", "Sync distance (own scorer)", 3),
    ("sync offset", "Sync offset (frames)", 2),
    ("jitter mouth", "Jitter, mouth (pixels of 512)", 3),
    ("jitter mouth in silence", "Jitter, mouth in silence", 3),
    ("jitter bone", "Jitter, bone-backed landmarks", 3),
    ("flicker", "Flicker of still pixels (of 255)", 2),
)
FOOTNOTE = (
    "* by our own tracker and extractor: not comparable with figures of OpenFace or FAN, nor the sync scores with "
    "LSE-C, LSE-D, Sync-C or Sync-D."
)


def add_evaluate_command(commands: Any) -> None:
    """Add ``evaluate`` to an argument parser's sub-commands."""
    command = commands.add_parser(
        "evaluate",
        help="compare an avatar with the test frames of its dataset",
        description="Render the frames that were kept for testing and compare them with the real ones.",
    )
    command.add_argument("avatar", type=Path, metavar="AVATAR", help="avatar file (.hmt)")
    command.add_argument("dataset", type=Path, metavar="DATASET", help="the folder that 'capture' made")
    command.add_argument("-o", "--output", type=Path, metavar="FILE", help="write all figures as JSON")
    command.add_argument("--frames", type=_count, metavar="N", help="at most about so many frames (all)")
    command.add_argument("--drive", choices=tuple(DRIVES), default="both", help="what moves the lower face (both)")
    command.add_argument(
        "--metrics", type=_metrics, default=METRICS, metavar="LIST", help=f"some of {','.join(METRICS)} (all)"
    )
    command.add_argument(
        "--paste",
        choices=PASTES,
        help="source: the head alone over the real torso and background, as the paper compares (as it was trained)",
    )
    command.set_defaults(run=_run)


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of frames")
    return value


def _metrics(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in METRICS:
            raise argparse.ArgumentTypeError(f"{name} is not one of {', '.join(METRICS)}")
    return names


def _run(options: argparse.Namespace) -> None:
    try:
        from .self_reconstruction import evaluate

        report = evaluate(
            options.avatar,
            options.dataset,
            DRIVES[options.drive],
            options.metrics,
            options.frames,
            _show_progress,
            paste=options.paste,
        )
    except ImportError as error:
        raise HMTalkerError(
            f"Evaluating needs the package '{error.name}'; run 'pip install hmtalker[train]' first."
        ) from error
    if options.output is not None:
        text = json.dumps(_plain(report), indent=1, allow_nan=False)
        write_atomically(options.output, [text.encode("utf-8")])
    print(report_text(report))
    if options.output is not None:
        print(f"All figures: {options.output}")


def report_text(report: Mapping[str, Any]) -> str:
    """The table and what belongs to it, for a terminal."""
    avatar, dataset, speed = report["avatar"], report["dataset"], report["speed"]
    columns = {**report["drivers"], "real video": report["real"]}
    lines = [
        f"{avatar['name']}: {dataset['frames']} test frames of {dataset['clips']} clips, "
        f"{dataset['size'][0]} x {dataset['size'][1]} pixels, over {dataset['background']}"
        + (", the real torso" if dataset.get("torso") == "source" else ""),
        f"{'':36s}" + "".join(f"{name:>14s}" for name in columns),
    ]
    for key, label, digits in ROWS:
        values = [column.get(key) for column in columns.values()]
        if any(value is not None for value in values):
            lines.append(f"{label:36s}" + "".join(f"{_number(value, digits):>14s}" for value in values))
    lines.append(
        f"{avatar['face Gaussians']} face and {avatar['mouth Gaussians']} mouth Gaussians, {avatar['megabytes']:.1f} MB"
    )
    seconds = avatar["training seconds"]
    lines.append(f"Training time: {f'{seconds / 60:.1f} min' if seconds else 'not stored in the avatar'}")
    lines.append(
        f"Rendering: {speed['frames a second']:.1f} frames a second on {speed['threads']} threads; most memory "
        f"{speed['peak megabytes of the evaluation']:.0f} MB"
    )
    return "\n".join([*lines, FOOTNOTE, *report["notes"]])


def markdown_table(report: Mapping[str, Any]) -> str:
    """The figures of a report, as read back from its file, as a table for a document."""
    columns = {**report["drivers"], "real video": report["real"]}
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for key, label, digits in ROWS:
        values = [column.get(key) for column in columns.values()]
        if any(value is not None for value in values):
            lines.append(f"| {label.strip()} | " + " | ".join(_number(value, digits) for value in values) + " |")
    return "\n".join(lines)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def _plain(value: Any) -> Any:
    """JSON knows no NaN: null instead."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _show_progress(done: int, count: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done}/{count} frames", end="\n" if done == count else "", file=sys.stderr, flush=True)
