# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames a second on an NVIDIA card, motion state in, pixels out, both layers; and the time to the first frame.

    .venv/test/bin/python benchmarks/bench_cuda.py [--gaussians 40000] [--size 512]

Not part of `make bench`: it needs a card, and says in one sentence where there is none. Pictures are copied back to
the host's memory and counted as drawn only then. Not yet run on a card.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from bench_subjects import avatar_of, performance

from hmtalker.errors import RenderError
from hmtalker.rasterize.backend import backend_line, cuda_backends
from hmtalker.rasterize.cuda.renderer import CudaRenderer
from hmtalker.render import Renderer

BATCHES = (1, 4, 16, 64)
WINDOWS = 5
WINDOW_SECONDS = 1.0


def rates(draw: Callable[[], Any], frames: int) -> tuple[float, float, float]:
    """Frames a second of `draw`, which draws `frames`: median, slowest and fastest of some windows."""
    draw()
    found = []
    for _ in range(WINDOWS):
        begun, calls = time.perf_counter(), 0
        while time.perf_counter() - begun < WINDOW_SECONDS:
            draw()
            calls += 1
        found.append(calls * frames / (time.perf_counter() - begun))
    return statistics.median(found), min(found), max(found)


def main() -> int:
    """Print the table; 2 where there is no card."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--gaussians", type=int, default=40_000, help="of the face; the mouth has its share (40000)")
    parser.add_argument("--size", type=int, default=512, help="pixels, both sides (512)")
    options = parser.parse_args()
    for backend in cuda_backends():
        print(backend_line(backend))
    avatar, states = avatar_of(options.gaussians), performance(max(BATCHES))
    camera = avatar.camera.scaled(options.size, options.size)
    begun = time.perf_counter()
    try:
        renderer = CudaRenderer(avatar)
    except RenderError as error:
        print(error, file=sys.stderr)
        return 2
    first = renderer.render(states[0], camera)
    print(f"avatar in memory to first frame: {time.perf_counter() - begun:.2f} s (kernels from the cache if there)")
    portable = Renderer(avatar)
    error = np.abs(first.rgba - portable.render(states[0], camera).rgba).max(-1)
    print(f"against the portable engine: median {np.median(error):.1e}, largest {error.max():.1e}")
    portable.close()
    print(f"{'frames at once':>14} {'linear with depth':>28} {'8-bit sRGB':>28}  frames a second, median (range)")
    for count in BATCHES:
        starts = itertools.cycle(range(0, max(BATCHES), count))
        row = [f"{count:14d}"]
        for draw in (renderer.render_many, renderer.render_many_srgb8):

            def batch(draw: Callable[..., Any] = draw, count: int = count, starts: Any = starts) -> None:
                start = next(starts)
                draw(states[start : start + count], camera)

            row.append("{:12.0f} ({:.0f}-{:.0f})".format(*rates(batch, count)).rjust(28))
        print(" ".join(row))
    renderer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
