# SPDX-License-Identifier: GPL-3.0-or-later
"""How much a mean would change with other clips, recordings or people of the same kind."""

from __future__ import annotations

import numpy as np

DRAWS = 2000


def mean_interval(values: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the mean of `values` [n], percentiles of a bootstrap."""
    draws = np.random.default_rng(seed).integers(0, len(values), (DRAWS, len(values)))
    low, high = np.percentile(values[draws].mean(1), (2.5, 97.5))
    return float(low), float(high)
