# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast the CPU rasterizer is, against the reference and against a plain torch renderer.

    python benchmarks/rasterize.py [--splats 30000] [--size 512] [--threads 1 2] [--rounds 15] [--slow]

Prints medians (and minima) of wall time in milliseconds, and the ratio to the plain torch renderer where ``--slow``
measures one. Timings on a shared machine are only worth something next to each other.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import conftest  # noqa: F401  (makes `hmtalker` importable from the working tree)

from hmtalker.camera import Camera
from hmtalker.rasterize import Splats
from hmtalker.rasterize.cpu import CpuRasterizer, available_threads, warmup


def head(count: int, seed: int = 0) -> Splats:
    """An ellipsoid shell of flat splats, sizes and opacities spread as in a trained head; fills half the picture."""
    rng = np.random.default_rng(seed)
    normals = rng.normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    depth = 1 - np.abs(rng.normal(0, 0.03, (count, 1)))
    size = 0.0011 * np.sqrt(40000 / count) * np.exp(rng.normal(0, 0.7, (count, 1)))
    scales = size * np.exp(rng.normal(0, 0.4, (count, 3)))
    scales[:, 2] *= 0.25
    # The rotation that takes +z to the normal.
    quaternions = np.stack([1 + normals[:, 2], -normals[:, 1], normals[:, 0], np.zeros(count)], 1) + 1e-6
    faint = rng.random(count) < 0.45
    opacities = np.where(faint, rng.beta(1.2, 6, count) + 0.01, rng.beta(6, 1, count))
    colors = np.clip(0.5 + 0.2 * normals + rng.normal(0, 0.05, (count, 3)), 0, None)
    return Splats(normals * depth * [0.085, 0.12, 0.1], quaternions, scales, opacities, colors).contiguous()


def view(size: int) -> Camera:
    """One metre in front of the head, which fills most of the picture's height."""
    world_to_camera = np.diag([1.0, -1.0, -1.0, 1.0])
    world_to_camera[2, 3] = 1.0
    k = np.array([[3.4 * size, 0, size / 2], [0, 3.4 * size, size / 2], [0, 0, 1]])
    return Camera(size, size, k, world_to_camera)


def clock(function: Callable[[], object], rounds: int) -> list[float]:
    """Milliseconds of each of `rounds` calls."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        times.append(1e3 * (time.perf_counter() - start))
    return times


def plain_torch(splats: Splats, camera: Camera, gradients: bool) -> Callable[[], object]:
    """Tiled float32 torch, the way one would write it without kernels: the projection and blending of the reference."""
    import torch

    from hmtalker.rasterize import reference

    leaves = [torch.from_numpy(array).requires_grad_(gradients) for array in vars(splats).values()]

    def run() -> None:
        with torch.set_grad_enabled(gradients):
            rgb = reference.rasterize(*leaves, camera, dtype=torch.float32)[0]
            if gradients:
                rgb.sum().backward()

    return run


def reference_float64(splats: Splats, camera: Camera) -> Callable[[], object]:
    """The oracle."""
    from hmtalker.rasterize.reference import ReferenceRasterizer

    return lambda: ReferenceRasterizer().render(splats, camera)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splats", type=int, default=30000)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, available_threads()}))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--slow", action="store_true", help="also time plain torch and the reference (minutes)")
    options = parser.parse_args()

    start = time.perf_counter()
    warmup(gradients=True)
    print(f"{platform.machine()}, {available_threads()} cores, kernels ready in {time.perf_counter() - start:.1f} s")
    splats, camera = head(options.splats), view(options.size)
    gradient = np.random.default_rng(0).normal(size=(options.size, options.size, 3)).astype(np.float32)
    rows: list[tuple[str, list[float], bool]] = []
    for threads in options.threads:
        rasterizer = CpuRasterizer(threads)
        done = rasterizer.forward(splats, camera)

        def both(rasterizer: CpuRasterizer = rasterizer) -> None:
            rasterizer.backward(rasterizer.forward(splats, camera), gradient)

        def forward(rasterizer: CpuRasterizer = rasterizer) -> None:
            rasterizer.forward(splats, camera)

        def with_depth(rasterizer: CpuRasterizer = rasterizer) -> None:
            rasterizer.render(splats, camera)

        rows.append((f"cpu, {threads} thread(s), forward", clock(forward, options.rounds), False))
        rows.append((f"cpu, {threads} thread(s), forward with depth", clock(with_depth, options.rounds), False))
        rows.append((f"cpu, {threads} thread(s), forward + backward", clock(both, options.rounds), True))
    baseline: dict[bool, float] = {}
    if options.slow:
        for gradients in (False, True):
            name = "plain torch, forward + backward" if gradients else "plain torch, forward"
            times = clock(plain_torch(splats, camera, gradients), 3)
            baseline[gradients] = statistics.median(times)
            rows.append((name, times, gradients))
        rows.append(("reference (float64), forward", clock(reference_float64(splats, camera), 1), False))

    covered = done.alpha > 0.02
    print(f"{options.splats} splats, {done.drawn} drawn, {options.size} x {options.size}, {covered.mean():.0%} covered")
    print(f"{'':44}{'median ms':>11}{'min ms':>9}{'x plain torch':>15}")
    for name, times, gradients in rows:
        median = statistics.median(times)
        ratio = f"{baseline[gradients] / median:.0f}" if gradients in baseline else "-"
        print(f"{name:44}{median:11.1f}{min(times):9.1f}{ratio:>15}")


if __name__ == "__main__":
    main()
