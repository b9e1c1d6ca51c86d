# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks over Gaussians on several threads: the same values and gradients as on one, whatever their number."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (pip install hmtalker[train])")

from hmtalker.motion.config import MotionConfig
from hmtalker.motion.model import MotionModel
from hmtalker.training.row_threads import RowThreads

ROWS = 103


@pytest.fixture
def field():
    torch.manual_seed(4)
    field = MotionModel(MotionConfig(feature_dimension=8)).face_field
    with torch.no_grad():
        for parameter in field.parameters():  # its last layer begins at zero
            parameter.copy_(torch.randn_like(parameter) * 0.1)
    return field


def asked(field, run):
    """Offsets, and the gradients of places, conditions and weights, of a loss in which every offset counts."""
    generator = torch.Generator().manual_seed(1)
    means = ((torch.rand(ROWS, 3, generator=generator) - 0.5) * 0.25).requires_grad_()
    conditions = [torch.randn(32, generator=generator).requires_grad_() for _ in range(2)]
    weight = torch.randn(ROWS, 10, generator=generator)
    field.zero_grad()
    offsets = run(means, *[2 * condition for condition in conditions])  # conditions come from networks of their own
    (offsets * weight).sum().backward()
    leaves = (means, *conditions, *field.parameters())
    return [offsets.detach(), *(leaf.grad.clone() for leaf in leaves)]


def by_threads(field, threads, piece=10):
    rows = RowThreads(threads, piece)
    return asked(field, lambda means, *conditions: rows.run(field, tuple(field.parameters()), means, *conditions))


def test_offsets_and_all_gradients_are_those_of_the_network(field):
    for found, expected in zip(by_threads(field, 2), asked(field, field), strict=True):
        assert float(expected.abs().max()) > 0
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("helpers", [1, 2, 5])
def test_the_number_of_threads_does_not_change_a_bit(field, helpers):
    torch.set_num_threads(helpers)  # of the calling thread; others know nothing of it
    one = by_threads(field, 1)
    for threads in (2, 3, 16):
        for found, expected in zip(by_threads(field, threads), one, strict=True):
            assert torch.equal(found, expected)


def test_nothing_is_kept_for_a_backward_pass_that_will_not_come(field):
    with torch.no_grad():
        offsets = RowThreads(2, 10).run(field, tuple(field.parameters()), torch.zeros(ROWS, 3), *torch.ones(2, 32))
    assert not offsets.requires_grad
    assert offsets.shape == (ROWS, 10)


def test_places_without_gradients_still_teach_the_weights(field):
    result = RowThreads(2, 10).run(field.encode, tuple(field.encoding.parameters()), torch.full((ROWS, 3), 0.01))
    result.sum().backward()
    assert float(field.encoding.grid.grad.abs().sum()) > 0


def test_a_weight_that_the_network_does_not_use_gets_no_gradient(field):
    idle = torch.ones(3, requires_grad=True)
    RowThreads(2, 10).run(field, (*field.parameters(), idle), torch.zeros(ROWS, 3), *torch.ones(2, 32)).sum().backward()
    assert idle.grad is None


def test_what_goes_wrong_in_a_thread_is_raised(field):
    def broken(rows):
        if float(rows[0, 0]) == 30:  # the fourth piece, which the second thread takes
            raise ValueError("no network")
        return rows

    with pytest.raises(ValueError, match="no network"):
        RowThreads(2, 10).run(broken, (), torch.arange(ROWS * 1.0)[:, None])
