# SPDX-License-Identifier: GPL-3.0-or-later
"""The CPU rasterizer: Numba kernels that release the GIL, driven by a Python thread pool.

A frame runs through: projection -> depth sort -> binning in two passes -> blending tile by tile. The image and the
gradients are the same bits for every number of threads. Numba compiles on first use (about ten seconds, once per
machine: the result is cached, in the folder that the environment variable ``NUMBA_CACHE_DIR`` names if it was set
before numba is imported). :func:`warmup` does that ahead of time.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import RenderError
from . import Layer, Splats
from .binning import TILE, find_tiles, place_pairs, reserve_pairs
from .blending import blend, unblend
from .gathering import gather
from .projection import camera_vector, project
from .scratch import Scratch
from .sorting import depth_sort
from .workers import Workers, available_threads

if TYPE_CHECKING:
    from ..camera import Camera

ALPHA_MAX = 0.999
"""Largest alpha of one splat at one pixel (gsplat 1.5.3; later versions and Inria's rasterizer use 0.99)."""
MAX_PIXELS = 1 << 28


@dataclass
class Gradients:
    """dLoss/d(each input of a forward pass), float32, zero for splats that were not drawn."""

    means: np.ndarray
    """[N, 3]"""
    quaternions: np.ndarray
    """[N, 4]"""
    scales: np.ndarray
    """[N, 3]"""
    opacities: np.ndarray
    """[N]"""
    colors: np.ndarray
    """[N, 3]"""
    means2d: np.ndarray
    """[N, 2] with respect to the projected centres, per pixel; what densification looks at."""


@dataclass(eq=False)
class ForwardPass:
    """A rendered image together with what :meth:`CpuRasterizer.backward` needs to differentiate it."""

    splats: Splats
    camera: np.ndarray
    rgb: np.ndarray
    """[H, W, 3] background included."""
    alpha: np.ndarray
    """[H, W]"""
    depth: np.ndarray | None
    """[H, W] expected depth, 0 where nothing was drawn."""
    radii: np.ndarray
    """[N] int32: the larger of the two screen radii in pixels, 0 for a culled splat."""
    drawn: int
    """How many splats touch a pixel."""
    pairs: int
    """How many (splat, tile) pairs were blended: the cost of the frame."""
    tiles: np.ndarray
    tile_start: np.ndarray
    scratch: Any

    @property
    def layer(self) -> Layer:
        """The image alone."""
        return Layer(self.rgb, self.alpha, self.depth)


class CpuRasterizer:
    """Rasterizer on the CPU, forward and backward. Thread-safe: passes may run and live side by side.

    Args:
        threads: workers; None takes every core this process may use.
        alpha_max: cap of one splat's alpha at one pixel.
    """

    name = "cpu"

    def __init__(self, threads: int | None = None, alpha_max: float = ALPHA_MAX) -> None:
        self.threads = max(1, threads if threads is not None else available_threads())
        self.alpha_max = np.float32(alpha_max)
        self._workers = Workers(self.threads)
        self._free: list[Scratch] = []
        self._lock = threading.Lock()

    def _borrow(self) -> Scratch:
        with self._lock:
            return self._free.pop() if self._free else Scratch()

    def render(
        self, splats: Splats, camera: Camera, background: Sequence[float] = (0.0, 0.0, 0.0), depth: bool = True
    ) -> Layer:
        """Draw the splats as `camera` sees them over `background`. See :class:`Layer` for what comes back."""
        return self.forward(splats, camera, background, depth).layer

    def forward(
        self, splats: Splats, camera: Camera, background: Sequence[float] = (0.0, 0.0, 0.0), depth: bool = False
    ) -> ForwardPass:
        """Draw, keeping what the gradients need. The splats' arrays must stay unchanged until after :meth:`backward`.

        Raises:
            RenderError: arrays that do not belong together, or a picture size that makes no sense.
        """
        splats = splats.contiguous()
        width, height = int(camera.width), int(camera.height)
        if width < 1 or height < 1 or width * height > MAX_PIXELS:
            raise RenderError(f"A picture of {width} x {height} pixels cannot be rendered; choose another size.")
        cam = camera_vector(camera)
        n = splats.count
        tiles_x, tiles_y = -(-width // TILE), -(-height // TILE)
        scratch = self._borrow()
        scratch.fit_splats(n)
        s = scratch
        radii = np.zeros(n, np.int32)
        tile_start = np.empty(tiles_x * tiles_y + 1, np.int32)
        histogram = np.empty((self.threads, tiles_x * tiles_y), np.int32)
        if np.isfinite(cam).all():
            with np.errstate(divide="ignore", invalid="ignore"):
                log_opacities = np.log2(splats.opacities)
            self._workers.run(
                project, splats.means, splats.quaternions, splats.scales, log_opacities, splats.colors,
                s.index, cam, width, height, s.record, s.irecord, radii, s.keys,
            )  # fmt: skip
            drawn = depth_sort(s.keys[:n], s.order, s.keys_a, s.order_b, s.keys_b)
        else:
            drawn = 0
        slots = reserve_pairs(drawn and n, s.irecord, s.splat_start)
        s.fit_pairs(slots)
        self._workers.run(
            find_tiles, drawn and n, n, 0, s.record, s.irecord, tiles_x, s.splat_start, s.slot_tile, histogram
        )
        pairs = place_pairs(drawn, s.order, s.splat_start, s.slot_tile, histogram, tile_start, s.pair_splat)
        # The longest lists first, so that the workers finish together.
        tiles = np.argsort(tile_start[:-1] - tile_start[1:], kind="stable").astype(np.int32)
        rgb = np.empty((height, width, 3), np.float32)
        alpha = np.empty((height, width), np.float32)
        z = np.empty((height, width), np.float32) if depth else None
        self._workers.run(
            blend, np.zeros(1, np.int64), tiles, tiles_x, tile_start, s.pair_splat, s.record,
            self.alpha_max, np.asarray(background, np.float32), rgb, alpha, z,
        )  # fmt: skip
        done = ForwardPass(splats, cam, rgb, alpha, z, radii, drawn, pairs, tiles, tile_start, scratch)
        weakref.finalize(done, self._free.append, scratch).atexit = False
        return done

    def backward(self, done: ForwardPass, d_rgb: np.ndarray, d_alpha: np.ndarray | None = None) -> Gradients:
        """Gradients of a loss with respect to everything that :meth:`forward` was given.

        Args:
            done: what forward returned.
            d_rgb: [H, W, 3] dLoss/d rgb (the one with the background in it).
            d_alpha: [H, W] dLoss/d alpha, or None.
        """
        height, width = done.alpha.shape
        d_rgb = np.require(d_rgb, np.float32, ["C", "W"])
        d_alpha = np.zeros_like(done.alpha) if d_alpha is None else np.require(d_alpha, np.float32, ["C", "W"])
        if d_rgb.shape != (height, width, 3) or d_alpha.shape != (height, width):
            raise RenderError("The gradient of the picture does not have the picture's size.")
        s = done.scratch
        splats = done.splats
        n = splats.count
        sizes = (3, 4, 3, 3, 2)
        means, quaternions, scales, colors, means2d = (np.zeros((n, k), np.float32) for k in sizes)
        opacities = np.zeros(n, np.float32)
        s.fit_sums(done.pairs)
        self._workers.run(
            unblend, np.zeros(1, np.int64), done.tiles, -(-width // TILE), done.tile_start, s.pair_splat,
            s.record, self.alpha_max, done.rgb, done.alpha, d_rgb, d_alpha, s.sums,
        )  # fmt: skip
        if done.drawn:
            self._workers.run(
                gather, s.splat_start, s.slot_tile, s.sums, s.record, splats.means, splats.quaternions, splats.scales,
                splats.opacities, done.camera, means, quaternions, scales, opacities, colors, means2d,
            )  # fmt: skip
        return Gradients(means, quaternions, scales, opacities, colors, means2d)


def warmup(gradients: bool = False) -> None:
    """Compile, or load from the cache, every kernel that rendering (and training, with `gradients`) needs."""
    rasterizer = CpuRasterizer(threads=1)
    camera: Any = SimpleNamespace(
        width=8, height=8, K=np.array([[8.0, 0, 4], [0, 8, 4], [0, 0, 1]]), world_to_camera=np.eye(4)
    )
    one = np.ones((1, 3), np.float32)
    splats = Splats(one * [0, 0, 2], np.array([[1.0, 0, 0, 0]]), one * 0.1, np.ones(1), one)
    rasterizer.forward(splats, camera, depth=True)
    if gradients:
        done = rasterizer.forward(splats, camera)
        rasterizer.backward(done, np.ones_like(done.rgb))
