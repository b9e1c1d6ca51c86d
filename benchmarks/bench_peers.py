# SPDX-License-Identifier: GPL-3.0-or-later
"""The same splats, drawn by others on the same cores, in the same run.

The best rasterizer of 3D Gaussians on the Python Package Index that draws on a CPU at all is the torch backend of
metal-gauss: gsplat, gswarp, splax and taichi-splatting need CUDA, msplat and metal-gauss's fast backend Apple's Metal,
gausscam a GPU that offers it 35 storage buffers. It is installed without what it requires for other things, for this
comparison only.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from bench_clock import clock
from bench_subjects import avatar_of, performance

from hmtalker.camera import Camera
from hmtalker.rasterize import Splats
from hmtalker.rasterize.cpu import CpuRasterizer
from hmtalker.render import Renderer, available_threads

PEER = "metal-gauss==0.2.1"
FOLDER = Path("out") / "bench_peers"


def compare(count: int = 40_000, size: int = 256) -> dict[str, dict[str, float]]:
    """Each renderer of the face layer: milliseconds, how many times ours, largest and median difference from float64.

    The picture is small because the reference would take a minute otherwise.
    """
    renderer = Renderer(avatar_of(count), threads=1)
    camera = renderer.avatar.camera.scaled(size, size)
    splats = renderer.posed(performance(40)[17], camera)[0]
    ours = CpuRasterizer()
    drawers: dict[str, tuple[Callable[[], np.ndarray], int]] = {
        "float64 reference": (lambda: _torch(splats, camera, "float64"), 1),
        f"hmtalker, {available_threads()} threads": (lambda: ours.render(splats, camera, depth=False).rgb, 15),
        "plain torch, float32": (lambda: _torch(splats, camera, "float32"), 3),
    }
    peer = _metal_gauss(splats, camera)
    if peer is not None:
        drawers[f"{PEER}, torch_ref on the CPU"] = (peer, 1)
    table, pictures = {}, {}
    for name, (draw, rounds) in drawers.items():

        def keep(name: str = name, draw: Callable[[], np.ndarray] = draw) -> None:
            pictures[name] = draw()

        table[name] = clock(keep, rounds, warm=1 if rounds > 1 else 0)
        error = np.abs(pictures[name] - pictures["float64 reference"])
        table[name] |= {"largest_difference": float(error.max()), "median_difference": float(np.median(error))}
    fastest = min(row["ms"] for row in table.values())
    return {name: row | {"times_ours": row["ms"] / fastest} for name, row in table.items()}


def _torch(splats: Splats, camera: Camera, kind: str) -> np.ndarray:
    import torch

    from hmtalker.rasterize import reference

    torch.set_num_threads(available_threads())
    leaves = [torch.from_numpy(array) for array in vars(splats).values()]
    with torch.no_grad():
        return np.asarray(reference.rasterize(*leaves, camera, dtype=getattr(torch, kind))[0].numpy())


def _metal_gauss(splats: Splats, camera: Camera) -> Callable[[], np.ndarray] | None:
    """None where it cannot be installed."""
    if not (FOLDER / "metal_gauss").is_dir():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(FOLDER), PEER]
        if subprocess.run(pip, check=False, capture_output=True).returncode != 0:
            return None
    sys.path.append(str(FOLDER))
    import torch
    from metal_gauss import torch_ref

    names = ("means", "quaternions", "scales", "opacities", "colors")
    means, quaternions, scales, opacities, colors = (torch.from_numpy(getattr(splats, name)) for name in names)
    intrinsics = torch.from_numpy(camera.K.astype(np.float32))
    view = torch.from_numpy(camera.world_to_camera.astype(np.float32))

    def draw() -> np.ndarray:
        with torch.no_grad():
            picture: Any = torch_ref.render(
                means,
                quaternions,
                scales,
                opacities,
                None,
                intrinsics,
                view,
                camera.width,
                camera.height,
                colors=colors,
            )
        return np.asarray(picture[0].numpy())

    return draw
