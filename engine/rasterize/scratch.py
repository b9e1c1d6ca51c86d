# SPDX-License-Identifier: GPL-3.0-or-later
"""Working arrays of a pass, kept for the next one."""

from __future__ import annotations

import numpy as np

from .blending_ir import SUMS
from .record import RECORD


class Scratch:
    """They only ever grow; nothing that is in them means anything to the next pass."""

    def __init__(self) -> None:
        self.splats = -1
        self.pairs = -1
        self.sums = np.empty(0, np.float32)

    def fit_splats(self, n: int) -> None:
        """Make room for n splats."""
        if n <= self.splats:
            return
        self.splats = n
        flat = np.empty(n * RECORD + 16, np.float32)
        start = (-flat.ctypes.data // 4) % 16  # records on cache lines
        self.record = flat[start : start + n * RECORD].reshape(n, RECORD)
        self.irecord = self.record.view(np.int32)
        self.keys, self.order, self.keys_a, self.keys_b, self.order_b, self.radii = np.empty((6, n), np.int32)
        self.splat_start = np.empty(n + 1, np.int32)
        self.index = np.arange(n, dtype=np.int32)

    def fit_pairs(self, n: int) -> None:
        """Make room for n pairs of a splat and a tile."""
        if n > self.pairs:
            self.pairs = n + n // 4
            self.pair_splat, self.slot_tile = np.empty((2, self.pairs), np.int32)

    def fit_sums(self, n: int) -> None:
        """Make room for the gradient sums of n pairs."""
        if n * SUMS > len(self.sums):
            self.sums = np.empty((n + n // 4) * SUMS, np.float32)
