# SPDX-License-Identifier: GPL-3.0-or-later
"""Gaussian-splat rasterizers: one image contract, several implementations.

The contract is gsplat 1.5.3, pinhole, ``rasterize_mode="classic"``: every implementation gives the same image up to
float32 rounding. :func:`create` picks one by name:

``"cpu"``
    The default. Numba kernels on a thread pool; needs numpy and numba only. Forward and backward.
``"reference"``
    Slow float64 oracle in torch, for tests and for looking up what is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..errors import RenderError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..camera import Camera

NAMES = ("cpu", "reference")
"""Names that :func:`create` knows."""


@dataclass
class Splats:
    """N Gaussians ready to draw: posed, activated, colours already evaluated for the viewing direction.

    All arrays are float32, writeable and C-contiguous after :meth:`contiguous`. Splats with a value that is not finite
    are not drawn.
    """

    means: np.ndarray
    """[N, 3] centres in world space, metres."""
    quaternions: np.ndarray
    """[N, 4] rotations as (w, x, y, z); need not be normalised."""
    scales: np.ndarray
    """[N, 3] standard deviations along the rotated axes, metres, > 0."""
    opacities: np.ndarray
    """[N] in 0..1."""
    colors: np.ndarray
    """[N, 3] >= 0, in whatever colour space the picture shall have."""

    @property
    def count(self) -> int:
        """N."""
        return len(self.means)

    def contiguous(self) -> Splats:
        """The same splats as float32 C-contiguous arrays (no copy where they already are); checks the shapes.

        Raises:
            RenderError: the arrays do not belong together.
        """
        n = len(self.means)
        shapes = {"means": (n, 3), "quaternions": (n, 4), "scales": (n, 3), "opacities": (n,), "colors": (n, 3)}
        arrays = {}
        for name, shape in shapes.items():
            array = np.require(getattr(self, name), np.float32, ["C", "W"])
            if array.shape != shape:
                raise RenderError(f"The splats' {name} have the shape {array.shape} where {shape} is needed.")
            arrays[name] = array
        return Splats(**arrays)


@dataclass
class Layer:
    """One rendered layer, row 0 at the top, float32."""

    rgb: np.ndarray
    """[H, W, 3] premultiplied by alpha; the background, if one was given, is already added."""
    alpha: np.ndarray
    """[H, W] in 0..1: what covers the background."""
    depth: np.ndarray | None = None
    """[H, W] expected camera depth, sum(w z) / alpha in metres, 0 where nothing was drawn; None if not asked for."""


class Rasterizer(Protocol):
    """What every rasterizer can do."""

    name: str

    def render(
        self, splats: Splats, camera: Camera, background: Sequence[float] = (0.0, 0.0, 0.0), depth: bool = True
    ) -> Layer:
        """Draw the splats as `camera` sees them, over `background` (3 floats, premultiplied into the rgb)."""
        ...


def create(name: str = "cpu", threads: int | None = None) -> Rasterizer:
    """Make the rasterizer called `name` (one of :data:`NAMES`).

    Args:
        name: implementation.
        threads: worker threads for implementations that have them; None takes all the cores this process may use.

    Raises:
        RenderError: an unknown name, or a package that the implementation needs is missing.
    """
    if name == "cpu":
        try:
            from .cpu import CpuRasterizer
        except ImportError as error:
            raise RenderError(
                f"The CPU rasterizer needs the package numba, which cannot be loaded ({error})."
            ) from error
        return CpuRasterizer(threads=threads)
    if name == "reference":
        try:
            from .reference import ReferenceRasterizer
        except ImportError as error:
            raise RenderError(f"The reference rasterizer needs torch; install it or use 'cpu' ({error}).") from error
        return ReferenceRasterizer()
    raise RenderError(f"There is no rasterizer called {name!r}; choose one of {', '.join(NAMES)}.")
