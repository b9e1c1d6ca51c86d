# SPDX-License-Identifier: GPL-3.0-or-later
"""``hmtalker train``: a captured dataset to an avatar, on the command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ..action_unit_sets import SETS
from .presets import PRESETS


def add_train_command(commands: Any) -> None:
    """Add ``train`` to an argument parser's sub-commands."""
    command = commands.add_parser(
        "train",
        help="train an avatar from a captured dataset",
        description="Train an avatar from a captured dataset. A stopped training goes on when called again.",
    )
    command.add_argument("dataset", type=Path, metavar="DATASET", help="folder that 'hmtalker capture' wrote")
    command.add_argument("-o", "--output", type=Path, required=True, metavar="AVATAR", help="avatar file (.hmt)")
    command.add_argument("--preset", choices=tuple(PRESETS), default="editable", help="schedule (editable)")
    command.add_argument(
        "--units", choices=tuple(SETS), default=next(iter(SETS)), help="set of Action Units (openface-17)"
    )
    command.add_argument(
        "--variant", action="append", default=[], metavar="FLAG=VALUE", help="a row of the paper's ablation; repeatable"
    )
    command.add_argument("--work", type=Path, metavar="FOLDER", help="for checkpoints (AVATAR.work)")
    command.add_argument("--name", help="the avatar's name (the file's)")
    command.add_argument("--licence", default="", help="SPDX identifier of the footage's licence")
    command.add_argument("--attribution", default="", help="who is to be named")
    command.add_argument("--consent", default="", metavar="TEXT", help="what the person agreed to (needed)")
    command.add_argument("--consent-person", default="", metavar="NAME", help="who agreed (needed)")
    command.add_argument("--consent-date", default="", metavar="YYYY-MM-DD", help="when they agreed (needed)")
    command.add_argument("--consent-recorded-by", default="", metavar="NAME", help="who wrote it down (needed)")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--threads", type=int, default=0, help="processor cores (all)")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from ..consent import Consent
    from .train import TrainOptions, train

    chosen = TrainOptions(
        dataset=options.dataset,
        output=options.output,
        preset=options.preset,
        units=options.units,
        variants=tuple(options.variant),
        work=options.work,
        name=options.name or options.output.stem,
        licence=options.licence,
        attribution=options.attribution,
        consent=Consent(options.consent_person, options.consent, options.consent_date, options.consent_recorded_by),
        seed=options.seed,
        threads=options.threads,
    )

    def say(stage: str, done: int, of: int, losses: dict[str, float]) -> None:
        values = "  ".join(f"{name} {value:.4f}" for name, value in losses.items())
        print(f"{stage} {done}/{of}  {values}", file=sys.stderr, flush=True)

    result = train(chosen, say)
    print(f"{result.output}: {result.face} + {result.mouth} Gaussians, trained in {result.seconds / 60:.1f} min")
