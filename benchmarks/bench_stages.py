# SPDX-License-Identifier: GPL-3.0-or-later
"""What a step of every stage of a training costs on a captured dataset, and what the whole schedule would.

    python benchmarks/bench_stages.py DATASET [--preset paper] [--share 0.01]

A training with `--share` of the preset's steps, in a temporary folder; nothing is kept. Steps are those of a stage's
later half, when everything learns that learns in it. The whole schedule is those steps times their number: Gaussians
become more or fewer on the way, so a whole training may take another time.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests")]
import bench
import conftest  # noqa: F401  (makes `hmtalker` importable from the working tree)
import numpy as np

from hmtalker.consent import Consent
from hmtalker.training import train
from hmtalker.training.checkpoint import Stage
from hmtalker.training.presets import PRESETS, Preset
from hmtalker.training.trainer import STAGES, Trainer

NOBODY = Consent("a benchmark's person", "a training that is thrown away", "2026-01-01", "a benchmark")


def main() -> None:
    """Train a little, print, throw away."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--preset", choices=tuple(PRESETS), default="paper")
    parser.add_argument("--share", type=float, default=0.01, help="of the preset's steps")
    options = parser.parse_args()
    whole = PRESETS[options.preset]
    PRESETS[options.preset] = replace(whole.scaled(options.share), name=whole.name)
    print(f"{bench.machine()}, {options.preset}\n")
    print(f"{'stage':8}{'steps':>8}{'ms':>8}{'middle half':>16}{'face':>9}{'mouth':>8}{'whole, min':>12}", flush=True)
    total = 0.0

    def timed(trainer: Trainer, name: str, stage: Stage, iterations: int) -> None:
        nonlocal total
        taken = []
        while stage.iteration < iterations:
            begun = time.perf_counter()
            stage.step()
            taken.append(1e3 * (time.perf_counter() - begun))
        late = np.array(taken[len(taken) // 2 :])
        low, high = np.percentile(late, (25, 75))
        minutes = late.mean() * steps(whole)[name] / 60e3
        total += minutes
        sizes = f"{trainer.trained.face.count:9}{trainer.trained.mouth.count:8}"
        middle = f"{low:.1f} to {high:.1f}"
        print(f"{name:8}{iterations:8}{np.median(late):8.1f}{middle:>16}{sizes}{minutes:12.1f}", flush=True)

    Trainer._loop = timed  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        train.train(
            train.TrainOptions(options.dataset, Path(folder) / "gone.hmt", preset=options.preset, consent=NOBODY)
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\nall stages {total:.0f} min; at most {peak:.0f} MB")


def steps(preset: Preset) -> dict[str, int]:
    """Stage -> how many."""
    counts = (preset.speech, preset.motion, preset.face, preset.mouth)
    return dict(zip(STAGES, [*(schedule.iterations for schedule in counts), preset.joint_iterations], strict=True))


if __name__ == "__main__":
    main()
