# SPDX-License-Identifier: GPL-3.0-or-later
"""How a person's mouth goes with what is said: curves from visemes, read from the person's own clips.

Linear in the visemes of ±160 ms, which holds their coarticulation: lips that round before the vowel, a jaw that does
not reach its vowel between two consonants. Like every regression it moves too little; the curves are stretched again to
the spread that the person shows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .visemes import SILENCE, VISEMES

CONTEXT = 4
"""Frames before and after."""
RIDGE = 30.0
"""Weight of the ridge, in frames: a viseme that a person hardly shows stays near the mean."""
LARGEST_STRETCH = 1.5
NEIGHBOURS = {
    "funnel": ("sibilant", "close rounded"),
    "tongue at teeth": ("alveolar",),
    "front open": ("open", "mid"),
    "neutral": ("mid", "alveolar"),
}
"""Visemes too rare in a few minutes to be read by themselves stand for equal parts of these. GRID has 47 frames of a
funnel, all in "G", "H" and "J": a regression on them takes SH for shut lips."""
SHUT = ("closed", SILENCE)
"""While they last, lips stand as the person's do in them, whatever comes before and after."""
SURE = 0.6
FEWEST = 10
"""Frames of a viseme from which its own stand is read."""


def merged(visemes: np.ndarray) -> np.ndarray:
    """[T,V] with each of NEIGHBOURS divided among its parts."""
    result = visemes.copy()
    for name, parts in NEIGHBOURS.items():
        column = VISEMES.index(name)
        for part in parts:
            result[:, VISEMES.index(part)] += visemes[:, column] / len(parts)
        result[:, column] = 0
    return result


def with_context(visemes: np.ndarray) -> np.ndarray:
    """[T,V] -> [T, (2 CONTEXT + 1) V]; the first and last frame go on beyond the ends."""
    padded = np.pad(visemes, ((CONTEXT, CONTEXT), (0, 0)), mode="edge")
    return np.concatenate([padded[shift : shift + len(visemes)] for shift in range(2 * CONTEXT + 1)], 1)


class OwnArticulation:
    """Shares of visemes [T,V] of a clip -> curves [T,K], within what the person showed."""

    def __init__(self, visemes: Sequence[np.ndarray], curves: Sequence[np.ndarray]) -> None:
        """visemes [T,V] and curves [T,K] of each of the person's clips."""
        heard = np.concatenate([with_context(merged(clip)) for clip in visemes]).astype(np.float64)
        seen = np.concatenate(curves).astype(np.float64)
        self._heard_mean, self._seen_mean = heard.mean(0), seen.mean(0)
        heard -= self._heard_mean
        normal = heard.T @ heard + RIDGE * np.eye(heard.shape[1])
        self._weights = np.linalg.solve(normal, heard.T @ (seen - self._seen_mean))
        told = (heard @ self._weights).std(0)
        self._stretch = np.clip(seen.std(0) / np.maximum(told, 1e-9), 1.0, LARGEST_STRETCH)
        self._lowest, self._highest = seen.min(0), np.percentile(seen, 99.5, axis=0)
        said = np.concatenate(visemes)
        sure = {VISEMES.index(name): said[:, VISEMES.index(name)] > SURE for name in SHUT}
        self._shut = {
            column: np.median(seen[rows], axis=0) for column, rows in sure.items() if np.count_nonzero(rows) >= FEWEST
        }

    def __call__(self, visemes: np.ndarray) -> np.ndarray:
        """float32 [T,K]"""
        told = (with_context(merged(visemes)) - self._heard_mean) @ self._weights * self._stretch + self._seen_mean
        told = np.clip(told, self._lowest, self._highest)
        for column, stand in self._shut.items():
            share = visemes[:, column : column + 1]
            told = (1 - share) * told + share * stand
        return told.astype(np.float32)
