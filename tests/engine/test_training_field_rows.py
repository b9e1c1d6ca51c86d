# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields with gradients by hand: the values and gradients of motion.fields, on any number of threads."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (pip install hmtalker[train])")

from hmtalker.motion.config import MotionConfig
from hmtalker.motion.model import MotionModel
from hmtalker.training.field_rows import FieldRows
from hmtalker.training.row_threads import RowThreads

ROWS = 203
KINDS = {"face": {}, "listening to all": {"attention": False}, "mouth": {}, "coarse": {"grid_levels": 3}}


@pytest.fixture(params=KINDS)
def field(request):
    torch.manual_seed(4)
    model = MotionModel(MotionConfig(feature_dimension=8, **KINDS[request.param]))
    field = model.mouth_field if request.param == "mouth" else model.face_field
    with torch.no_grad():
        for parameter in field.parameters():  # its last layer begins at zero
            parameter.copy_(torch.randn_like(parameter) * 0.3)
    return field


@pytest.fixture
def face():
    torch.manual_seed(4)
    field = MotionModel(MotionConfig(feature_dimension=8)).face_field
    torch.nn.init.normal_(field.encoding.grid)
    torch.nn.init.normal_(field.deformation[2].weight)
    return field


def conditions_of(field, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    count = 1 if field.deformation[2].weight.shape[0] == 3 else 2
    return [torch.randn(32, generator=generator).to(dtype).requires_grad_() for _ in range(count)]


def places(dtype=torch.float32):
    """Some of them outside the box of 0.15 m to either side."""
    generator = torch.Generator().manual_seed(2)
    return ((torch.rand(ROWS, 3, generator=generator) - 0.5) * 0.36).to(dtype).requires_grad_()


def asked(field, run, dtype=torch.float32):
    """Offsets, and the gradients of places, conditions and weights, of a loss in which every offset counts."""
    means, conditions = places(dtype), conditions_of(field, dtype)
    field.zero_grad()
    offsets = run(means, *[2 * condition for condition in conditions])  # conditions come from networks of their own
    weight = torch.randn(offsets.shape, generator=torch.Generator().manual_seed(3)).to(dtype)
    (offsets * weight).sum().backward()
    grads = {name: parameter.grad for name, parameter in field.named_parameters() if parameter.grad is not None}
    own = {"means": means.grad, **{f"condition {k}": condition.grad for k, condition in enumerate(conditions)}}
    return {"offsets": offsets.detach(), **own, **{name: grad.clone() for name, grad in grads.items()}}


def test_offsets_and_all_gradients_are_those_of_the_network(field):
    exact = copy.deepcopy(field).double()
    expected = asked(exact, exact, torch.float64)
    found = asked(field, FieldRows(field, RowThreads(2, strips=5, piece=7, fewest=1)).offsets)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        largest = float(value.abs().max())
        assert largest > 0
        np.testing.assert_allclose(found[name], value, rtol=1e-3, atol=1e-5 * largest, err_msg=name)


def test_the_number_of_threads_does_not_change_a_bit(field):
    one = asked(field, FieldRows(field, RowThreads(1, fewest=1)).offsets)
    for threads in (2, 3, 16):
        for name, value in asked(field, FieldRows(field, RowThreads(threads, fewest=1)).offsets).items():
            assert torch.equal(value, one[name]), name


def test_places_that_are_encoded_already_teach_everything_but_themselves_and_the_tables(field):
    rows = FieldRows(field, RowThreads(2))
    learnt = asked(field, rows.offsets)
    kept = rows.encoding.clone()
    rows.encode(places())
    assert torch.equal(rows.encoding, kept)
    field.zero_grad()
    again = asked(field, lambda means, *conditions: rows.offsets(None, *conditions))
    assert again["means"] is None
    assert "encoding.grid" not in again
    for name in again.keys() - {"means"}:
        assert torch.equal(again[name], learnt[name]), name


def test_without_gradients_the_offsets_are_the_same_and_nothing_is_kept(field):
    rows, conditions = FieldRows(field, RowThreads(2)), conditions_of(field)
    with torch.no_grad():
        offsets = rows.offsets(places(), *conditions)
    assert not offsets.requires_grad
    assert not rows.kept
    assert torch.equal(offsets, rows.offsets(places(), *conditions).detach())


def test_what_a_later_call_wrote_over_is_not_used(face):
    rows, conditions = FieldRows(face, RowThreads(1)), conditions_of(face)
    first = rows.offsets(places(), *conditions)
    rows.offsets(places(), *conditions)
    with pytest.raises(RuntimeError, match="asked again"):
        first.sum().backward()


def test_sets_may_grow_and_shrink(face):
    rows, conditions = FieldRows(face, RowThreads(2)), conditions_of(face)
    for count in (50, 203, 7):
        means = places()[:count]
        found = rows.offsets(means, *conditions)
        np.testing.assert_allclose(found.detach(), face(means, *conditions).detach(), rtol=1e-3, atol=1e-5)
        found.sum().backward()


def test_lengths_of_attention_and_their_gradients_are_those_of_the_network(face):
    weight = torch.randn(ROWS, 12, generator=torch.Generator().manual_seed(3))

    def network(means, lower, upper):
        lengths = [(part**2).sum(1).clamp(min=1e-12).sqrt() for part in face.attention(means)]
        return torch.cat([face(means, lower, upper), torch.stack(lengths, 1)], 1) * weight

    rows = FieldRows(face, RowThreads(2, strips=5, piece=7, fewest=1))
    found = asked(face, lambda *inputs: torch.cat(rows.offsets_and_attention(*inputs), 1) * weight)
    for name, value in asked(face, network).items():
        largest = float(value.abs().max())
        np.testing.assert_allclose(found[name], value, rtol=1e-3, atol=1e-3 * largest, err_msg=name)


def test_lengths_alone_teach_attention_and_nothing_else_of_a_field_whose_tables_stay(face):
    rows = FieldRows(face, RowThreads(2))
    rows.encode(places())
    rows.offsets_and_attention(None, *conditions_of(face))[1].sum().backward()
    attention = {*face.lower_attention.parameters(), *face.upper_attention.parameters()}
    assert all(float(parameter.grad.abs().max()) > 0 for parameter in attention)
    others = set(face.parameters()) - attention
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in others)
