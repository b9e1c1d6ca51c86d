# SPDX-License-Identifier: GPL-3.0-or-later
"""The avatar's colours made those of the footage: per channel a gain, an offset, and how the offset changes across the
face. Fitted where both show the same still skin, robustly, and smoothed over time so that nothing flickers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np

TERMS = 4
"""Offset, its slope to the right and down, gain - 1."""
STEADINESS = np.array([1e-4, 0.02, 0.02, 0.001])
"""How strongly each term is held at 0, in units of the evidence of all pixels of a face."""
MOST_PIXELS = 4000
ROUNDS = 6
LIMIT = 0.25
"""Of the whole range, 0..1: a larger offset is a mistake, not light."""
SECONDS = 0.25
"""Standard deviation of the smoothing over time."""

T = TypeVar("T")


def fit_colours(ours: np.ndarray, theirs: np.ndarray, weight: np.ndarray, across: np.ndarray) -> np.ndarray | None:
    """Terms [3,TERMS] that take `ours` [n,3] to `theirs` [n,3], colours 0..1, where weight [n] is above 0.

    across: [n,2] the pixels' places right and down of the mouth, in heights of the face. None where too little is seen.
    """
    use = np.flatnonzero(weight > 0)
    if len(use) < 10 * TERMS:
        return None
    use = use[:: max(1, len(use) // MOST_PIXELS)]
    result = np.zeros((3, TERMS))
    for channel in range(3):
        x, difference = ours[use, channel].astype(np.float64), (theirs - ours)[use, channel].astype(np.float64)
        basis = np.stack([np.ones(len(use)), across[use, 0], across[use, 1], x - np.median(x)], 1)
        trust = weight[use].astype(np.float64)
        terms = np.zeros(TERMS)
        for _ in range(ROUNDS):
            weighted = basis * trust[:, None]
            held = np.diag(STEADINESS * len(use))
            terms = np.linalg.solve(basis.T @ weighted + held, weighted.T @ difference)
            error = difference - basis @ terms
            spread = 1.4826 * np.median(abs(error)) + 1e-3
            trust = weight[use] / (1 + (error / (1.5 * spread)) ** 2) ** 2
        # stored without the median, so that terms of neighbouring frames can be averaged
        terms[0] -= terms[3] * np.median(x)
        result[channel] = terms
    return np.clip(result, -1, 1)


def match_colours(ours: np.ndarray, terms: np.ndarray, across: np.ndarray) -> np.ndarray:
    """ours [h,w,3] with terms [3,TERMS]; across [h,w,2]. float32, 0..1."""
    offset = terms[:, 0] + across @ terms[:, 1:3].T
    change = np.clip(offset + ours * terms[:, 3], -LIMIT, LIMIT)
    return np.clip(ours + change, 0, 1).astype(np.float32)


def steadied(frames: Iterable[tuple[T, np.ndarray | None]], rate: float) -> Iterator[tuple[T, np.ndarray]]:
    """Each frame with the terms of those around it, averaged; frames wait here for the ones that follow.

    frames: (anything, terms or None where they are not known). rate: frames a second.
    """
    sigma = SECONDS * rate
    reach = max(1, round(2.5 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    before: deque[np.ndarray | None] = deque([None] * reach, maxlen=reach)
    waiting: deque[tuple[T, np.ndarray | None]] = deque()

    def first() -> tuple[T, np.ndarray]:
        around = [*before, *(terms for _, terms in waiting)]
        known = [(weight, terms) for weight, terms in zip(kernel, around, strict=False) if terms is not None]
        total = sum(weight for weight, _ in known)
        mean = sum((weight * terms for weight, terms in known), np.zeros((3, TERMS))) / (total or 1.0)
        frame, terms = waiting.popleft()
        before.append(terms)
        return frame, mean

    for frame in frames:
        waiting.append(frame)
        if len(waiting) > reach:
            yield first()
    while waiting:
        yield first()
