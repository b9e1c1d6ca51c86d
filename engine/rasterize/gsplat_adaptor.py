# SPDX-License-Identifier: GPL-3.0-or-later
"""The package gsplat behind the common interface, for those who have it, torch with CUDA and a card.

Whoever wants it hands it over: ``Renderer(avatar, GsplatRasterizer())``. Imports torch, so Blender never loads it. Not
measured on a GPU yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import RenderError
from . import Layer, Splats

if TYPE_CHECKING:
    from ..camera import Camera

CONTRACT = "1.5."
"""Versions whose image is this engine's; from 1.6 on a splat covers 0.99 of a pixel at most, not 0.999."""


class GsplatRasterizer:
    """gsplat's forward pass, one layer at a time."""

    name = "gsplat"

    def __init__(self, device: str = "cuda") -> None:
        """device: as torch names it. Raises RenderError: gsplat missing or of another version, no card."""
        try:
            import gsplat
        except ImportError as error:
            raise RenderError(f"The package gsplat cannot be loaded ({error}); install it or use 'cpu'.") from error
        version = str(getattr(gsplat, "__version__", "unknown"))
        if not version.startswith(CONTRACT):
            raise RenderError(f"gsplat {version} draws another picture than {CONTRACT}x; install gsplat 1.5.3.")
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise RenderError("torch sees no NVIDIA card; install a CUDA build of torch, or use 'cpu'.")
        self._rasterization: Any = gsplat.rasterization
        self._device = device

    def render(
        self, splats: Splats, camera: Camera, background: Sequence[float] = (0.0, 0.0, 0.0), depth: bool = True
    ) -> Layer:
        """Draw the splats as `camera` sees them over `background`."""
        splats = _finite(splats.contiguous())
        shape = (camera.height, camera.width)
        if splats.count == 0:
            rgb = np.broadcast_to(np.asarray(background, np.float32), (*shape, 3)).copy()
            return Layer(rgb, np.zeros(shape, np.float32), np.zeros(shape, np.float32) if depth else None)
        with torch.inference_mode():
            picture, alpha, _ = self._rasterization(
                *(
                    self._tensor(array)
                    for array in (splats.means, splats.quaternions, splats.scales, splats.opacities, splats.colors)
                ),
                self._tensor(camera.world_to_camera)[None],
                self._tensor(camera.K)[None],
                camera.width,
                camera.height,
                packed=False,
                render_mode="RGB+ED" if depth else "RGB",
            )
            picture, cover = picture[0].cpu().numpy(), alpha[0, ..., 0].cpu().numpy()
        rgb = picture[..., :3] + (1 - cover)[..., None] * np.asarray(background, np.float32)
        return Layer(rgb, cover, np.ascontiguousarray(picture[..., 3]) if depth else None)

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(np.asarray(array, np.float32), device=self._device)


def _finite(splats: Splats) -> Splats:
    """Without those that hold a number that is not finite, or no rotation."""
    columns = [splats.means, splats.quaternions, splats.scales, splats.opacities[:, None], splats.colors]
    kept = np.isfinite(np.concatenate(columns, 1)).all(1) & splats.quaternions.any(1)
    return Splats(*(array[kept] for array in vars(splats).values()))
