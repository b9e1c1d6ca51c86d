# SPDX-License-Identifier: GPL-3.0-or-later
"""Readers of what others made: sound files are read, damaged and hostile ones are refused with a sentence.

Hypothesis cuts, flips and joins sound files; tests/fuzz/fuzz.py searches further, guided by coverage, and what it once
found lies in tests/fuzz/corpus.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FUZZ = Path(__file__).resolve().parents[1] / "fuzz"
sys.path.append(str(FUZZ))

from targets import TARGETS, Target, check

SEEDS = {name: target.seeds() for name, target in TARGETS.items()}
KEPT = sorted((FUZZ / "corpus").glob("*/*"))
NEVER_REFUSES = {"marking", "messages", "png_text"}
"""Readers that pass over what they do not understand."""


@st.composite
def damaged(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        if not data:
            break
        place = draw(st.integers(0, len(data) - 1))
        match draw(st.sampled_from(("flip", "set", "cut", "insert", "repeat", "end"))):
            case "flip":
                data[place] ^= 1 << draw(st.integers(0, 7))
            case "set":
                piece = draw(st.sampled_from((b"\xff\xff\xff\xff", b"\0\0\0\0", b"-1", b"1e999", b"NaN", b"../")))
                data[place : place + len(piece)] = piece
            case "cut":
                del data[place : place + draw(st.integers(1, 64))]
            case "insert":
                data[place:place] = draw(st.binary(max_size=40))
            case "repeat":
                data[place:place] = data[place : place + 200]
            case "end":
                del data[place:]
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_sound_files_are_read(name):
    assert check(TARGETS[name], SEEDS[name][0])


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("data", [b"", b"\0", b"\xff" * 64, b"{}", b"[" * 100_000, b"PK\x03\x04" + bytes(40)])
def test_what_is_something_else_is_refused(name, data):
    assert check(TARGETS[name], data) == (name in NEVER_REFUSES)


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_files_are_read_or_refused(name):
    target: Target = TARGETS[name]

    @settings(max_examples=120, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(damaged(SEEDS[name]))
    def run(data: bytes) -> None:
        check(target, data)

    run()


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_fuzzing_once_found_stays_mended(path):
    check(TARGETS[path.parent.name], path.read_bytes())


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "a\\b", "", ".hidden", "c:d", "nul\0"])
def test_no_clip_leads_out_of_the_dataset(name):
    import numpy as np

    from hmtalker.training.dataset import check_names

    with pytest.raises(ValueError, match="cannot be called"):
        check_names(np.array(["fine", name], object))
