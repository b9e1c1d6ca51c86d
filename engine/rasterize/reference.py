# SPDX-License-Identifier: GPL-3.0-or-later
"""The image contract spelled out in torch float64: slow, clear, differentiable by autograd. The oracle of the tests.

Source: gsplat 1.5.3 (Utils.cuh, ProjectionEWA3DGSFused.cu, IntersectTile.cu, RasterizeToPixels3DGSFwd.cu), pinhole,
``rasterize_mode="classic"``, in our own words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from . import Layer, Splats

if TYPE_CHECKING:
    from ..camera import Camera

NEAR, FAR = 0.01, 1e10
BLUR = 0.3
ALPHA_MIN = 1.0 / 255.0
ALPHA_MAX = 0.999
MAX_EXTENT = 3.33
TRANSMITTANCE_STOP = 1e-4
_TILE = 32


@dataclass
class Projected:
    """Splats on the screen."""

    means2d: torch.Tensor
    """[N, 2] pixels, the image corner is (0, 0)."""
    depths: torch.Tensor
    """[N] camera z."""
    conics: torch.Tensor
    """[N, 3] (a, b, c) of the inverse 2D covariance."""
    radii: torch.Tensor
    """[N, 2] whole pixels."""
    drawn: torch.Tensor
    """[N] bool: survives culling."""


def rotation_matrices(quaternions: torch.Tensor) -> torch.Tensor:
    """[N, 3, 3] from [N, 4] (w, x, y, z) of any length."""
    w, x, y, z = torch.nn.functional.normalize(quaternions, dim=-1).unbind(-1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def project(
    means: torch.Tensor,
    quaternions: torch.Tensor,
    scales: torch.Tensor,
    opacities: torch.Tensor,
    camera: Camera,
) -> Projected:
    """EWA projection, in the dtype of the means."""
    view = torch.as_tensor(np.asarray(camera.world_to_camera), dtype=means.dtype)
    k = np.asarray(camera.K, dtype=np.float64)
    fx, fy, cx, cy = k[0, 0], k[1, 1], k[0, 2], k[1, 2]
    width, height = camera.width, camera.height
    rotation, translation = view[:3, :3], view[:3, 3]
    x, y, z = (means @ rotation.T + translation).unbind(-1)
    half = rotation_matrices(quaternions) * scales[:, None, :]
    covariance = rotation @ (half @ half.transpose(1, 2)) @ rotation.T
    margin_x, margin_y = 0.3 * 0.5 * width / fx, 0.3 * 0.5 * height / fy
    u = torch.clamp(x / z, -(cx / fx + margin_x), (width - cx) / fx + margin_x)
    v = torch.clamp(y / z, -(cy / fy + margin_y), (height - cy) / fy + margin_y)
    zero = torch.zeros_like(z)
    jacobian = torch.stack([fx / z, zero, -fx * u / z, zero, fy / z, -fy * v / z], -1).reshape(-1, 2, 3)
    flat = jacobian @ covariance @ jacobian.transpose(1, 2)
    xx, xy, yy = flat[:, 0, 0] + BLUR, flat[:, 0, 1], flat[:, 1, 1] + BLUR
    determinant = xx * yy - xy * xy
    conics = torch.stack([yy / determinant, -xy / determinant, xx / determinant], -1)
    means2d = torch.stack([fx * x / z + cx, fy * y / z + cy], -1)
    with torch.no_grad():
        reach = torch.sqrt(2 * torch.log((opacities / ALPHA_MIN).clamp(min=1.0)))
        extent = reach.clamp(max=MAX_EXTENT)
        radii = torch.stack([torch.ceil(extent * xx.sqrt()), torch.ceil(extent * yy.sqrt())], -1)
        low, high = means2d - radii, means2d + radii
        drawn = (z >= NEAR) & (z <= FAR) & (determinant > 0) & (opacities >= ALPHA_MIN) & (radii > 0).any(-1)
        drawn &= (high[:, 0] > 0) & (low[:, 0] < width) & (high[:, 1] > 0) & (low[:, 1] < height)
    return Projected(means2d, z, conics, radii, drawn)


def _blend(
    screen: Projected, opacities: torch.Tensor, colors: torch.Tensor, pixels: torch.Tensor, alpha_max: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Colours and alpha of `pixels` [P, 2] (centres) from splats already in depth order."""
    dx = screen.means2d[:, 0] - pixels[:, :1]
    dy = screen.means2d[:, 1] - pixels[:, 1:]
    a, b, c = screen.conics.unbind(-1)
    sigma = 0.5 * (a * dx * dx + c * dy * dy) + b * dx * dy
    alpha = torch.clamp(opacities * torch.exp(-sigma), max=alpha_max)
    alpha = torch.where((sigma >= 0) & (alpha >= ALPHA_MIN), alpha, torch.zeros_like(alpha))
    after = torch.cumprod(1 - alpha, 1)
    with torch.no_grad():
        stopped = torch.cumsum((after <= TRANSMITTANCE_STOP) & (alpha > 0), 1) > 0
    alpha = torch.where(stopped, torch.zeros_like(alpha), alpha)
    after = torch.cumprod(1 - alpha, 1)
    before = torch.cat([torch.ones_like(after[:, :1]), after[:, :-1]], 1)
    weights = alpha * before
    return weights @ colors, weights.sum(1)


