# SPDX-License-Identifier: GPL-3.0-or-later
"""What a motion field does to every Gaussian of a set, from its place to its offsets, with gradients written by hand.

The maths is that of motion.fields (arXiv 2508.10566, Eqs (8) and (9)), whose modules hold the weights. Left to
PyTorch's autograd it is dozens of small operations over all Gaussians, and every result in between goes to memory.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..motion.config import CONDITION
from ..motion.fields import FaceField, MouthField
from ..motion.triplane_rows import encode_gradient_rows, encode_rows, table_layout
from .row_threads import RowThreads

UPPER, LOWER = slice(0, CONDITION), slice(CONDITION, 2 * CONDITION)
"""Columns of attention, in the order of Eq (9)."""
SHORTEST = 1e-6
"""Attention shorter than this is as long as this, so that its length has a gradient."""


class FieldRows:
    """One field and one set of Gaussians. What gradients need is kept in buffers that the next call of :meth:`offsets`
    uses again: call backward before."""

    def __init__(self, field: FaceField | MouthField, threads: RowThreads) -> None:
        self.field, self.threads = field, threads
        self.layout = table_layout(field.encoding.shape)
        self.encoding: Tensor | None = None
        """[N,36] of the places that were asked for last; no gradients."""
        self.kept: dict[str, Tensor] = {}
        self.calls = 0

    def encode(self, means: Tensor) -> None:
        """Ask the tables for places [N,3], which they then are for."""
        points, tables, encoding = means.detach(), self.tables, self.room_for_encoding(len(means))
        self.threads.each(
            len(means), lambda rows, _: encode_rows(points[rows].numpy(), *tables, encoding[rows].numpy())
        )

    def offsets(self, means: Tensor | None, *conditions: Tensor) -> Tensor:
        """[N,10], or [N,3] of the mouth, under `conditions`, [32] each: lower and upper face, or the mouth's.

        means [N,3]: the tables are asked, and they and the places learn. None: neither does, and :attr:`encoding` is
        taken as it is."""
        return self._run(means, conditions, False)[0]

    def offsets_and_attention(self, means: Tensor | None, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
        """Of a face with attention: the same, and [N,2] lengths of the lower and the upper face's attention."""
        return self._run(means, (lower, upper), True)

    def _run(self, means: Tensor | None, conditions: tuple[Tensor, ...], lengths: bool) -> tuple[Tensor, Tensor]:
        field = self.field
        (from_place, by_condition), (_, second, third) = field.first_layer(), field.layers
        if isinstance(field, MouthField):
            heard = [functional.linear(conditions[0], by_condition)]
        else:
            lower, upper = conditions
            by_attention = by_condition * torch.cat([upper, lower])
            heads = (field.upper_attention, field.lower_attention)
            heard = [by_attention.sum(1)]
            if field.attentive:
                from_place = torch.cat([from_place, *(head.hidden.weight for head in heads)])
                heard = [by_attention, *(head.output.weight for head in heads)]
        grid = None if means is None else field.encoding.grid
        weights = (from_place, second, third * field.output_scale[:, None], *heard)
        result: tuple[Tensor, Tensor] = _Offsets.apply(self, torch.is_grad_enabled(), lengths, means, grid, *weights)
        return result

    @property
    def tables(self) -> tuple[Any, ...]:
        """What the tri-plane's kernels read besides places."""
        plane = self.field.encoding
        return plane.center.numpy(), plane.half_extent.numpy(), plane.grid.detach().numpy(), self.layout

    def hears(self, encoding: Tensor) -> Tensor:
        """[n,1] where a field without attention hears its conditions: a face in its box, a mouth everywhere."""
        if isinstance(self.field, FaceField):
            return (encoding != 0).any(1, keepdim=True).to(encoding.dtype)
        return encoding.new_ones(len(encoding), 1)

    def check(self, call: int) -> None:
        """Raises RuntimeError if what call number `call` kept is gone."""
        if call != self.calls:
            raise RuntimeError("The field was asked again before the backward pass of this result.")

    def room_for_encoding(self, count: int) -> Tensor:
        if self.encoding is None or len(self.encoding) != count:
            self.encoding = torch.empty(count, self.field.encoding.shape.features)
        return self.encoding

    def room(self, name: str, count: int, width: int) -> Tensor:
        """[count,width] of what is kept under `name`."""
        kept = self.kept.get(name)
        if kept is None or len(kept) < count:  # some spare: sets grow bit by bit
            kept = self.kept[name] = torch.empty(count + count // 8, width)
        return kept[:count]


class _Offsets(torch.autograd.Function):
    """weights: from_place [h,36], and under it with attention the hidden layers' [64,36]; second [h,h]; third [10 or
    3,h] with the output's scale in it; then what conditions come through: with attention by_attention [h,64], upper and
    lower output [32,32], without it a constant [h].

    Kept of each Gaussian: "first", the first layer's h and the attention's 64 hidden units; "second"; "attention"."""

    @staticmethod
    def forward(
        ctx: Any,
        field: FieldRows,
        learning: bool,
        lengths: bool,
        means: Tensor | None,
        grid: Tensor | None,
        *weights: Tensor,
    ) -> tuple[Tensor, Tensor]:
        weights = tuple(weight.detach() for weight in weights)  # threads have a switch of their own for gradients
        from_place, second, third, *heard = weights
        points, tables, middle = None if means is None else means.detach(), field.tables, len(second)
        encoding = field.room_for_encoding(len(means)) if means is not None else field.encoding
        assert encoding is not None
        count, widths = len(encoding), {"first": len(from_place), "second": middle}
        widths["attention"] = 2 * CONDITION if len(heard) > 1 else 0
        kept = {name: field.room(name, count, width) for name, width in widths.items()} if learning else None
        result, long = torch.empty(count, len(third)), torch.empty(count if lengths else 0, 2)

        def work(rows: slice, _: list[Tensor]) -> None:
            here = encoding[rows]
            if points is not None:
                encode_rows(points[rows].numpy(), *tables, here.numpy())
            room = (kept[name][rows] if kept else torch.empty(len(here), width) for name, width in widths.items())
            one, two, attention = room
            torch.mm(here, from_place.T, out=one)
            hidden, one = one[:, middle:], one[:, :middle]
            if len(heard) > 1:
                hidden.relu_()
                for part, output in ((UPPER, heard[1]), (LOWER, heard[2])):
                    torch.mm(hidden[:, part], output.T, out=attention[:, part])
                attention[:, UPPER].relu_()
                one.addmm_(attention, heard[0].T)
            else:
                one.addcmul_(field.hears(here), heard[0])
            torch.mm(one.relu_(), second.T, out=two)
            torch.mm(two.relu_(), third.T, out=result[rows])
            if lengths:
                long[rows] = attention.view(-1, 2, CONDITION).square().sum(2).sqrt().clamp_(min=SHORTEST).flip(1)

        field.threads.each(count, work)
        if learning:
            field.calls += 1
            ctx.field, ctx.call, ctx.weights, ctx.points, ctx.kept = field, field.calls, weights, points, kept
            ctx.lengths = long.detach() if lengths else None
        return result, long

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        field, points, kept, lengths = ctx.field, ctx.points, ctx.kept, ctx.lengths
        field.check(ctx.call)
        from_place, second, third, *heard = ctx.weights
        gradient, encoding, tables, middle = upstream[0].contiguous(), field.encoding, field.tables, len(second)
        share = (
            None if lengths is None else torch.where(lengths > SHORTEST, upstream[1] / lengths, 0).flip(1)[..., None]
        )
        d_points = torch.empty(0, 3) if points is None else torch.empty_like(points)
        sums = [*ctx.weights] if points is None else [*ctx.weights, field.field.encoding.grid.detach()]

        def work(rows: slice, own: list[Tensor]) -> None:
            here, out = encoding[rows], gradient[rows]
            first, two, attention = (array[rows] for array in kept.values())
            one, hidden = first[:, :middle], first[:, middle:]
            d_from_place, d_second, d_third, *d_heard = own
            d_third.addmm_(out.T, two)
            d_two = _rectified(out @ third, two)
            d_second.addmm_(d_two.T, one)
            d_first = torch.empty_like(first)
            d_one = _rectified(torch.mm(d_two, second, out=d_first[:, :middle]), one)
            if len(heard) > 1:
                d_heard[0].addmm_(d_one.T, attention)
                d_attention = d_one @ heard[0]
                if share is not None:
                    d_attention.view(-1, 2, CONDITION).addcmul_(attention.view(-1, 2, CONDITION), share[rows])
                _rectified(d_attention[:, UPPER], attention[:, UPPER])
                d_hidden = d_first[:, middle:]
                for d_output, output, part in ((d_heard[1], heard[1], UPPER), (d_heard[2], heard[2], LOWER)):
                    d_output.addmm_(d_attention[:, part].T, hidden[:, part])
                    torch.mm(d_attention[:, part], output, out=d_hidden[:, part])
                _rectified(d_hidden, hidden)
            else:
                d_heard[0].add_((field.hears(here) * d_one).sum(0))
            d_from_place.addmm_(d_first.T, here)
            if points is not None:
                d_here = d_first @ from_place
                encode_gradient_rows(
                    points[rows].numpy(), *tables, d_here.numpy(), own[-1].numpy(), d_points[rows].numpy()
                )

        found = field.threads.each(len(gradient), work, sums)
        places = (None, None) if points is None else (d_points, found.pop())
        return None, None, None, *places, *found


def _rectified(gradient: Tensor, value: Tensor) -> Tensor:
    """`gradient`, set to 0 in place where the rectified `value` is 0."""
    return torch.ops.aten.threshold_backward.grad_input(gradient, value, 0, grad_input=gradient)
