# SPDX-License-Identifier: GPL-3.0-or-later
"""An order of Gaussians in which neighbours in the picture are neighbours in memory."""

from __future__ import annotations

import numpy as np

BITS = 10
"""Steps of a side of the square that the Gaussians are seen in, as a power of two."""


def spatial_order(means: np.ndarray) -> np.ndarray:
    """int32 [N]: the rows of means [N,3] along a Z curve over x and y, the plane that a face is filmed in."""
    flat = means[:, :2].astype(np.float64)
    if len(flat) == 0:
        return np.zeros(0, np.int32)
    low, extent = flat.min(0), np.maximum(np.ptp(flat, axis=0).max(), 1e-9)
    place = np.minimum((flat - low) / extent * 2**BITS, 2**BITS - 1).astype(np.uint32)
    code = sum(((place >> bit) & 1)[:, axis] << np.uint32(2 * bit + axis) for bit in range(BITS) for axis in (0, 1))
    return np.argsort(code, kind="stable").astype(np.int32)