def rasterize(
    means: torch.Tensor,
    quaternions: torch.Tensor,
    scales: torch.Tensor,
    opacities: torch.Tensor,
    colors: torch.Tensor,
    camera: Camera,
    background: Sequence[float] = (0.0, 0.0, 0.0),
    alpha_max: float = ALPHA_MAX,
    dtype: torch.dtype = torch.float64,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """rgb [H, W, 3], alpha [H, W], expected depth [H, W] and radii [N]; inputs of any float dtype.

    Differentiable in the first five arguments. Splats that are not finite are left out. Everything is computed in
    `dtype`; only float64 is an oracle.
    """
    inputs = [t.to(dtype) for t in (means, quaternions, scales, opacities[:, None], colors)]
    finite = torch.cat(inputs, 1).isfinite().all(1) & (inputs[1].abs().sum(1) > 0)
    kept = torch.nonzero(finite)[:, 0]
    means, quaternions, scales, opacities, colors = (t[kept] for t in inputs)
    opacities = opacities[:, 0]
    screen = project(means, quaternions, scales, opacities, camera)
    radii = torch.zeros(len(finite), dtype=torch.int32)
    radii[kept] = torch.where(screen.drawn, screen.radii.amax(1), torch.zeros_like(screen.depths)).to(torch.int32)

    # Depth order is the order of the float32 z, ties in the splats' own order.
    order = torch.argsort(screen.depths.detach().to(torch.float32), stable=True)
    order = order[screen.drawn[order]]
    screen = Projected(*(t[order] for t in vars(screen).values()))
    opacities = opacities[order]
    channels = torch.cat([colors[order], screen.depths[:, None]], 1)
    low, high = (screen.means2d - screen.radii).detach(), (screen.means2d + screen.radii).detach()

    rows, covers = [], []
    for top in range(0, camera.height, _TILE):
        row, cover = [], []
        for left in range(0, camera.width, _TILE):
            w, h = min(_TILE, camera.width - left), min(_TILE, camera.height - top)
            inside = (high[:, 0] > left) & (low[:, 0] < left + w) & (high[:, 1] > top) & (low[:, 1] < top + h)
            here = torch.nonzero(inside)[:, 0]
            y, x = torch.meshgrid(torch.arange(top, top + h), torch.arange(left, left + w), indexing="ij")
            pixels = torch.stack([x.reshape(-1), y.reshape(-1)], 1).to(dtype) + 0.5
            if len(here) == 0:
                color, alpha = torch.zeros(w * h, 4, dtype=dtype), torch.zeros(w * h, dtype=dtype)
            else:
                tile = Projected(*(t[here] for t in vars(screen).values()))
                color, alpha = _blend(tile, opacities[here], channels[here], pixels, alpha_max)
            row.append(color.reshape(h, w, 4))
            cover.append(alpha.reshape(h, w))
        rows.append(torch.cat(row, 1))
        covers.append(torch.cat(cover, 1))
    picture, alpha = torch.cat(rows), torch.cat(covers)
    rgb = picture[..., :3] + (1 - alpha)[..., None] * torch.as_tensor(background, dtype=dtype)
    return rgb, alpha, picture[..., 3] / alpha.clamp(min=1e-10), radii


class ReferenceRasterizer:
    """The oracle behind the common interface."""

    name = "reference"

    def __init__(self, alpha_max: float = ALPHA_MAX) -> None:
        self.alpha_max = alpha_max

    def render(
        self, splats: Splats, camera: Camera, background: Sequence[float] = (0.0, 0.0, 0.0), depth: bool = True
    ) -> Layer:
        """Draw the splats as `camera` sees them over `background`, in float64, returned as float32."""
        splats = splats.contiguous()
        with torch.no_grad():
            rgb, alpha, z, _ = rasterize(
                torch.from_numpy(splats.means),
                torch.from_numpy(splats.quaternions),
                torch.from_numpy(splats.scales),
                torch.from_numpy(splats.opacities),
                torch.from_numpy(splats.colors),
                camera,
                background,
                self.alpha_max,
            )
        rgb32, alpha32, z32 = (t.numpy().astype(np.float32) for t in (rgb, alpha, z))
        return Layer(rgb32, alpha32, z32 if depth else None)
