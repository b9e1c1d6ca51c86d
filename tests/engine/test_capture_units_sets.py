# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of Action Units and how one is read from another."""

from __future__ import annotations

import numpy as np
import pytest

from hmtalker import action_units
from hmtalker.action_unit_sets import EXTENDED, OPENFACE_17, UnknownSetError, base, convert, find_set, make_set


def test_the_default_set_is_openfaces_17_in_order_and_range() -> None:
    assert OPENFACE_17.codes == action_units.CODES
    assert OPENFACE_17.names == tuple(action_units.NAMES.values())
    np.testing.assert_array_equal(OPENFACE_17.maxima, action_units.CONDITION_MAXIMUM)
    assert set(OPENFACE_17.sides) == {""}


def test_the_extended_set_begins_with_the_17_and_can_round_the_lips() -> None:
    assert EXTENDED.codes[:17] == OPENFACE_17.codes
    assert {"AU16", "AU18", "AU22", "AU24", "AU27", "AU28", "AU12L", "AU12R"} <= set(EXTENDED.codes)
    assert len(set(EXTENDED.codes)) == EXTENDED.count == len(EXTENDED.names) == len(EXTENDED.sides)
    for code, side in zip(EXTENDED.codes, EXTENDED.sides, strict=True):
        assert code == base(code) + side
        assert base(code) in EXTENDED.codes


def test_sets_are_found_by_name() -> None:
    assert find_set("openface-17") is OPENFACE_17
    assert find_set("extended") is EXTENDED
    with pytest.raises(UnknownSetError, match="'openface-18'; choose one of openface-17, extended"):
        find_set("openface-18")
    with pytest.raises(UnknownSetError, match="no Action Unit AU99"):
        EXTENDED.index("AU99")


def test_the_extended_set_folds_back_to_the_17() -> None:
    values = np.random.default_rng(0).uniform(0, 2, (4, EXTENDED.count)).astype(np.float32)
    np.testing.assert_array_equal(convert(values, EXTENDED.codes, OPENFACE_17), values[:, :17])


def test_a_unit_is_the_mean_of_its_sides_and_a_side_the_unit_without_one() -> None:
    folded = convert(np.array([[4.0, 1.0, 3.0]]), ("AU12L", "AU12R", "AU04"), EXTENDED)[0]
    assert folded[EXTENDED.index("AU12")] == 2.5
    assert folded[EXTENDED.index("AU12L")] == 4.0
    assert folded[EXTENDED.index("AU04L")] == folded[EXTENDED.index("AU04R")] == folded[EXTENDED.index("AU04")] == 3.0
    assert folded[EXTENDED.index("AU25")] == 0.0
    one_side = convert(np.array([[4.0]]), ("AU12L",), OPENFACE_17)[0]
    assert one_side.max() == 0.0  # one side says nothing about both


def test_intensities_stay_within_the_sets_limits() -> None:
    wild = np.full((2, EXTENDED.count), 9.0)
    wild[0] = np.nan
    wild[1, :3] = [-1.0, np.inf, -np.inf]
    clipped = EXTENDED.clip(wild)
    assert clipped.dtype == np.float32
    assert (clipped[0] == 0).all()
    assert clipped[1, :3].tolist() == [0.0, 5.0, 0.0]
    assert clipped[1, EXTENDED.index("AU45L")] == action_units.BLINK_CLOSED


def test_a_set_of_ones_own_knows_sides_and_limits() -> None:
    mine = make_set("winks", {"AU45L": "Blink Left", "AU12": "Lip Corner Puller"})
    assert mine.sides == ("L", "")
    assert mine.maxima.tolist() == [2.0, 5.0]
    assert convert(np.ones((0, 17)), OPENFACE_17.codes, mine).shape == (0, 2)


def test_values_and_codes_must_go_together() -> None:
    with pytest.raises(ValueError, match="last axis must have 17 columns"):
        convert(np.zeros((3, 16)), OPENFACE_17.codes, EXTENDED)
