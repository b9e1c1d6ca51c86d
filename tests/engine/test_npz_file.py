# SPDX-License-Identifier: GPL-3.0-or-later
"""What numpy saves is read back; what claims to be larger than it is, or holds objects, is refused unread."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from hmtalker.npz_file import MOST_ARRAYS, read_npz

MEGABYTE = 1 << 20


def packed(**arrays) -> io.BytesIO:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    file.seek(0)
    return file


def forged(header: bytes, data: bytes = b"") -> io.BytesIO:
    """One member whose array header is `header`."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        header = header.ljust(117) + b"\n"
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data)
    file.seek(0)
    return file


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.asfortranarray(np.arange(24).reshape(2, 3, 4)),
        np.array(["one", "zwei", "três"]),
        np.array(7),
        np.zeros((0, 17), np.float16),
        np.array([True, False]),
    ],
    ids=["float", "fortran", "text", "scalar", "empty", "bool"],
)
def test_what_numpy_saves_is_read_back(array):
    read = read_npz(packed(values=array, other=np.ones(2)), MEGABYTE)
    assert list(read) == ["values", "other"]
    np.testing.assert_array_equal(read["values"], array)
    assert read["values"].dtype == array.dtype
    assert read["values"].flags.writeable


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (b"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,)}", "claims more"),
        (b"{'descr': '<f4', 'fortran_order': False, 'shape': (-4,)}", "negative"),
        (b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", "is of object"),
        (b"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", "is of float32"),
        (b"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "is of"),
        (b"__import__('os').system('echo')", "malformed|parse"),
    ],
)
def test_hostile_headers_are_refused(header, words):
    with pytest.raises(ValueError, match=words):
        read_npz(forged(header, bytes(64)), MEGABYTE)


def test_a_claim_of_a_terabyte_allocates_nothing(monkeypatch):
    asked = []
    monkeypatch.setattr(np, "frombuffer", lambda *rest: asked.append(rest))
    with pytest.raises(ValueError, match="claims more"):
        read_npz(forged(b"{'descr': '<f8', 'fortran_order': False, 'shape': (137438953472,)}"), MEGABYTE)
    assert asked == []


def test_too_much_is_refused_before_it_is_unpacked():
    bomb = packed(zeros=np.zeros(4 * MEGABYTE, np.uint8))
    assert len(bomb.getvalue()) < 10_000
    with pytest.raises(ValueError, match="too large"):
        read_npz(bomb, MEGABYTE)
    with pytest.raises(ValueError, match="arrays"):
        read_npz(packed(**{f"a{number}": np.zeros(1) for number in range(MOST_ARRAYS + 1)}), MEGABYTE)


def test_damage_is_one_kind_of_error():
    data = packed(values=np.random.default_rng(0).random(500)).getvalue()
    for length in range(0, len(data), 97):
        with pytest.raises(ValueError, match=r"\w"):
            read_npz(io.BytesIO(data[:length]), MEGABYTE)
    rng = np.random.default_rng(1)
    for _ in range(300):
        hurt = bytearray(data)
        hurt[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
        try:
            read_npz(io.BytesIO(bytes(hurt)), MEGABYTE)
        except ValueError:
            continue
