# SPDX-License-Identifier: GPL-3.0-or-later
"""An avatar with the set `extended`: its file, what moves it, what it hears, and how it goes with the 17."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from sided_avatar import LIFT, make_sided_avatar
from tiny_avatar import TinyEncoder, make_tiny_avatar

from hmtalker.action_unit_sets import EXTENDED, OPENFACE_17, carry
from hmtalker.action_unit_table import read_table, write_table
from hmtalker.avatar import load_avatar, save_avatar
from hmtalker.avatar.header import VERSION, VERSION_17
from hmtalker.capture.curves.arkit_action_units import ARKIT_NAMES, action_units_to_arkit, arkit_to_muscles
from hmtalker.capture.curves.openface_csv import read_openface
from hmtalker.capture.curves.write_openface import write_openface
from hmtalker.errors import AvatarError
from hmtalker.motion.portable import PortableMotion
from hmtalker.motion.state import MotionState
from hmtalker.take import AnimateSettings, Take, TakeError, animate


@pytest.fixture(scope="module")
def avatar():
    return make_sided_avatar()


def controls(**units: float) -> np.ndarray:
    row = np.zeros(EXTENDED.count, np.float32)
    for code, value in units.items():
        row[EXTENDED.index(code)] = value
    return row


def lift(avatar, state) -> tuple[float, float]:
    """Mean millimetres up of the skin well on the person's left and right."""
    motion = PortableMotion(avatar.motion, avatar.motion_config, avatar.face.means, avatar.mouth.means, threads=1)
    up, x = 1000 * motion.face_offsets(state)[:, 1], avatar.face.means[:, 0]
    inside = np.abs(avatar.face.means[:, 1]) < 0.1
    return float(up[inside & (x > 0.03)].mean()), float(up[inside & (x < -0.03)].mean())


def test_a_unit_moves_both_sides_and_a_side_adds_to_its_own(avatar):
    assert LIFT == 1e-3
    np.testing.assert_allclose(lift(avatar, MotionState(controls(AU12=2))), (2, 2), atol=1e-4)
    np.testing.assert_allclose(lift(avatar, MotionState(controls(AU12L=3))), (3, 0), atol=1e-4)
    np.testing.assert_allclose(lift(avatar, MotionState(controls(AU12=2, AU12R=1))), (2, 3), atol=1e-4)
    np.testing.assert_allclose(lift(avatar, MotionState(controls(AU12=4, AU12L=4))), (5, 4), atol=1e-4)
    np.testing.assert_allclose(lift(avatar, MotionState(controls(AU18=2))), (2, 2), atol=1e-4)


def test_the_17_drive_an_extended_face_and_the_reverse(avatar):
    row = np.zeros(17, np.float32)
    row[OPENFACE_17.index("AU12")] = 2
    np.testing.assert_allclose(lift(avatar, MotionState(row)), (2, 2), atol=1e-4)
    folded = carry(controls(AU12=1, AU12L=2, AU18=3, AU26=1), OPENFACE_17)
    assert {code: value for code, value in zip(OPENFACE_17.codes, folded, strict=True) if value} == {
        "AU12": 2.0,
        "AU26": 1.0,
    }
    usual = make_tiny_avatar()
    motion = PortableMotion(usual.motion, usual.motion_config, usual.face.means, usual.mouth.means, threads=1)
    wide = motion.face_offsets(MotionState(controls(AU12=1, AU12L=2, AU18=3, AU26=1)))
    np.testing.assert_array_equal(wide, motion.face_offsets(MotionState(folded)))


@pytest.mark.parametrize("unit_set", [OPENFACE_17, EXTENDED])
def test_pulls_come_back_as_controls(unit_set):
    rng = np.random.default_rng(0)
    pulls = rng.uniform(0, 2, (20, len(unit_set.muscles))).astype(np.float32)
    back = unit_set.controls(pulls, unit_set.muscles)
    assert (back >= 0).all()
    np.testing.assert_allclose(unit_set.pulls(back, unit_set.muscles), pulls, atol=1e-6)


