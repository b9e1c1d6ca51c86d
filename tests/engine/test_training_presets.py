# SPDX-License-Identifier: GPL-3.0-or-later
"""Presets and ablation rows: what they promise, and that each of them can be built."""

from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hmtalker import action_units
from hmtalker.errors import HMTalkerError
from hmtalker.motion.model import MotionConfig, MotionModel
from hmtalker.motion.portable import PortableMotion
from hmtalker.motion.state import MotionState
from hmtalker.training import perceptual
from hmtalker.training.densify import opacity_limit
from hmtalker.training.motion_optimiser import motion_optimiser
from hmtalker.training.presets import PRESETS
from hmtalker.training.schedules import NEVER
from hmtalker.training.variants import CHOICES, Variant

SMALL = MotionConfig(feature_dimension=8, face_half_extent=(0.1, 0.1, 0.1), mouth_half_extent=(0.1, 0.1, 0.1))


def test_the_six_presets_are_there_and_fit_into_an_avatar():
    assert set(PRESETS) == {"paper", "robust", "editable", "quick", "parent", "smoke"}
    for name, preset in PRESETS.items():
        assert preset.name == name
        json.dumps(preset.to_dict())
        preset.motion_config(MotionConfig())


def test_the_paper_has_the_papers_numbers():
    paper = PRESETS["paper"]
    assert (paper.face.iterations, paper.mouth.iterations, paper.joint_iterations) == (50_000, 50_000, 15_000)
    assert paper.face.dssim == 0.2
    assert paper.face.perceptual.patches == 0.5
    assert paper.face.align == 1.0e-3
    assert paper.face.perceptual.start * paper.face.iterations == pytest.approx(47_000)
    assert paper.mouth.perceptual.start * paper.mouth.iterations == pytest.approx(49_000)
    assert opacity_limit(paper.face, 0) == pytest.approx(0.05)
    assert opacity_limit(paper.face, 49_000) == pytest.approx(0.30)
    assert paper.pairings.implicit_masked == 0


def test_hands_alone_are_trained_where_they_are_promised():
    assert PRESETS["editable"].pairings.implicit_masked > 0
    assert PRESETS["editable"].pairings.masked == 0


def test_scaling_keeps_proportions_and_what_never_happens():
    half = PRESETS["editable"].scaled(0.5)
    assert half.face.iterations == PRESETS["editable"].face.iterations // 2
    assert half.face.motion_from == PRESETS["editable"].face.motion_from // 2
    assert half.mouth.motion_from == half.mouth.densify_from == NEVER
    assert half.face.perceptual == PRESETS["editable"].face.perceptual
    least = PRESETS["smoke"].scaled(1e-9)
    assert min(least.face.iterations, least.mouth.iterations, least.joint_iterations, least.speech.iterations) == 1


def test_missing_weights_stop_only_a_preset_that_needs_them(monkeypatch):
    def missing():
        raise HMTalkerError("LPIPS needs its network; run this.")

    monkeypatch.setattr(perceptual, "find_lpips", missing)
    with pytest.raises(HMTalkerError, match="'paper' needs LPIPS's weights"):
        perceptual.with_perceptual_network(PRESETS["paper"])
    without = perceptual.with_perceptual_network(PRESETS["editable"])
    assert not without.wants_lpips
    assert without.face.curriculum == PRESETS["editable"].face.curriculum
    assert perceptual.with_perceptual_network(PRESETS["smoke"]) is PRESETS["smoke"]


def test_present_weights_change_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(perceptual, "find_lpips", lambda: tmp_path)
    assert perceptual.with_perceptual_network(PRESETS["paper"]) is PRESETS["paper"]


def test_every_flag_changes_one_thing():
    preset = PRESETS["editable"]
    assert Variant.parse([]).apply(preset) is preset
    assert Variant.parse(["sfp=off"]).apply(preset).pairings.probabilities().tolist() == [1, 0, 0, 0]
    assert Variant.parse(["attention=off"]).apply(preset).model == {"attention": False}
    assert Variant.parse(["fusion=concat", "fusion=fixed"]).apply(preset).model == {"fusion": "fixed"}
    noted = Variant.parse(["fusion=explicit", "sfp=off"]).apply(preset)
    assert noted.variant == {"fusion": "explicit", "sfp": "off"}
    assert noted.motion_config(MotionConfig()).effective_fusion == "explicit"
    assert Variant.parse(["cue=none"]).apply(preset).motion_config(MotionConfig()).effective_fusion == "implicit"
    assert PRESETS["parent"].motion_config(MotionConfig()).effective_fusion == "implicit"


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("fusion=mix", "is one of gate, concat"),
        ("encoder=deepspeech", "TensorFlow 1 graph"),
        ("colour=red", "is no variant"),
        ("sfp", "is no variant"),
    ],
)
def test_flags_that_mean_nothing_are_refused(flag, words):
    with pytest.raises(HMTalkerError, match=words):
        Variant.parse([flag])


@pytest.mark.parametrize("flag", [f"{name}={value}" for name, values in CHOICES.items() for value in values])
def test_each_row_moves_alike_in_training_and_in_the_host(flag):
    torch.manual_seed(0)
    config = Variant.parse([flag]).apply(PRESETS["smoke"]).motion_config(SMALL)
    model = MotionModel(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3)
    rng = np.random.default_rng(1)
    means = rng.uniform(-0.13, 0.13, (50, 3)).astype(np.float32)  # some of them outside the box
    state = MotionState(
        rng.uniform(0, 3, action_units.COUNT).astype(np.float32), rng.standard_normal(32).astype(np.float32)
    )
    with torch.no_grad():
        lower, upper, mouth = model.conditions(
            torch.from_numpy(state.implicit)[None], torch.from_numpy(action_units.clip(state.action_units))[None]
        )
        points = torch.from_numpy(means)
        ours = model.face_offsets(points, lower, upper)[0], model.mouth_offsets(points, mouth)[0]
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    host = PortableMotion(weights, MotionConfig.from_dict(config.to_dict()), means, means, threads=1)
    for mine, theirs in zip(ours, (host.face_offsets(state), host.mouth_offsets(state)), strict=True):
        assert mine.abs().max() > 1e-3
        np.testing.assert_allclose(theirs, mine.numpy(), rtol=1e-3, atol=1e-4 * float(mine.abs().max()))
    outside = (np.abs(means) > 0.1).any(1)
    assert np.abs(host.face_offsets(state)[outside]).max() == 0


@pytest.mark.parametrize("branch", ["face", "mouth"])
def test_only_what_has_a_rate_learns(branch):
    model = MotionModel(SMALL)
    names = {id(parameter): name for name, parameter in model.named_parameters()}

    def learning(preset):
        optimiser = motion_optimiser(model, branch, getattr(PRESETS[preset], branch))
        return {names[id(p)].split(".")[0] for group in optimiser.param_groups for p in group["params"]}

    assert learning("editable") == {f"{branch}_field"}
    more = {"face_condition", "upper_encoder", "null_implicit", "speech"} if branch == "face" else {"mouth_condition"}
    assert learning("paper") == {f"{branch}_field"} | more


@pytest.mark.parametrize("flag", ["fusion=implicit", "cue=none"])
def test_models_that_see_no_action_units_are_not_taught_by_moved_ones(flag):
    preset = Variant.parse([flag]).apply(PRESETS["quick"])
    assert preset.pairings.probabilities().tolist() == [0, 1, 0, 0]
    assert PRESETS["parent"].pairings == preset.pairings
    assert Variant.parse(["fusion=explicit"]).apply(PRESETS["quick"]).pairings == PRESETS["quick"].pairings
