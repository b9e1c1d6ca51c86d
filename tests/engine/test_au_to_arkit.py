# SPDX-License-Identifier: GPL-3.0-or-later
"""The synthetic head's expressions follow FACS."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from hmtalker import action_units as vocabulary

_PATH = Path(__file__).resolve().parents[2] / "assets" / "bundled_avatar" / "au_to_arkit.py"
_SPEC = importlib.util.spec_from_file_location("au_to_arkit", _PATH)
au_to_arkit = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(au_to_arkit)


def pose(**units: float) -> np.ndarray:
    """[17] intensities."""
    row = np.zeros(len(au_to_arkit.ACTION_UNITS))
    for code, intensity in units.items():
        row[au_to_arkit.ACTION_UNITS.index(code)] = intensity
    return row


def sweep(code: str, values: np.ndarray, **others: float) -> np.ndarray:
    """[F, 17] with one Action Unit running over values."""
    rows = np.tile(pose(**others), (len(values), 1))
    rows[:, au_to_arkit.ACTION_UNITS.index(code)] = values
    return rows


def random_units(count: int = 500) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.uniform(0, 5, (count, 17)) * (rng.random((count, 17)) < 0.4)


def test_action_units_are_in_openface_order() -> None:
    assert au_to_arkit.ACTION_UNITS == vocabulary.CODES


def test_there_are_52_shapes_in_alphabetical_order() -> None:
    assert len(set(au_to_arkit.ARKIT_NAMES)) == 52
    assert list(au_to_arkit.ARKIT_NAMES) == sorted(au_to_arkit.ARKIT_NAMES)


def test_neutral_is_the_rest_face() -> None:
    assert np.all(au_to_arkit.to_arkit(np.zeros((3, 17))) == 0)


def test_lips_stay_shut_without_lips_part() -> None:
    units = random_units()
    units[:, au_to_arkit.ACTION_UNITS.index("AU25")] = 0
    rng = np.random.default_rng(1)
    weights = au_to_arkit.to_arkit(units, rng.uniform(0, 5, len(units)), rng.uniform(0, 5, len(units)))
    np.testing.assert_allclose(au_to_arkit.lip_gap(weights), 0, atol=1e-6)


def test_the_jaw_still_drops_behind_shut_lips() -> None:
    weights = au_to_arkit.to_arkit(sweep("AU26", np.linspace(0, 5, 11)))
    assert np.all(np.diff(weights[:, au_to_arkit.ARKIT_NAMES.index("jawOpen")]) > 0)


@pytest.mark.parametrize("jaw", [0.0, 1.0, 3.0, 5.0])
@pytest.mark.parametrize("others", [{}, {"AU12": 4.0}, {"AU17": 3.0}, {"AU23": 5.0}, {"AU10": 2.0}])
def test_gap_grows_with_lips_part(jaw: float, others: dict[str, float]) -> None:
    gap = au_to_arkit.lip_gap(au_to_arkit.to_arkit(sweep("AU25", np.linspace(0, 5, 51), AU26=jaw, **others)))
    assert gap[0] < 1e-6
    assert np.all(np.diff(gap[gap > 0]) > 0)
    assert np.all(gap[10:] > 0)  # pressed lips may hold on to each other up to intensity 1


def test_gap_is_what_speech_and_a_wide_open_mouth_need() -> None:
    gap = au_to_arkit.lip_gap(au_to_arkit.to_arkit(np.stack([pose(AU25=2, AU26=1), pose(AU25=5, AU26=5)])))
    assert 0.006 < gap[0] < 0.011
    assert 0.024 < gap[1] < 0.032


def test_weights_stay_within_their_limits() -> None:
    weights = au_to_arkit.to_arkit(random_units(2000) * 3, 9.0, 9.0)
    assert weights.dtype == np.float32
    assert weights.min() >= 0
    assert weights.max() <= au_to_arkit.WEIGHT_LIMIT


@pytest.mark.parametrize("code", au_to_arkit.ACTION_UNITS)
def test_every_action_unit_moves_the_face_more_and_more(code: str) -> None:
    top = 2 if code == "AU45" else 5
    weights = au_to_arkit.to_arkit(sweep(code, np.linspace(0, top, 21)))
    distance = np.abs(weights).sum(1)
    assert np.all(np.diff(distance) > 0)
    assert distance[-1] > 0.4


def test_tightened_puckered_and_funnelled_lips_differ() -> None:
    tight = au_to_arkit.to_arkit(pose(AU23=5)[None])[0]
    pucker = au_to_arkit.to_arkit(np.zeros((1, 17)), pucker=5.0)[0]
    funnel = au_to_arkit.to_arkit(np.zeros((1, 17)), funnel=5.0)[0]
    for a, b in ((tight, pucker), (pucker, funnel), (tight, funnel)):
        assert np.abs(a - b).max() > 0.5


def test_blink_is_complete_at_two() -> None:
    weights = au_to_arkit.to_arkit(sweep("AU45", np.array([1.0, 1.9, 2.0, 3.0, 5.0])))
    lids = weights[:, au_to_arkit.ARKIT_NAMES.index("eyeBlinkLeft")]
    assert lids[0] == pytest.approx(0.5)
    assert lids[1] < 1
    np.testing.assert_allclose(lids[2:], 1)


def test_small_changes_make_small_changes() -> None:
    units = random_units()
    step = 1e-3 * np.random.default_rng(2).uniform(-1, 1, units.shape)
    moved = au_to_arkit.to_arkit(units + step) - au_to_arkit.to_arkit(units)
    assert np.abs(moved).max() < 0.01
