# SPDX-License-Identifier: GPL-3.0-or-later
"""Pose Gaussians with gradients: the maths of :mod:`.posing` in torch, for training. Never imported inside Blender."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .sh import basis


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
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Deform, activate, colour and skin one set (arXiv 2508.10566, Eq (1): theta + delta).

    Returns means [N,3], quaternions [N,4] of unit length, scales [N,3] metres, opacities [N] 0..1, colors [N,3] >= 0.
    """
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
