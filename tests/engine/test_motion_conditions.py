# SPDX-License-Identifier: GPL-3.0-or-later
"""Action Unit encoders, audio-to-AU mapping, gate and stochastic feature pairing."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from hmtalker.action_units import CODES, LOWER_INDEX, UPPER_INDEX
from hmtalker.motion.explicit import A2AM, AUEncoder, alignment_loss, readable_action_units
from hmtalker.motion.fusion import Fusion, Pairing
from hmtalker.motion.model import MotionConfig, MotionModel


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = MotionModel(MotionConfig(feature_dimension=24))
    with torch.no_grad():
        model.null_implicit.normal_()
    return model


def close_gate(fusion, bias):
    """Force the gate to one end."""
    with torch.no_grad():
        fusion.output.weight.zero_()
        fusion.output.bias.fill_(bias)


@pytest.mark.parametrize("count", [8, 9])
def test_neutral_face_encodes_to_exactly_zero(count):
    assert torch.count_nonzero(AUEncoder(count)(torch.zeros(5, count))) == 0


@pytest.mark.parametrize("count", [8, 9])
def test_encoder_ends_in_the_raw_action_units(count):
    units = torch.rand(5, count) * 5
    encoded = AUEncoder(count)(units)
    assert encoded.shape == (5, 32)
    assert torch.equal(encoded[:, 32 - count :], units)


def test_readable_action_units_are_the_lower_ones_within_range():
    units = torch.rand(4, 9) * 5
    assert torch.equal(readable_action_units(AUEncoder(9)(units), MotionConfig().lower_channels), units)
    wild = torch.cat([torch.zeros(1, 23), torch.tensor([[-3.0, 9.0] + [1.0] * 7])], dim=1)
    assert readable_action_units(wild, MotionConfig().lower_channels).tolist() == [[0.0, 5.0] + [1.0] * 7]


def test_alignment_teaches_the_mapping_and_never_its_target():
    encoder, mapping = AUEncoder(9), A2AM()
    alignment_loss(mapping(torch.randn(3, 32)), encoder(torch.rand(3, 9))).backward()
    assert all(parameter.grad is None for parameter in encoder.parameters())
    assert all(parameter.grad.abs().sum() > 0 for parameter in mapping.parameters())


def test_alignment_is_the_mean_square_over_channels():
    assert alignment_loss(torch.ones(1, 32) * 3, torch.ones(1, 32)).item() == pytest.approx(4.0)


def test_gate_starts_half_open_where_its_weights_say_nothing():
    fusion = Fusion()
    with torch.no_grad():
        fusion.output.weight.zero_()
    assert torch.equal(fusion.gate(torch.randn(2, 32), torch.randn(2, 32)), torch.full((2, 32), 0.5))


def test_gate_ends_are_the_pure_conditions():
    fusion, implicit, explicit = Fusion(), torch.randn(2, 32), torch.randn(2, 32)
    close_gate(fusion, 200.0)
    assert torch.equal(fusion(implicit, explicit), implicit)
    close_gate(fusion, -200.0)
    assert torch.equal(fusion(implicit, explicit), explicit)


def test_fixed_fusion_weighs_by_its_number():
    fused = Fusion("fixed", fixed_alpha=0.25)(torch.ones(32), torch.zeros(32))
    assert torch.equal(fused, torch.full((32,), 0.25))


def test_masked_pairing_with_a_closed_gate_gives_no_lower_condition(model):
    close_gate(model.face_condition.fusion, -200.0)
    lower, _, _ = model.conditions(torch.randn(32), torch.rand(17), Pairing.MASKED)
    assert torch.count_nonzero(lower) == 0


def test_audio_pairing_ignores_lower_action_units_and_keeps_upper_ones(model):
    implicit, units = torch.randn(32), torch.rand(17) * 2
    other = units.clone()
    other[list(LOWER_INDEX)] += 1.0
    first = model.conditions(implicit, units, Pairing.AUDIO)
    second = model.conditions(implicit, other, Pairing.AUDIO)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    other[UPPER_INDEX[0]] += 1.0
    third = model.conditions(implicit, other, Pairing.AUDIO)
    assert not torch.equal(third[1], first[1])


def test_no_audio_zero_influence_and_implicit_masking_are_the_same(model):
    units, implicit = torch.rand(3, 17) * 5, torch.randn(3, 32)
    silent = model.conditions(None, units)
    for other in (
        model.conditions(implicit, units, audio_influence=0.0),
        model.conditions(implicit, units, Pairing.IMPLICIT_MASKED),
        model.conditions(implicit, units, audio_influence=torch.zeros(3)),
    ):
        assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(silent, other, strict=True))


def test_a_pairing_per_sample_equals_one_pairing_at_a_time(model):
    implicit, units = torch.randn(4, 32), torch.rand(4, 17) * 5
    pairings = list(Pairing)
    together = model.conditions(implicit, units, pairings)
    for row, pairing in enumerate(pairings):
        alone = model.conditions(implicit[row], units[row], pairing)
        assert all(torch.allclose(t[row], a, atol=1e-6) for t, a in zip(together, alone, strict=True))


def test_action_units_are_clipped_before_they_condition(model):
    units = torch.full((17,), 99.0)
    limit = torch.full((17,), 5.0)
    limit[CODES.index("AU45")] = 2.0
    assert torch.equal(model.clip_action_units(units), limit)
    assert torch.equal(model.clip_action_units(-units), torch.zeros(17))


def test_purely_implicit_variant_hears_only():
    torch.manual_seed(1)
    model = MotionModel(MotionConfig(feature_dimension=24, use_explicit=False))
    implicit = torch.randn(32)
    lower, _, mouth = model.conditions(implicit, torch.rand(17) * 5)
    assert torch.equal(lower, implicit)
    assert torch.equal(mouth, implicit)


def test_purely_explicit_variant_sees_only():
    model = MotionModel(MotionConfig(feature_dimension=24, use_implicit=False))
    units = torch.rand(17) * 2
    first, second = model.conditions(torch.randn(32), units), model.conditions(torch.randn(32), units)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_every_part_of_the_condition_learns(model):
    implicit = torch.randn(2, 32, requires_grad=True)
    units = torch.rand(2, 17) * 3
    total = model.alignment_loss(implicit, units)
    for pairing in Pairing:
        total = total + sum(c.square().sum() for c in model.conditions(implicit, units, pairing))
    total.backward()
    for name, parameter in model.named_parameters():
        if name.split(".")[0] in {"null_implicit", "upper_encoder", "face_condition", "mouth_condition"}:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name
