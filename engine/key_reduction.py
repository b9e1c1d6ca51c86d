# SPDX-License-Identifier: GPL-3.0-or-later
"""Fewer keys for a curve of straight lines, within an error that somebody chose.

The keys that stay keep their values, so the curve can be off only in between, and there no more than the error: the
largest distance of two curves of straight lines lies at a key of one of them. Walking on from a kept key, a cone holds
the slopes that pass every value so far within the error; the last key that lies inside its cone is the next to stay.
"""

from __future__ import annotations

import math

import numpy as np


def kept_keys(values: np.ndarray, error: float) -> np.ndarray:
    """Indices (int64, ascending, with the first and the last) of the keys that stay.

    values: [T] at evenly spaced times. error: largest allowed distance, at least 0; 0 drops only keys on exact lines.
    """
    if not error >= 0:
        raise ValueError(f"error is {error}; it is at least 0")
    count = len(values)
    if count <= 2:
        return np.arange(count)
    row = np.asarray(values, np.float64).tolist()
    kept = [0]
    start = 0
    while start < count - 1:
        low, high = -math.inf, math.inf
        base, best, index = row[start], start + 1, start + 1
        while index < count and low <= high:
            steps = index - start
            rise = row[index] - base
            slope = rise / steps
            if low <= slope <= high:
                best = index
            low, high = max(low, (rise - error) / steps), min(high, (rise + error) / steps)
            index += 1
        kept.append(best)
        start = best
    return np.array(kept, np.int64)


def largest_error(values: np.ndarray, kept: np.ndarray) -> float:
    """Largest distance between a curve [T] and what is left of it."""
    places = np.arange(len(values))
    return float(np.abs(np.interp(places, kept, np.asarray(values)[kept]) - values).max(initial=0.0))
