# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that have nothing to do with each other, shared out among the cores in strips.

PyTorch's own threads meet after every operation, and what moves a Gaussian is dozens of small ones. Here a thread does
a strip of the Gaussians from beginning to end. Strips depend on the number of rows alone, and what they sum up is added
in their order: the number of threads does not change a bit of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count as counting

import torch
from torch import Tensor

from ..rasterize.workers import Workers

STRIPS = 8
"""At most: enough to share out among many threads. Each has sums of its own."""
FEWEST = 1024
"""Rows of a strip at least, if there are two: fewer cost less than the calls for them."""
PIECE = 2048
"""Rows of a strip at a time at most: few enough to stay in a cache, many for the calls that each piece costs."""

Work = Callable[[slice, list[Tensor]], None]


class RowThreads:
    """Runs work on `threads` threads. strips, piece, fewest: see STRIPS, PIECE and FEWEST."""

    def __init__(self, threads: int, strips: int = STRIPS, piece: int = PIECE, fewest: int = FEWEST) -> None:
        self.workers, self.strips, self.piece, self.fewest = Workers(threads), strips, piece, fewest

    def each(self, rows: int, work: Work, sums: Sequence[Tensor] = ()) -> list[Tensor]:
        """work(piece, own) for pieces of `rows` rows; `own`, zeros shaped like `sums`, are for it to add to. -> their
        totals. What `work` raises is raised here."""
        strips = max(1, min(self.strips, rows // self.fewest))
        edges = [rows * strip // strips for strip in range(strips + 1)]
        found: list[list[Tensor]] = [[] for _ in range(strips)]
        numbers = counting()  # whoever is free takes the next strip

        def some(worker: int, workers: int) -> None:
            # Each thread has helpers of its own, by default one a core; their number changes how sums are rounded.
            torch.set_num_threads(1)
            while (strip := next(numbers)) < strips:
                own = [torch.zeros_like(like) for like in sums]
                begin, end = edges[strip], edges[strip + 1]
                pieces = -(-(end - begin) // self.piece)
                for piece in range(pieces):
                    work(
                        slice(begin + (end - begin) * piece // pieces, begin + (end - begin) * (piece + 1) // pieces),
                        own,
                    )
                found[strip] = own

        self.workers.run(some)
        return [torch.stack(parts).sum(0) for parts in zip(*found, strict=True)]
