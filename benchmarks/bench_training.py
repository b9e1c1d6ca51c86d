# SPDX-License-Identifier: GPL-3.0-or-later
"""What a training step spends on moving the Gaussians, forward and backward, the tri-plane's tables learning or not.

    python benchmarks/bench_training.py [--gaussians 40000] [--rounds 15]

Peers in the same run: PyTorch on one core, and with its own threads (``torch.set_num_threads``), which wait for each
other by spinning. On a machine that others use, look at the processor time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests")]
import bench
import conftest  # noqa: F401  (makes `hmtalker` importable from the working tree)
import torch
from bench_clock import clock
from torch import Tensor

from hmtalker.motion.config import MotionConfig
from hmtalker.motion.model import MotionModel
from hmtalker.render import available_threads
from hmtalker.training.field_rows import FieldRows
from hmtalker.training.row_threads import RowThreads


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gaussians", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    torch.manual_seed(0)
    field = MotionModel(MotionConfig()).face_field
    torch.nn.init.normal_(field.layers[2], std=0.1)  # begins at zero
    means = ((torch.rand(options.gaussians, 3) - 0.5) * 0.25).requires_grad_()
    with torch.no_grad():
        encoding = field.encode(means)
    threads = available_threads()
    print(f"{bench.machine()}, {options.gaussians} Gaussians\n")
    for title, places in (("tables learn", means), ("tables stay", encoding)):
        print(f"{title:40}{'ms':>9}{'smallest':>10}{'cpu ms':>9}{'times one core':>16}")
        alone = 0.0
        ways: list[tuple[str, int, FieldRows | None]] = [
            ("PyTorch, one core", 1, None),
            (f"PyTorch, its own {threads} threads", threads, None),
            ("by hand, one core", 1, FieldRows(field, RowThreads(1))),
            (f"by hand, {threads} threads", 1, FieldRows(field, RowThreads(threads))),
        ]
        for name, cores, rows in ways:
            torch.set_num_threads(cores)

            def moved(lower: Tensor, upper: Tensor, places: Tensor = places, rows: FieldRows | None = rows) -> Tensor:
                if rows is None:
                    return field(places, lower, upper)
                rows.encoding = encoding
                return rows.offsets(means if places is means else None, lower, upper)

            told = clock(step(moved, options.gaussians), options.rounds)
            alone = alone or told["ms"]
            print(f"  {name:38}{told['ms']:9.1f}{told['ms_min']:10.1f}{told['cpu_ms']:9.1f}{alone / told['ms']:16.2f}")


def step(moved: Callable[[Tensor, Tensor], Tensor], gaussians: int) -> Callable[[], None]:
    """Offsets and the gradients of everything."""
    lower, upper = (torch.randn(32).requires_grad_() for _ in range(2))
    gradient = torch.randn(gaussians, 10)
    return lambda: moved(lower, upper).backward(gradient)


if __name__ == "__main__":
    main()
