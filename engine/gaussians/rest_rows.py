# SPDX-License-Identifier: GPL-3.0-or-later
"""Gaussians at rest, as the kernels that pose them read them."""

from __future__ import annotations

import numpy as np

from ..motion.dense_ir import pack_rows
from .gaussian_set import GaussianSet
from .posing import opacities


def rest_rows(gaussians: GaussianSet, order: np.ndarray) -> np.ndarray:
    """The rows of ``posing_kernel`` (REST_MEAN and those after it), in blocks. order: [N] which Gaussian comes when."""
    with np.errstate(divide="ignore"):
        log_opacities = np.log2(opacities(gaussians))
    columns = (
        gaussians.means,
        gaussians.quaternions,
        gaussians.raw_scales,
        gaussians.head_weights[:, None],
        log_opacities[:, None],
        gaussians.sh.reshape(gaussians.count, 3 * gaussians.sh.shape[1]),
    )
    return pack_rows(np.concatenate(columns, axis=1)[order])
