# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows shared out among cores: every row once, sums in one order, errors seen."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (pip install hmtalker[train])")

from hmtalker.training.row_threads import RowThreads


@pytest.mark.parametrize("rows", [0, 1, 5, 103])
def test_every_row_is_done_once(rows):
    done = torch.zeros(rows)

    def work(piece, own):
        assert 0 < piece.stop - piece.start <= 4
        done[piece] += 1

    RowThreads(2, strips=3, piece=4, fewest=1).each(rows, work)
    assert torch.equal(done, torch.ones(rows))


def test_sums_are_the_same_bits_with_any_number_of_threads_and_helpers():
    values = torch.randn(1003, 7, generator=torch.Generator().manual_seed(0)) * 1e3

    def rows_of(threads):
        return RowThreads(threads, piece=10, fewest=1)

    def total(threads):
        return rows_of(threads).each(1003, lambda rows, own: own[0].add_(values[rows].sum(0)), [values[0]])

    one = total(1)[0]
    torch.testing.assert_close(one, values.sum(0), rtol=1e-3, atol=1e-2)
    for helpers in (1, 2, 5):
        torch.set_num_threads(helpers)  # of the calling thread; others know nothing of it
        for threads in (2, 3, 16):
            assert torch.equal(total(threads)[0], one)


def test_what_goes_wrong_in_a_thread_is_raised():
    def work(rows, own):
        if rows.start >= 50:
            raise ValueError("no rows")

    with pytest.raises(ValueError, match="no rows"):
        RowThreads(2, fewest=1).each(100, work)


@pytest.mark.parametrize(("rows", "strips"), [(0, 1), (99, 1), (200, 2), (399, 3), (5000, 4)])
def test_few_rows_are_few_strips(rows, strips):
    sums = RowThreads(2, strips=4, fewest=100).each(rows, lambda piece, own: own[0].add_(1), [torch.zeros(())])
    assert sums[0] == (strips if rows else 0)
