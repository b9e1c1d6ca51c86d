# SPDX-License-Identifier: GPL-3.0-or-later
"""From rest to the screen, 32 Gaussians at a time: deform, pose, project, store the record (Numba)."""

from __future__ import annotations

import numpy as np

from ..gaussians.posing_kernel import OFFSET, REST_SH, ROWS, pose_block
from ..motion.portable_fields import FACE_HIDDEN, SCRATCH, face_block, mouth_block
from ..rasterize.compiled import kernel
from ..rasterize.projection import project_rows, store_records
from ..rasterize.splat_rows import BLOCK
from ..rasterize.vector_ir import take_next

SHARE = 16
"""Blocks that a worker takes at a time."""


@kernel
def splat_face(
    worker, workers, counter, moving, constants, w1, w2, w3, scale, rest, coefficients, index,
    common, camera, width, height, start, record, irecord, radii, keys,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """All face Gaussians, block by block until none is left; the first `moving` blocks have constants (face_block).

    rest: rows for pose_block; index int32 [N]: which sort key is that of the Gaussian at each place of the blocks.
    Records follow the blocks, from `start` on, so that what is drawn together lies together.
    """
    count = index.shape[0]
    blocks = (count + BLOCK - 1) // BLOCK
    scratch, rows = np.zeros(SCRATCH, np.float32), np.zeros(ROWS * BLOCK, np.float32)
    awake = np.empty(FACE_HIDDEN + 1, np.int64)
    while True:
        first = take_next(counter) * SHARE
        if first >= blocks:
            break
        for block in range(first, min(blocks, first + SHARE)):
            if block < moving:
                face_block(block, constants, w1, w2, w3, scale, scratch, awake, rows, OFFSET * BLOCK)
            else:
                rows[OFFSET * BLOCK : (OFFSET + 10) * BLOCK] = np.float32(0)
            pose_block(rest, block * (REST_SH + coefficients) * BLOCK, coefficients, common, rows)
            project_rows(rows, camera, width, height)
            inside = min(BLOCK, count - block * BLOCK)
            store_records(inside, rows, start + block * BLOCK, index, block * BLOCK, record, irecord, radii, keys)


@kernel
def splat_mouth(
    worker, workers, counter, constants, bias, w2, w3, scale, rest, coefficients, index,
    common, camera, width, height, start, record, irecord, radii, keys,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """All mouth Gaussians, as splat_face."""
    count = index.shape[0]
    blocks = (count + BLOCK - 1) // BLOCK
    scratch, rows = np.zeros(SCRATCH, np.float32), np.zeros(ROWS * BLOCK, np.float32)
    awake = np.empty(FACE_HIDDEN + 1, np.int64)
    while True:
        first = take_next(counter) * SHARE
        if first >= blocks:
            break
        for block in range(first, min(blocks, first + SHARE)):
            mouth_block(block, constants, bias, w2, w3, scale, scratch, awake, rows, OFFSET * BLOCK)
            pose_block(rest, block * (REST_SH + coefficients) * BLOCK, coefficients, common, rows)
            project_rows(rows, camera, width, height)
            inside = min(BLOCK, count - block * BLOCK)
            store_records(inside, rows, start + block * BLOCK, index, block * BLOCK, record, irecord, radii, keys)
