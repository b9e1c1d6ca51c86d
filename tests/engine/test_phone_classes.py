# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark of phone classes tells a mouth that speaks from one that does not."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from phone_alignment import align, timit_phones
from phone_class_scores import Recording, frames_of, score, swapped, table, told_apart

from hmtalker.training.visemes import VISEMES, of_arpabet, shares

PHONES = ("P", "AA", "UW", "SH", "V", "S", "IY", "T", "EH", "M", "OY", "R")


def spoken(seed: int) -> list[tuple[tuple[str, ...], float, float]]:
    """60 phones of 0.16 s in random order, half a second of silence on both sides."""
    names = np.random.default_rng(seed).permutation(np.repeat(PHONES, 5))
    return [(of_arpabet(name), 0.52 + 0.16 * k, 0.52 + 0.16 * (k + 1)) for k, name in enumerate(names)]


def speaking_mouth(seed: int) -> Recording:
    """Does in each frame what the phone in its middle asks for, and nothing in silence."""
    phones = spoken(seed)
    table_of = shares(phones, 270)
    gap = np.full(len(VISEMES), 6.0)
    width = np.zeros(len(VISEMES))
    for viseme, value in {"silence": 0.0, "closed": 0.0, "lip on teeth": 2.0, "open": 12.0}.items():
        gap[VISEMES.index(viseme)] = value
    for viseme in ("w", "close rounded", "mid rounded", "funnel", "r"):
        width[VISEMES.index(viseme)] = -5.0
    curves = np.stack([table_of @ gap, table_of @ width, np.zeros(270)], 1)
    return Recording("en", curves, phones)


@pytest.fixture(scope="module")
def recordings():
    return [speaking_mouth(seed) for seed in range(4)]


def test_a_mouth_that_does_what_is_asked_reaches_it(recordings):
    rows = {row.name: row for row in score(recordings)}
    assert {name: row.count for name, row in rows.items()}["P B M"] == 40
    assert rows["P B M"].reached == 1
    assert rows["P B M"].told_apart > 0.9
    for name in ("UW UH OW AO OY W", "SH ZH CH JH", "AA AE AH AW AY", "F V", "silence"):
        assert rows[name].reached > 0.95, name
        assert rows[name].told_apart > rows[name].interval[0] - 1e-9 > 0.5, name


def test_the_mouth_of_another_recording_says_nothing(recordings):
    for row in score(swapped(recordings)):
        if row.name != "silence":
            assert 0.3 < row.told_apart < 0.7, row.name


def test_a_mouth_that_stands_still_tells_nothing_apart(recordings):
    still = [Recording("en", np.zeros_like(r.curves), r.phones) for r in recordings]
    assert {row.told_apart for row in score(still)} == {0.5}


def test_a_row_of_the_table_has_all_its_columns(recordings):
    rows = score(recordings)
    lines = table("en", rows, score(swapped(recordings))).splitlines()
    assert len(lines) == len(rows) + 4
    assert {line.count("|") for line in lines[2:]} == {10}


def test_told_apart_counts_ties_half():
    assert told_apart(np.array([1.0, 2.0]), np.array([1.0, 3.0])) == pytest.approx((0.5 + 0 + 1 + 0) / 4)


def test_a_phone_beyond_the_end_still_has_a_frame():
    assert frames_of(3.0, 3.2, 50) == slice(49, 50)


def test_phones_are_found_where_they_are_heard():
    names = ["M", "AY", "SH", "UW"]
    said = [(of_arpabet(n), 0.2 + 0.2 * k, 0.4 + 0.2 * k) for k, n in enumerate(names)]
    heard = 0.8 * shares(said, 75, 50.0) + 0.2 / len(VISEMES)
    found = align(heard, names, of_arpabet)
    assert [name for name, _, _ in found] == names
    for (_, begin, end), (_, low, high) in zip(found, said, strict=True):
        assert (begin, end) == (pytest.approx(low, abs=0.021), pytest.approx(high, abs=0.021))


def test_more_phones_than_there_is_time_for_are_not_aligned():
    assert align(np.full((4, len(VISEMES)), 1 / len(VISEMES)), list(PHONES), of_arpabet) == []


def test_timit_closures_and_silences_are_no_phones():
    assert timit_phones("dh ax cl ch sil vcl d") == ["DH", "AH", "CH", "D"]
