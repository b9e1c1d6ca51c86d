# SPDX-License-Identifier: GPL-3.0-or-later
"""``hmtalker encoder``: put a speech encoder that only the user may have where avatars look for it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .user_encoders import FILES


def add_encoder_command(commands: Any) -> None:
    """Add ``encoder`` to an argument parser's sub-commands."""
    command = commands.add_parser(
        "encoder",
        help="install a speech encoder from your own file",
        description="Install a speech encoder that HM-Talker may not bring along, from a file that you have. 'ave': "
        "SyncTalk's audio_visual_encoder.pth (CC BY-NC). 'hubert': HuBERT as ONNX, made by 'optimum-cli export onnx "
        "--task feature-extraction'. Train with it by '--variant encoder=ave'.",
    )
    command.add_argument("encoder", choices=tuple(FILES))
    command.add_argument("file", type=Path, metavar="FILE")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from ..pretrained import cache_folder

    out = cache_folder() / FILES[options.encoder]
    install(options.encoder, options.file, out)
    print(f"The speech encoder '{options.encoder}' is ready ({out}).")


def install(encoder_id: str, file: Path, out: Path) -> None:
    """Convert or check the user's `file`, and write it to `out`. Raises :class:`~..errors.HMTalkerError`."""
    if encoder_id == "ave":
        from .convert_ave import convert_ave

        convert_ave(file, out)
    else:
        from .convert_hubert import convert_hubert

        convert_hubert(file, out)
