# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks that look at every Gaussian by itself, run on several cores, with gradients.

PyTorch's own threads meet after every operation; a field is dozens of small ones. Here each thread takes a piece of the
rows through the whole network and back, and pieces meet once. Pieces do not depend on the number of threads, and
their gradients are added in their order, so that the result does not either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from ..rasterize.workers import Workers

PIECE = 6000
"""Rows. Smaller pieces share out better among many threads, but each costs some hundred Python calls."""

Network = Callable[..., Tensor]
"""(rows [n,C], \\*conditions) -> [n,D]; a row of the result depends on its own row alone."""


class RowThreads:
    """Runs networks on `threads` threads."""

    def __init__(self, threads: int, piece: int = PIECE) -> None:
        self.workers, self.piece = Workers(threads), piece

    def run(self, network: Network, parameters: Iterable[Tensor], rows: Tensor, *conditions: Tensor) -> Tensor:
        """network(rows, \\*conditions) [N,D], with gradients for rows [N,C], conditions and `parameters`, which are all
        that the network learns. As ever, no gradients under ``torch.no_grad``."""
        shared = [*conditions, *parameters]
        result: Tensor = _InPieces.apply(self, network, len(conditions), torch.is_grad_enabled(), rows, *shared)
        return result

    def each(self, count: int, work: Callable[[int], Any]) -> list[Any]:
        """[work(0), ..., work(count - 1)]"""
        results: list[Any] = [None] * count

        def some(worker: int, workers: int) -> None:
            # Each thread has helpers of its own, by default one a core; their number changes how sums are rounded.
            torch.set_num_threads(1)
            for number in range(worker, count, workers):
                results[number] = work(number)

        self.workers.run(some)
        return results


class _InPieces(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, threads: RowThreads, network: Network, conditions: int, learning: bool, rows: Tensor, *shared: Tensor
    ) -> Tensor:
        """shared: the conditions, then the parameters."""
        wanted = ctx.needs_input_grad[4:]
        pieces = rows.detach().split(threads.piece)
        own = [c.detach().requires_grad_(w) for c, w in zip(shared[:conditions], wanted[1:], strict=False)]

        def go(number: int) -> tuple[Tensor, Tensor]:
            with torch.set_grad_enabled(learning):  # each thread has a switch of its own
                piece = pieces[number].requires_grad_(learning and wanted[0])
                return piece, network(piece, *own)

        parts = threads.each(len(pieces), go)
        if learning:
            ctx.threads, ctx.parts, ctx.own, ctx.parameters = threads, parts, own, shared[conditions:]
        return torch.cat([result.detach() for _, result in parts])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        pieces = gradients[0].split([len(result) for _, result in ctx.parts])
        wanted = ctx.needs_input_grad[4:]
        shared = [s for s, want in zip([*ctx.own, *ctx.parameters], wanted[1:], strict=True) if want]

        def back(number: int) -> tuple[Tensor | None, ...]:
            rows, result = ctx.parts[number]
            inputs = [rows, *shared] if wanted[0] else shared
            return torch.autograd.grad(result, inputs, pieces[number], allow_unused=True)

        found = ctx.threads.each(len(pieces), back)
        del ctx.parts
        rows = torch.cat([part[0] for part in found]) if wanted[0] else None
        sums = iter([_sum(column) for column in zip(*(part[int(wanted[0]) :] for part in found), strict=True)])
        return (None, None, None, None, rows, *(next(sums) if want else None for want in wanted[1:]))


def _sum(parts: Iterable[Tensor | None]) -> Tensor | None:
    """None where the network made no use of it."""
    known = [part for part in parts if part is not None]
    return torch.stack(known).sum(0) if known else None