def test_training_and_host_move_an_extended_face_alike():
    torch = pytest.importorskip("torch")
    from hmtalker.motion.config import MotionConfig
    from hmtalker.motion.model import MotionModel

    torch.manual_seed(0)
    config = MotionConfig(feature_dimension=8, unit_set="extended")
    model = MotionModel(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3)
    rng = np.random.default_rng(1)
    means = rng.uniform(-0.13, 0.13, (50, 3)).astype(np.float32)
    state = MotionState(rng.uniform(0, 3, 47).astype(np.float32), rng.standard_normal(32).astype(np.float32))
    lower, upper, _ = model.conditions(torch.from_numpy(state.implicit), torch.from_numpy(state.action_units))
    wanted = model.face_offsets(torch.from_numpy(means), lower, upper).detach().numpy()
    weights = {name: value.detach().numpy() for name, value in model.state_dict().items()}
    motion = PortableMotion(weights, config, means, means, threads=1)
    np.testing.assert_allclose(motion.face_offsets(state), wanted, rtol=1e-4, atol=1e-4)
    assert motion.predicted_action_units(np.zeros((3, 32), np.float32)).shape == (3, 21)


def test_the_file_names_its_set_and_older_files_stay_what_they_were(avatar, tmp_path):
    save_avatar(avatar, tmp_path / "wide.hmt")
    wide = load_avatar(tmp_path / "wide.hmt")
    assert wide.units is EXTENDED
    assert wide.header["au_codes"] == list(EXTENDED.codes)
    assert wide.header["version"] == VERSION
    save_avatar(make_tiny_avatar(), tmp_path / "usual.hmt")
    usual = load_avatar(tmp_path / "usual.hmt")
    assert usual.units is OPENFACE_17
    assert usual.header["version"] == VERSION_17
    assert "unit_set" not in usual.header["motion"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"motion": {"unit_set": "facs-99"}}, "'facs-99', is none of openface-17, extended"),
        ({"motion": {"unit_set": 7}}, "'motion' in its header"),
        ({"motion": {"unit_set": "x" * 10_000}}, "'motion' in its header"),
        ({"motion": {"unit_set": "openface-17"}}, "'au_codes' in its header"),
        ({"au_codes": list(EXTENDED.codes[::-1])}, "'au_codes' in its header"),
        ({"au_codes": {"AU12": 1}}, "'au_codes' in its header"),
        ({"rest": {"implicit": [0.0] * 32, "action_units": [0.0] * 17}}, "'rest' in its header"),
        ({"au_statistics": {"AU99": {}}}, "'au_statistics' in its header"),
        ({"template": {"head": [[0.0] * 6], "upper": [[0.0] * 8]}}, "'template' in its header"),
    ],
)
def test_hostile_sets_are_one_sentence(avatar, tmp_path, changes, words):
    header = json.loads(json.dumps(avatar.header))
    for key, value in changes.items():
        header[key] = header[key] | value if key == "motion" else value
    with pytest.raises(AvatarError, match=words) as raised:
        save_avatar(replace(avatar, header=header), tmp_path / "a.hmt")
    assert len(str(raised.value)) < 300


def test_the_voice_rounds_the_lips(avatar):
    loud = np.sin(np.arange(32_000) * 0.6) * np.repeat([0.0, 0.5, 0.05, 0.5], 8000)
    take = animate(avatar, loud.astype(np.float32), encoder=TinyEncoder())
    rounding = take.action_units[:, EXTENDED.index("AU18")]
    assert take.action_units.shape == (50, 47)
    assert rounding.max() > 0.5
    assert rounding.max() - rounding[:8].max() > 0.3, "rest in silence"
    assert take.action_units[:, EXTENDED.index("AU45")].max() >= 0
    flat = animate(avatar, loud.astype(np.float32), encoder=TinyEncoder(), settings=AnimateSettings(gains={"AU18": 0}))
    assert not flat.action_units[:, EXTENDED.index("AU18")].any()
    again = Take.from_bytes(take.to_bytes())
    np.testing.assert_array_equal(again.action_units, take.action_units)
    assert again.rest.shape == (47,)


