# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses to start from: by weak perspective where there is a face, between the neighbours where there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .bundle_equations import Observations, blocks
from .head_pose_model import Poses, nearest_rotations, rotation_matrices, rotation_vectors


def weak_perspective(observed: Observations, shape: np.ndarray) -> Poses:
    """Start poses from the first group: the affine map from the shape to the pixels, and the rotation nearest to it."""
    marks = replace(observed, groups=observed.groups[:1])
    rotations, offsets = np.empty((len(observed), 3, 3)), np.empty((len(observed), 3))
    for block in blocks(len(observed)):
        pixels, seen = marks.read(block)
        w = seen / seen.sum(1, keepdims=True)
        middle, pixel_middle = w @ shape, np.einsum("tl,tkl->tk", w, pixels)
        moment = np.einsum("tl,li,lj->tij", w, shape, shape, optimize=True) - middle[:, :, None] * middle[:, None]
        mixed = np.einsum("tl,tkl,lj->tkj", w, pixels, shape, optimize=True)
        mixed -= pixel_middle[:, :, None] * middle[:, None]
        affine = np.linalg.solve(moment + 1e-9 * np.eye(3), mixed.transpose(0, 2, 1)).transpose(0, 2, 1)
        affine[:, 1] *= -1
        gain = np.linalg.norm(affine, axis=2).mean(1)
        rows = affine / np.linalg.norm(affine, axis=2, keepdims=True)
        turn = nearest_rotations(np.concatenate([rows, np.cross(rows[:, 0], rows[:, 1])[:, None]], axis=1))
        shift = (pixel_middle - observed.centre) * [1, -1] / gain[:, None]
        shift -= np.einsum("tij,tj->ti", turn, middle)[:, :2]
        rotations[block] = turn
        offsets[block] = np.concatenate([shift, -np.log(gain)[:, None]], axis=1)
    return Poses(rotations, offsets, np.zeros((len(observed), len(observed.certainty))))


def fill_gaps(poses: Poses, missing: np.ndarray) -> Poses:
    """Poses of the frames that are not missing -> of all, the missing ones between their neighbours."""
    known, frames = np.flatnonzero(~missing), np.arange(len(missing))
    offsets, amounts = (
        np.stack([np.interp(frames, known, column) for column in values.T], axis=1) if values.shape[1] else values
        for values in (poses.offsets, poses.amounts)
    )
    amounts = amounts if amounts.shape[1] else np.zeros((len(missing), 0))
    before = np.clip(np.searchsorted(known, frames, side="right") - 1, 0, len(known) - 1)
    after = np.minimum(before + 1, len(known) - 1)
    share = np.clip((frames - known[before]) / np.maximum(known[after] - known[before], 1), 0, 1)
    turn = rotation_vectors(poses.rotations[after] @ poses.rotations[before].transpose(0, 2, 1))
    return Poses(rotation_matrices(share[:, None] * turn) @ poses.rotations[before], offsets, amounts)
