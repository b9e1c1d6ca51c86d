# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast everything is, in one table and in out/bench.json; cost against size in out/bench.svg.

    python benchmarks/bench.py [--out out] [--longest 600]

Figures are medians; on a machine that others use, look at the ratios and at the processor time. "fps" is what a range
of frames took on the wall clock with all cores; "cores" is what those cores would give at the processor time that was
measured, were nobody else using them.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests")]
import bench_frames
import bench_peers
import bench_plots
import bench_processes
import conftest  # noqa: F401  (makes `hmtalker` importable from the working tree)

from hmtalker.frames.warm_up import warm_up
from hmtalker.render import available_threads

LENGTHS = (10, 60, 600, 3600)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--longest", type=int, default=600, help="seconds of audio, up to 3600 (a minute of work)")
    options = parser.parse_args()
    warm_up()
    told: dict[str, Any] = {"machine": machine()}
    told["stages_ms"] = bench_frames.stages()
    told["rates"] = bench_frames.frames_per_second(lambda line: print(line, file=sys.stderr))
    told["frames_per_second"] = {
        count: {size: row["fps"] for size, row in sizes.items()} for count, sizes in told["rates"].items()
    }
    told["slider_latency_ms"] = bench_frames.slider_latency()
    told["peers_ms"] = bench_peers.compare()
    told["first_frame_seconds"] = bench_processes.first_frame()
    told["memory_mb"] = bench_processes.memory()
    told["animate"] = {str(length): bench_processes.animate(length) for length in LENGTHS if length <= options.longest}
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "bench.json").write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    (options.out / "bench.svg").write_text(plot(told), "utf-8")
    print("\n".join(table(told)))


def machine() -> str:
    """Processor, cores and Python, in words."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{model}, {available_threads()} cores, Python {platform.python_version()}, {platform.system()}"


def table(told: dict[str, Any]) -> list[str]:
    """The lines to print."""
    lines = [told["machine"], "", f"{'one frame, 40,000 Gaussians, 512 x 512, one thread':52}{'ms':>9}{'smallest':>10}"]
    lines += [f"  {name:50}{row['ms']:9.2f}{row['ms_min']:10.2f}" for name, row in told["stages_ms"].items()]
    lines += ["", "a range of frames: motion state in, premultiplied linear RGBA and depth of both layers out"]
    lines += [f"  {'Gaussians':>10}{'size':>7}{'fps':>9}{'slowest':>9}{'fastest':>9}{'cores':>9}{'cpu ms':>9}"]
    lines += [
        f"  {count:>10}{size:>7}{row['fps']:9.1f}{row['fps_slowest']:9.1f}{row['fps_fastest']:9.1f}"
        f"{row['fps_of_the_cores']:9.1f}{row['cpu_ms']:9.2f}"
        for count, sizes in told["rates"].items()
        for size, row in sizes.items()
    ]
    lines += ["", f"{'the face layer at 256 x 256, 40,000 Gaussians':52}{'ms':>9}{'x ours':>10}{'largest error':>15}"]
    lines += [
        f"  {name:50}{row['ms']:9.2f}{row['times_ours']:10.1f}{row['largest_difference']:15.1e}"
        for name, row in told["peers_ms"].items()
    ]
    slider, first, memory = told["slider_latency_ms"], told["first_frame_seconds"], told["memory_mb"]
    lines += [
        "",
        f"slider to frame, 512 x 512   {slider['ms']:.1f} ms, 95 % within {slider['ms_p95']:.1f} ms",
        f"first frame                  {first['from the cache']['seconds']:.2f} s after Python's start, "
        f"{first['compiling']['seconds']:.1f} s the first time on a machine",
        f"memory of a range            {memory['peak_mb']:.0f} MB, {memory['before_mb']:.0f} MB before",
    ]
    lines += [
        f"audio to curves, {int(length):5} s     {row['times_real_time']:.0f} x real time, {row['peak_mb']:.0f} MB, "
        f"of which {row['samples_mb']:.0f} are the samples"
        for length, row in told["animate"].items()
    ]
    return lines


def plot(told: dict[str, Any]) -> str:
    """Milliseconds a frame against Gaussians and pixels, seconds of work against seconds of sound."""
    rates = told["rates"]
    sizes = list(next(iter(rates.values())))
    return bench_plots.panels(
        [
            (
                "Processor time of a frame",
                "face Gaussians",
                "ms",
                {f"{size} x {size}": [(int(n), rates[n][size]["cpu_ms"]) for n in rates] for size in sizes},
            ),
            (
                "Processor time of a frame",
                "pixels",
                "ms",
                {f"{int(n):,} Gaussians": [(int(s) ** 2, rates[n][s]["cpu_ms"]) for s in sizes] for n in rates},
            ),
            (
                "Audio to curves",
                "seconds of sound",
                "seconds of work",
                {"one thread": [(int(s), row["seconds"]) for s, row in told["animate"].items()]},
            ),
        ]
    )


if __name__ == "__main__":
    main()