def test_filmed_eyes_are_those_of_both_sides(avatar):
    upper = [[0.0] * len(EXTENDED.upper) for _ in range(4)]
    for row in upper:
        row[EXTENDED.upper.index("AU45L")], row[EXTENDED.upper.index("AU45R")] = 2.0, 1.0
    template = {"fps": 25, "head": [[0.0] * 6] * 4, "upper": upper}
    filmed = replace(avatar, header=avatar.header | {"template": template})
    sound = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    take = animate(filmed, sound, encoder=TinyEncoder(), settings=AnimateSettings(filmed=True))
    np.testing.assert_allclose(take.action_units[5, EXTENDED.index("AU45")], 1.0)
    np.testing.assert_allclose(take.action_units[5, EXTENDED.index("AU45L")], 1.0)
    assert not take.action_units[:, EXTENDED.index("AU45R")].any()


def test_takes_of_other_widths_are_refused():
    with pytest.raises(ValueError, match="47 or 17"):
        Take(25.0, np.zeros((3, 18)), np.zeros((3, 32)), np.zeros((3, 6)))
    with pytest.raises(TakeError):
        Take.from_bytes(b"nothing")


def test_tables_tell_what_each_side_does(tmp_path):
    rows = np.stack([controls(AU12=1, AU12L=2, AU18=3), controls(AU45=1, AU45R=1)])
    write_table(tmp_path / "wide.csv", rows, 25)
    first = dict(zip(*(line.split(",") for line in (tmp_path / "wide.csv").read_text().splitlines()[:2]), strict=True))
    assert [float(first[code]) for code in ("AU12", "AU12L", "AU12R", "AU18")] == [2, 3, 1, 3]
    np.testing.assert_allclose(read_table(tmp_path / "wide.csv"), rows, atol=1e-4)
    (tmp_path / "hand.csv").write_text("AU12,AU18\n2,1\n")
    np.testing.assert_allclose(read_table(tmp_path / "hand.csv"), [controls(AU12=2, AU18=1)])
    write_openface(tmp_path / "openface.csv", rows, np.zeros((2, 6)), 25)
    curves = read_openface(tmp_path / "openface.csv")
    assert curves.codes == EXTENDED.codes
    assert curves.values[0, EXTENDED.index("AU12L")] == pytest.approx(3)


def test_arkits_shapes_are_of_one_side(tmp_path):
    shapes = dict(zip(ARKIT_NAMES, action_units_to_arkit(controls(AU12=1, AU12L=2, AU18=5)[None])[0], strict=True))
    assert shapes["mouthSmileLeft"] == pytest.approx(0.6)
    assert shapes["mouthSmileRight"] == pytest.approx(0.2)
    assert shapes["mouthPucker"] == 1
    rng = np.random.default_rng(0)
    exact = [code for code in EXTENDED.muscles if code[:4] not in ("AU16", "AU23", "AU27")]
    pulls = rng.uniform(0, 2, (10, len(exact))).astype(np.float32)
    rows = EXTENDED.controls(np.zeros((10, len(EXTENDED.muscles))), EXTENDED.muscles)
    rows += EXTENDED.controls(pulls, exact)
    back = arkit_to_muscles(action_units_to_arkit(rows))
    np.testing.assert_allclose(back[:, [EXTENDED.muscles.index(code) for code in exact]], pulls, atol=1e-4)
    seventeen = rng.uniform(0, 2, (10, 17)).astype(np.float32)
    np.testing.assert_allclose(
        action_units_to_arkit(carry(seventeen, EXTENDED)), action_units_to_arkit(seventeen), atol=1e-6
    )
