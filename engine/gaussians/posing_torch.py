# SPDX-License-Identifier: GPL-3.0-or-later
"""Pose Gaussians with gradients: the maths of :mod:`.posing` for training. Never imported inside Blender."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..rasterize.workers import Workers
from .posing import common_row
from .posing_gradient import pose_gradient_rows
from .posing_kernel import pose_rows
from .sh import basis

Posed = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def pose_torch(
    means: Tensor,  # [N,3] metres
    raw_scales: Tensor,  # [N,3]
    quats: Tensor,  # [N,4] wxyz, any length
    raw_opacities: Tensor,  # [N]
    sh: Tensor,  # [N,K,3], K 1, 4 or 9
    head_weights: Tensor,  # [N] 0..1
    offsets: Tensor | None,  # [N,10] d_mu, d_q, d_s; [N,3] d_mu alone; None: the canonical face
    head_rotation: Tensor,  # [3,3]
    head_translation: Tensor,  # [3] metres
    pivot: Tensor,  # [3] metres
    camera_position: Tensor,  # [3] metres
    workers: Workers | None = None,
) -> Posed:
    """Deform, activate, colour and skin one set (arXiv 2508.10566, Eq (1): theta + delta).

    Returns means [N,3], quaternions [N,4] of unit length, scales [N,3] metres, opacities [N] 0..1, colors [N,3] >= 0.
    float32 on a CPU runs in one fused pass, where head, pivot and camera want no gradient, on the threads of `workers`.
    """
    where = (head_weights, head_rotation, head_translation, pivot, camera_position)
    what = (means, raw_scales, quats, raw_opacities, sh) if offsets is None else (means, quats, sh, offsets)
    fused = not any(tensor.requires_grad for tensor in where) and all(
        tensor.dtype == torch.float32 and tensor.device.type == "cpu" for tensor in what
    )
    if not fused:
        return pose_torch_plain(means, raw_scales, quats, raw_opacities, sh, head_weights, offsets, *where[1:])
    common = common_row(*(tensor.double().numpy() for tensor in where[1:]))
    return _FusedPose.apply(means, raw_scales, quats, raw_opacities, sh, offsets, head_weights, common, workers)


def pose_torch_plain(
    means: Tensor,
    raw_scales: Tensor,
    quats: Tensor,
    raw_opacities: Tensor,
    sh: Tensor,
    head_weights: Tensor,
    offsets: Tensor | None,
    head_rotation: Tensor,
    head_translation: Tensor,
    pivot: Tensor,
    camera_position: Tensor,
) -> Posed:
    """As :func:`pose_torch`, in torch operations: any type and device, gradients to everything."""
    if offsets is not None:
        means = means + offsets[:, :3]
        if offsets.shape[1] == 10:
            quats = quats + offsets[:, 3:7]
            raw_scales = raw_scales + offsets[:, 7:10]
    weight = head_weights[:, None]

    camera_in_head = head_rotation.T @ (camera_position - pivot - head_translation) + pivot
    direction = functional.normalize(means - ((1 - weight) * camera_position + weight * camera_in_head), dim=1)
    degree = (1, 4, 9).index(sh.shape[1])
    values = torch.stack(basis(direction[:, 0], direction[:, 1], direction[:, 2], degree), 1)
    colors = ((values[:, :, None] * sh).sum(1) + 0.5).clamp_min(0)

    posed = (means - pivot) @ head_rotation.T + pivot + head_translation
    turn = quaternion_from_matrix_torch(head_rotation)
    identity = torch.zeros_like(turn)
    identity[0] = 1
    blend = functional.normalize((1 - weight) * identity + weight * turn, dim=1)
    quaternions = multiply(blend, functional.normalize(quats, dim=1))
    scales = functional.softplus(raw_scales)
    return (1 - weight) * means + weight * posed, quaternions, scales, torch.sigmoid(raw_opacities), colors


class _FusedPose(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        means: Tensor,
        raw_scales: Tensor,
        quats: Tensor,
        raw_opacities: Tensor,
        sh: Tensor,
        offsets: Tensor | None,
        head_weights: Tensor,
        common: np.ndarray,
        workers: Workers | None,
    ) -> Posed:
        count = len(means)
        moved = np.zeros((count, 3), np.float32) if offsets is None else _array(offsets)
        opacities = torch.sigmoid(raw_opacities)
        inputs = (_array(means), _array(raw_scales), _array(quats))
        flat, weights = _array(sh).reshape(count, 3 * sh.shape[1]), _array(head_weights)
        out = [np.empty((count, width), np.float32) for width in (3, 4, 3, 3)]
        _spread(count, workers, lambda start, stop: pose_rows(start, stop, *inputs, flat, weights, moved, common, *out))
        ctx.save_for_backward(means, raw_scales, quats, sh, head_weights, opacities, offsets)
        ctx.common, ctx.workers = common, workers
        posed_means, quaternions, scales, colors = (torch.from_numpy(array) for array in out)
        return posed_means, quaternions, scales, opacities, colors

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        means, raw_scales, quats, sh, head_weights, opacities, offsets = ctx.saved_tensors
        count = len(means)
        moved = np.zeros((count, 3), np.float32) if offsets is None else _array(offsets)
        inputs = (_array(means), _array(raw_scales), _array(quats), _array(opacities))
        flat, weights = _array(sh).reshape(count, 3 * sh.shape[1]), _array(head_weights)
        d_means, d_quaternions, d_scales, d_opacities, d_colors = (_array(gradient) for gradient in gradients)
        upstream = (d_means, d_quaternions, d_scales, d_opacities, d_colors)
        out = np.empty((count, 10), np.float32)
        out_opacities, out_sh = np.empty(count, np.float32), np.empty(flat.shape, np.float32)
        _spread(
            count,
            ctx.workers,
            lambda start, stop: pose_gradient_rows(
                start, stop, *inputs, flat, weights, moved, ctx.common, *upstream, out, out_opacities, out_sh
            ),
        )
        whole = torch.from_numpy(out)
        d_offsets = None if offsets is None else whole[:, : offsets.shape[1]]
        d_sh = torch.from_numpy(out_sh).view(sh.shape)
        learning = (whole[:, :3], whole[:, 7:], whole[:, 3:7], torch.from_numpy(out_opacities), d_sh, d_offsets)
        return *learning, None, None, None


def _array(tensor: Tensor) -> np.ndarray:
    return np.asarray(tensor.detach().contiguous().numpy())


def _spread(count: int, workers: Workers | None, work: Callable[[int, int], None]) -> None:
    """Do rows 0..count, which have nothing to do with each other."""
    if workers is None:
        work(0, count)
    else:
        workers.run(lambda worker, of: work(count * worker // of, count * (worker + 1) // of))


def quaternion_from_matrix_torch(matrix: Tensor) -> Tensor:
    """Unit quaternion [4] w, x, y, z with w >= 0 of a rotation [3,3] of less than half a turn, differentiable."""
    w = 0.5 * torch.sqrt((1 + matrix[0, 0] + matrix[1, 1] + matrix[2, 2]).clamp_min(1e-8))
    x = matrix[2, 1] - matrix[1, 2]
    y = matrix[0, 2] - matrix[2, 0]
    z = matrix[1, 0] - matrix[0, 1]
    return functional.normalize(torch.stack([w, x / (4 * w), y / (4 * w), z / (4 * w)]), dim=0)


def multiply(a: Tensor, b: Tensor) -> Tensor:
    """Hamilton product of quaternions [N,4] wxyz: first b, then a."""
    aw, ax, ay, az = a.unbind(1)
    bw, bx, by, bz = b.unbind(1)
    return torch.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        1,
    )
