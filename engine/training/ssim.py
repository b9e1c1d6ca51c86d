# SPDX-License-Identifier: GPL-3.0-or-later
"""Structural similarity and the photometric loss, with the gradient computed in the same go (Numba under torch).

SSIM after Wang et al. 2004 as Gaussian-splatting trainers use it: 11 x 11 Gaussian window of sigma 1.5, zero padding,
C1 = 0.01^2, C2 = 0.03^2, mean over all pixels and channels. Images stay interleaved [H, W, 3]: a row is one vector of
3 W numbers, whose neighbours along x are 3 apart.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from typing import Any

import numpy as np
import torch

from ..rasterize.compiled import kernel
from ..rasterize.cpu import available_threads

RADIUS = 5
SIGMA = 1.5
_CHANNELS = 3
_REACH = RADIUS * _CHANNELS

f4 = np.float32
u8 = np.uint64
C1, C2 = f4(0.01**2), f4(0.03**2)
ZERO, ONE, TWO = f4(0), f4(1), f4(2)
_window = np.exp(-((np.arange(RADIUS + 1) - RADIUS) ** 2) / (2 * SIGMA**2))
_window = _window / (2 * _window.sum() - _window[RADIUS])
_W0, _W1, _W2, _W3, _W4, _W5 = (f4(w) for w in _window)


@kernel
def _across(line, out):  # type: ignore[no-untyped-def]
    """Blur one padded row [RADIUS zeros | row | RADIUS zeros] along x."""
    c = u8(_CHANNELS)
    for x in range(u8(out.shape[0])):
        out[x] = (
            _W0 * (line[x] + line[x + u8(10) * c])
            + _W1 * (line[x + c] + line[x + u8(9) * c])
            + _W2 * (line[x + u8(2) * c] + line[x + u8(8) * c])
            + _W3 * (line[x + u8(3) * c] + line[x + u8(7) * c])
            + _W4 * (line[x + u8(4) * c] + line[x + u8(6) * c])
            + _W5 * line[x + u8(5) * c]
        )


@kernel
def _down(rows, y, out):  # type: ignore[no-untyped-def]
    """Blur along y into row y of the picture; `rows` has RADIUS rows of zeros above and below."""
    y = u8(y)
    for x in range(u8(out.shape[0])):
        out[x] = (
            _W0 * (rows[y, x] + rows[y + u8(10), x])
            + _W1 * (rows[y + u8(1), x] + rows[y + u8(9), x])
            + _W2 * (rows[y + u8(2), x] + rows[y + u8(8), x])
            + _W3 * (rows[y + u8(3), x] + rows[y + u8(7), x])
            + _W4 * (rows[y + u8(4), x] + rows[y + u8(6), x])
            + _W5 * rows[y + u8(5), x]
        )


@kernel
def _moments(worker, workers, a, b, blurred):  # type: ignore[no-untyped-def]
    """First pass: a, b, a^2, b^2 and ab, blurred along x, into blurred[0..4]."""
    height, length = a.shape
    line = np.zeros(length + 2 * _REACH, np.float32)
    inner = line[_REACH : _REACH + length]
    for y in range(height * worker // workers, height * (worker + 1) // workers):
        p, q = a[y], b[y]
        target = y + RADIUS
        for x in range(u8(length)):
            inner[x] = p[x]
        _across(line, blurred[0, target])
        for x in range(u8(length)):
            inner[x] = q[x]
        _across(line, blurred[1, target])
        for x in range(u8(length)):
            inner[x] = p[x] * p[x]
        _across(line, blurred[2, target])
        for x in range(u8(length)):
            inner[x] = q[x] * q[x]
        _across(line, blurred[3, target])
        for x in range(u8(length)):
            inner[x] = p[x] * q[x]
        _across(line, blurred[4, target])


@kernel
def _similarity(worker, workers, blurred, slopes, scale, want_gradient, row_sums):  # type: ignore[no-untyped-def]
    """Second pass: SSIM summed per row, and its slopes by mean(a), mean(a^2), mean(ab), blurred along x."""
    height, length = row_sums.shape[0], blurred.shape[2]
    m = np.empty((5, length), np.float32)
    lines = np.zeros((3, length + 2 * _REACH), np.float32)
    d_mean, d_square, d_product = (
        lines[0, _REACH : _REACH + length],
        lines[1, _REACH : _REACH + length],
        lines[2, _REACH : _REACH + length],
    )
    m0, m1, m2, m3, m4 = m[0], m[1], m[2], m[3], m[4]
    for y in range(height * worker // workers, height * (worker + 1) // workers):
        for j in range(5):
            _down(blurred[j], y, m[j])
        for x in range(u8(length)):
            u, v = m0[x], m1[x]
            uu, vv, uv = u * u, v * v, u * v
            luminance, structure = TWO * uv + C1, TWO * (m4[x] - uv) + C2
            c, d = uu + vv + C1, (m2[x] - uu) + (m3[x] - vv) + C2
            inverse = ONE / (c * d)
            s = luminance * structure * inverse
            m4[x] = s
            d_mean[x] = scale * (TWO * v * (structure - luminance) * inverse + TWO * u * s * (c - d) * inverse)
            d_square[x] = -scale * s * c * inverse
            d_product[x] = scale * TWO * luminance * inverse
        total = 0.0
        for x in range(length):
            total += m4[x]
        row_sums[y] = total
        if want_gradient:
            for j in range(3):
                _across(lines[j], slopes[j, y + RADIUS])


@kernel
def _gradient(worker, workers, a, b, slopes, l1_scale, gradient, row_l1):  # type: ignore[no-untyped-def]
    """Third pass: the loss's gradient by a, and |a - b| summed per row."""
    height, length = a.shape
    m = np.empty((3, length), np.float32)
    m0, m1, m2 = m[0], m[1], m[2]
    for y in range(height * worker // workers, height * (worker + 1) // workers):
        for j in range(3):
            _down(slopes[j], y, m[j])
        p, q, out = a[y], b[y], gradient[y]
        for x in range(u8(length)):
            difference = p[x] - q[x]
            sign = (ONE if difference > ZERO else ZERO) - (ONE if difference < ZERO else ZERO)
            out[x] = m0[x] + TWO * p[x] * m1[x] + q[x] * m2[x] + l1_scale * sign
        total = 0.0
        for x in range(length):
            total += abs(p[x] - q[x])
        row_l1[y] = total


@lru_cache(maxsize=4)
def _workspaces(height: int, length: int) -> list[np.ndarray]:
    """Unused scratch arrays for pictures of one size. Taking and giving back are atomic."""
    return []


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(available_threads(), "ssim")


def _run(function: Any, *args: Any) -> None:
    workers = available_threads()
    for job in [_pool().submit(function, k, workers, *args) for k in range(workers)]:
        job.result()


def ssim_and_gradient(
    image: np.ndarray, target: np.ndarray, ssim_weight: float = 1.0, l1_weight: float = 0.0, gradient: bool = True
) -> tuple[float, float, np.ndarray | None]:
    """Mean SSIM, mean absolute error (0 unless `gradient`), and d(ssim_weight * ssim + l1_weight * l1)/d(image).

    Args:
        image: [H, W, 3] float32, C-contiguous.
        target: the same.
        ssim_weight, l1_weight: what the gradient is of.
        gradient: whether to compute it at all.
    """
    height, _, channels = image.shape
    if channels != _CHANNELS or image.shape != target.shape:
        raise ValueError(f"two [H, W, 3] images of one size are needed, not {image.shape} and {target.shape}")
    a = np.require(image, np.float32, ["C", "W"]).reshape(height, -1)
    b = np.require(target, np.float32, ["C", "W"]).reshape(height, -1)
    length = a.shape[1]
    try:
        workspace = _workspaces(height, length).pop()
    except IndexError:
        # The rows of zeros above and below are the padding; nothing ever writes into them.
        workspace = np.zeros((8, height + 2 * RADIUS, length), np.float32)
    blurred, slopes = workspace[:5], workspace[5:]
    row_ssim, row_l1 = np.zeros(height), np.zeros(height)
    _run(_moments, a, b, blurred)
    _run(_similarity, blurred, slopes, f4(ssim_weight / a.size), gradient, row_ssim)
    out = None
    if gradient:
        out = np.empty_like(a)
        _run(_gradient, a, b, slopes, f4(l1_weight / a.size), out, row_l1)
        out = out.reshape(image.shape)
    _workspaces(height, length).append(workspace)
    return float(row_ssim.sum() / a.size), float(row_l1.sum() / a.size), out


class _Photometric(torch.autograd.Function):
    """Of its three results only the first has a gradient."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, image: torch.Tensor, target: torch.Tensor, ssim_weight: float
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        # The mean absolute error comes with the gradient.
        ssim, l1, ctx.gradient = ssim_and_gradient(image.detach().numpy(), target.detach().numpy(), -ssim_weight, 1.0)
        loss, *parts = (image.new_tensor(value) for value in (l1 + ssim_weight * (1 - ssim), l1, ssim))
        ctx.mark_non_differentiable(*parts)
        return loss, parts[0], parts[1]

    @staticmethod
    def backward(ctx: Any, *upstream: torch.Tensor) -> tuple[Any, ...]:
        return torch.from_numpy(ctx.gradient) * upstream[0], None, None


def photometric(
    image: torch.Tensor, target: torch.Tensor, ssim_weight: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """|image - target| + w (1 - SSIM), and its parts |image - target| and SSIM; all are means over the picture.

    The photometric loss of 3D Gaussian splatting (arXiv 2308.04079, Eq (7)) but for the factor 1 - w of its first
    part, as METHOD 3.1 has it.

    Args:
        image: [H, W, 3] float32 on the CPU, 0..1; the loss is differentiable by it.
        target: the same.
        ssim_weight: w.
    """
    found: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
    found = _Photometric.apply(image, target, ssim_weight)
    return found
