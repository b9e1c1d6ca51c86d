# SPDX-License-Identifier: GPL-3.0-or-later
"""A PLY of Gaussians holds what it was given, whatever that is, for a reader that follows its header alone."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_disk import small_disk, small_files

from hmtalker.gaussians.ply_file import LIMIT, PlyError, read_ply, write_ply
from hmtalker.rasterize import Splats

QUIET = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NUMBERS = st.floats(width=32, allow_nan=True, allow_infinity=True)
SIZES = st.floats(np.float32(1e-37), np.float32(1e38), width=32)


@st.composite
def gaussians(draw: st.DrawFn) -> tuple[Splats, np.ndarray]:
    count = draw(st.integers(0, 5))

    def drawn(numbers: st.SearchStrategy, *shape: int) -> np.ndarray:
        size = count * int(np.prod(shape))
        values = draw(st.lists(numbers, min_size=size, max_size=size))
        return np.array(values, np.float32).reshape(count, *shape)

    splats = Splats(
        means=drawn(NUMBERS, 3),
        quaternions=drawn(NUMBERS, 4),
        scales=drawn(SIZES, 3),
        opacities=drawn(st.floats(0, 1, width=32)),
        colors=np.zeros((count, 3), np.float32),
    )
    return splats, drawn(NUMBERS, draw(st.sampled_from((1, 4, 9, 16))), 3)


def columns(path: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """Properties by name, and comments, as the PLY specification (Turk, 1994) has them."""
    header, mark, body = path.read_bytes().partition(b"\nend_header\n")
    lines = header.decode("ascii").split("\n")
    assert (lines[:2], mark) == (["ply", "format binary_little_endian 1.0"], b"\nend_header\n")
    comments = [line[8:] for line in lines[2:] if line.startswith("comment ")]
    element, *properties = (line for line in lines[2:] if not line.startswith("comment"))
    kind, name, count = element.split(" ")
    assert (kind, name) == ("element", "vertex")
    names = [line.split(" ")[2] for line in properties]
    assert all(line.startswith("property float ") for line in properties)
    table = np.frombuffer(body, [(name, "<f4") for name in names])
    assert len(table) == int(count)
    return {name: table[name] for name in names}, comments


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return np.array_equal(one, other, equal_nan=True)


@QUIET
@given(made=gaussians(), comments=st.lists(st.text(max_size=30), max_size=3))
def test_any_numbers_and_any_texts_come_back(tmp_path, made, comments):
    splats, sh = made
    path = tmp_path / "head.ply"
    write_ply(path, splats, sh, tuple(comments))
    found, told = columns(path)
    assert told == [" ".join(text.split()).encode("ascii", "replace").decode() for text in comments]
    for axis, name in enumerate("xyz"):
        assert same(found[name], splats.means[:, axis])
    more = sh.shape[1] - 1
    for channel in range(3):
        assert same(found[f"f_dc_{channel}"], sh[:, 0, channel])
        for number in range(more):
            assert same(found[f"f_rest_{channel * more + number}"], sh[:, 1 + number, channel])
    for number in range(4):
        assert same(found[f"rot_{number}"], splats.quaternions[:, number])
    for axis in range(3):
        np.testing.assert_allclose(found[f"scale_{axis}"], np.log(splats.scales[:, axis].astype(float)), rtol=1e-6)
    logit = found["opacity"].astype(float)
    np.testing.assert_allclose(1 / (1 + np.exp(-logit)), splats.opacities, atol=2 * LIMIT)
    again, again_sh = read_ply(path)
    assert same(again.means, splats.means)
    assert same(again_sh, sh)


@QUIET
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(tmp_path, data):
    path = tmp_path / "head.ply"
    splats = Splats(np.ones((2, 3)), np.ones((2, 4)), np.ones((2, 3)), np.full(2, 0.5), np.zeros((2, 3)))
    write_ply(path, splats, np.ones((2, 4, 3)))
    damaged = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        piece = data.draw(st.sampled_from((b"\n", b"99999999999", b"-1", b"\xff\xff", b"property float x\n", b"\0")))
        end = place + (len(piece) if data.draw(st.booleans()) else 0)
        damaged[place:end] = piece
    path.write_bytes(damaged)
    try:
        again, sh = read_ply(path)
    except PlyError:
        return
    assert again.count == len(sh)


@pytest.mark.parametrize("name", ["Grüße 顔 🙂.ply", "a" * 251 + ".ply", "end_header .ply"])
def test_any_name_in_a_folder_that_is_not_there(tmp_path, name):
    splats = Splats(np.ones((1, 3)), np.ones((1, 4)), np.ones((1, 3)), np.full(1, 0.5), np.zeros((1, 3)))
    path = tmp_path / "gone é" / name
    write_ply(path, splats, np.ones((1, 1, 3)))
    assert columns(path)[0]["x"] == 1
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a small disk, or limits the size of files")
@pytest.mark.parametrize("trouble", ["full", "read-only", "a file for a folder"])
def test_a_place_that_cannot_be_written_is_named_and_left_clean(tmp_path, trouble):
    splats = Splats(np.ones((99, 3)), np.ones((99, 4)), np.ones((99, 3)), np.full(99, 0.5), np.zeros((99, 3)))
    given = splats, np.ones((99, 16, 3))
    if trouble == "full":
        with small_files(1000), pytest.raises(OSError, match="File too large") as told:
            write_ply(tmp_path / "head.ply", *given)
    elif trouble == "read-only":
        with small_disk(tmp_path / "disk", 64) as disk:
            disk.lock()
            with pytest.raises(OSError, match="Read-only file system") as told:
                write_ply(disk.folder / "head.ply", *given)
            assert not list(disk.folder.iterdir())
    else:
        (tmp_path / "file").write_text("not a folder")
        with pytest.raises(OSError, match=r"exists|directory") as told:
            write_ply(tmp_path / "file" / "head.ply", *given)
    assert str(told.value.filename).endswith("head.ply")
    assert not list(tmp_path.glob("*.part"))
