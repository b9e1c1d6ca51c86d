# SPDX-License-Identifier: GPL-3.0-or-later
"""What is launched for a batch of frames and how much memory it takes: arithmetic only, no card needed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...errors import RenderError
from . import layout

MOST_IN_A_GRID = 65_535
"""CUDA's limit for the second and third size of a grid: rows of tiles, and frames of a batch."""
MOST_PAIRS = 1 << 30
"""Pairs of a splat and a tile in a frame; their number must fit an int32."""
FIRST_PAIRS = 8
"""Pairs that are made room for to begin with, a Gaussian."""


@dataclass(frozen=True)
class Sizes:
    """A batch of frames of one size."""

    face: int
    """Gaussians."""
    mouth: int
    width: int
    """Pixels."""
    height: int
    frames: int
    capacity: int
    """Pairs of a splat and a tile that there is room for, in each frame."""

    @property
    def tiles_x(self) -> int:
        return -(-self.width // layout.TILE)

    @property
    def tiles_y(self) -> int:
        return -(-self.height // layout.TILE)

    @property
    def entries(self) -> int:
        """Lists of splats in a frame."""
        return layout.LAYERS * self.tiles_x * self.tiles_y

    @property
    def gaussians(self) -> int:
        return self.face + self.mouth


@dataclass(frozen=True)
class Launch:
    """One kernel call."""

    kernel: str
    grid: tuple[int, int, int]
    threads: int


def first_sizes(face: int, mouth: int, width: int, height: int, frames: int) -> Sizes:
    """Sizes with room for an ordinary picture. Raises RenderError where the card's grid has no place for the batch."""
    sizes = Sizes(face, mouth, width, height, frames, FIRST_PAIRS * (face + mouth) + 1024)
    if not 1 <= frames <= MOST_IN_A_GRID or sizes.tiles_y > MOST_IN_A_GRID:
        raise RenderError(f"{frames} frames of {width} x {height} pixels cannot be drawn together; draw fewer at once.")
    return sizes


def grown(sizes: Sizes, needed: int) -> Sizes:
    """Room for `needed` pairs a frame and a quarter more. Raises RenderError where they can never be numbered."""
    if needed > MOST_PAIRS:
        raise RenderError(
            f"A frame of {sizes.width} x {sizes.height} pixels has {needed} pairs of a Gaussian and a tile, more than "
            "can be drawn; choose a smaller size."
        )
    return replace(sizes, capacity=min(MOST_PAIRS, needed + needed // 4))


def launches(sizes: Sizes, linear: bool) -> tuple[Launch, ...]:
    """The kernels of a batch, in order. A layer without Gaussians has no launch: a grid may not be empty."""

    def rows(kernel: str, count: int, threads: int = layout.SPLAT_THREADS) -> list[Launch]:
        return [Launch(kernel, (-(-count // threads), sizes.frames, 1), threads)] if count else []

    return (
        *rows("clear_tiles", sizes.entries),
        *rows("splat_face", sizes.face),
        *rows("splat_mouth", sizes.mouth),
        Launch("scan_tiles", (1, sizes.frames, 1), layout.SCAN_THREADS),
        *rows("fill_tiles", sizes.gaussians),
        Launch("draw_linear" if linear else "draw_srgb8", (sizes.tiles_x, sizes.tiles_y, sizes.frames), layout.PIXELS),
    )


def batch_bytes(sizes: Sizes) -> dict[str, int]:
    """Bytes on the card for each buffer that belongs to a batch, as named in layout.POINTERS."""
    pixels = sizes.width * sizes.height
    each = {
        "drives": 4 * layout.DRIVE,
        "record": 4 * layout.RECORD * sizes.gaussians,
        "box": 4 * 4 * sizes.gaussians,
        "count": 4 * sizes.entries,
        "start": 4 * (sizes.entries + 1),
        "cursor": 4 * sizes.entries,
        "keys": 8 * sizes.capacity,
        "totals": 8,
        "rgba": 16 * pixels,
        "depth": 4 * pixels,
        "srgb8": 4 * pixels,
    }
    return {name: max(1, size) * sizes.frames for name, size in each.items()}
