# SPDX-License-Identifier: GPL-3.0-or-later
"""Tri-plane encoding, region attention and the two deformation fields."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F

from hmtalker.motion.config import MOUTH_GRIDS, PLANES, GridShape
from hmtalker.motion.fields import FaceField, MouthField
from hmtalker.motion.triplane import TriPlane

SHAPE = GridShape(16.0, 38.4)
CENTER, EXTENT = (0.0, -0.05, 0.01), (0.3, 0.2, 0.15)


@pytest.fixture
def encoding():
    torch.manual_seed(0)
    module = TriPlane(SHAPE, CENTER, EXTENT).double()
    with torch.no_grad():
        module.grid.uniform_(-1, 1)
    return module


@pytest.fixture
def face():
    torch.manual_seed(1)
    field = FaceField(SHAPE, CENTER, EXTENT)
    with torch.no_grad():
        field.encoding.grid.uniform_(-1, 1)
        field.deformation[2].weight.normal_()
    return field


def inside(count):
    return (torch.rand(count, 3) - 0.5) * 1.9 * torch.tensor(EXTENT) + torch.tensor(CENTER)


def looked_up(encoding, position):
    """One position's features, by the sampling rule as it is written down."""
    center, extent = encoding.center.tolist(), encoding.half_extent.tolist()
    unit = [(position[k] - center[k]) / (2 * extent[k]) + 0.5 for k in range(3)]
    features = []
    for plane, (i, j) in enumerate(PLANES):
        start = 0
        for level in range(12):
            resolution = 16 * (38.4 / 16) ** (level / 11)
            side = math.ceil(resolution) + 1
            at = [unit[k] * (resolution - 1) + 0.5 for k in (i, j)]
            x, y = (math.floor(value) for value in at)
            fx, fy = at[0] - x, at[1] - y
            entry = lambda a, b, s=start, n=side, p=plane: encoding.grid[p, s + a + b * n].item()  # noqa: E731
            low = entry(x, y) * (1 - fx) + entry(x + 1, y) * fx
            high = entry(x, y + 1) * (1 - fx) + entry(x + 1, y + 1) * fx
            features.append(low * (1 - fy) + high * fy)
            start += side * side
    return features


def test_encoding_is_bilinear_lookup_of_36_features(encoding):
    positions = inside(5).double()
    features = encoding(positions)
    assert features.shape == (5, 36)
    for position, row in zip(positions.tolist(), features.tolist(), strict=True):
        assert row == pytest.approx(looked_up(encoding, position), abs=1e-9)


def test_corners_of_the_box_are_inside(encoding):
    corner = torch.tensor(CENTER).double() + torch.tensor(EXTENT).double() * 0.999999
    assert torch.count_nonzero(encoding(corner[None])) == 36


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_outside_the_box_there_is_nothing_and_no_gradient(encoding, axis):
    positions = torch.tensor([CENTER]).double()
    positions[0, axis] += EXTENT[axis] * 1.01
    positions.requires_grad_(True)
    features = encoding(positions)
    features.sum().backward()
    assert torch.count_nonzero(features) == 0
    assert torch.count_nonzero(positions.grad) == 0
    assert torch.count_nonzero(encoding.grid.grad) == 0


def test_encoding_is_differentiable_in_positions_and_tables(encoding):
    positions = inside(3).double().requires_grad_(True)
    assert torch.autograd.gradcheck(encoding, (positions,), eps=1e-7, atol=1e-4)
    encoding(positions).sum().backward()
    assert encoding.grid.grad.sum().item() == pytest.approx(3 * 36)  # bilinear weights of a feature add up to 1


def test_fields_start_by_moving_nothing():
    face, mouth = FaceField(SHAPE, CENTER, EXTENT), MouthField(MOUTH_GRIDS["parent"], CENTER, EXTENT)
    assert torch.count_nonzero(face(inside(7), torch.randn(32), torch.randn(32))) == 0
    assert torch.count_nonzero(mouth(inside(7), torch.randn(32))) == 0


def test_face_offsets_follow_equations_8_and_9(face):
    means, lower, upper = inside(11), torch.randn(32), torch.randn(32)
    encoding = face.encode(means)
    lower_attention, upper_attention = face.attention(means)
    assert (upper_attention >= 0).all()
    x = torch.cat([encoding, upper * upper_attention, lower * lower_attention], dim=1)
    assert x.shape == (11, 100)
    for layer in face.deformation[:2]:
        x = F.relu(F.linear(x, layer.weight))
    expected = F.linear(x, face.deformation[2].weight)
    expected[:, :3] *= 0.01
    assert torch.allclose(face(means, lower, upper), expected, atol=1e-5)


def test_zero_conditions_leave_only_the_static_offset(face):
    means = inside(5)
    silent = face(means, torch.zeros(32), torch.zeros(32))
    x = torch.cat([face.encode(means), torch.zeros(5, 64)], dim=1)
    for layer in face.deformation[:2]:
        x = F.relu(layer(x))
    assert torch.allclose(silent[:, 3:], face.deformation[2](x)[:, 3:], atol=1e-5)


def test_a_batch_of_conditions_equals_one_at_a_time(face):
    means, lower, upper = inside(6), torch.randn(3, 32), torch.randn(3, 32)
    mouth = MouthField(MOUTH_GRIDS["sane"], CENTER, EXTENT)
    with torch.no_grad():
        mouth.deformation[2].weight.normal_()
    batch, inner = face(means, lower, upper), mouth(means, lower)
    assert batch.shape == (3, 6, 10)
    assert inner.shape == (3, 6, 3)
    for row in range(3):
        assert torch.allclose(batch[row], face(means, lower[row], upper[row]), atol=1e-5)
        assert torch.allclose(inner[row], mouth(means, lower[row]), atol=1e-5)


def test_a_cached_encoding_gives_the_same_offsets(face):
    means, condition = inside(6), torch.randn(32)
    assert torch.equal(face(face.encode(means), condition, condition), face(means, condition, condition))


def test_mouth_moves_mostly_vertically():
    torch.manual_seed(2)
    mouth = MouthField(MOUTH_GRIDS["sane"], CENTER, EXTENT)
    with torch.no_grad():
        mouth.deformation[2].weight.copy_(torch.randn(1, 32).expand(3, 32))
    offsets = mouth(inside(9), torch.randn(32))
    assert offsets[:, 1].abs().max() > 0
    assert torch.allclose(offsets[:, 1], offsets[:, 0] * 5, atol=1e-6)
    assert torch.allclose(offsets[:, 1], offsets[:, 2] * 5, atol=1e-6)


def test_gradients_reach_everything_that_learns(face):
    means = inside(20).requires_grad_(True)
    lower, upper = torch.randn(2, 32, requires_grad=True), torch.randn(2, 32, requires_grad=True)
    face(means, lower, upper).square().sum().backward()
    for name, tensor in [("means", means), ("lower", lower), ("upper", upper), *face.named_parameters()]:
        assert tensor.grad is not None, name
        assert tensor.grad.abs().sum() > 0, name
