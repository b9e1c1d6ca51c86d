# SPDX-License-Identifier: GPL-3.0-or-later
"""Full, locked and odd places to write to: one sentence with the place, whole files only, and it goes on afterwards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_disk import small_disk, small_files
from tiny_avatar import make_tiny_avatar

from hmtalker.action_unit_table import write_table
from hmtalker.atomic_file import write_atomically
from hmtalker.avatar import save_avatar
from hmtalker.cli import FAILED, main

FRAMES = 12


@pytest.fixture(scope="module")
def avatar_path(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("avatar") / "tiny.hmt"
    save_avatar(make_tiny_avatar(size=96), path)
    return str(path)


@pytest.fixture
def curves(tmp_path) -> str:
    units = np.random.default_rng(1).uniform(0, 3, (FRAMES, 17)).astype(np.float32)
    write_table(tmp_path / "curves.csv", units, 25.0)
    return str(tmp_path / "curves.csv")


@pytest.fixture
def render(avatar_path, curves, capsys):
    """Render the curves into a folder: (exit code, what was said on stderr)."""

    def run(folder: Path) -> tuple[int, str]:
        code = main(["render", curves, "-a", avatar_path, "-o", str(folder)])
        return code, capsys.readouterr().err

    return run


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def is_one_sentence(told: str, *parts: object) -> bool:
    return told.count("\n") == 1 and told.endswith(".\n") and all(str(part) in told for part in parts)


def test_a_disk_that_is_full_midway_keeps_whole_frames_and_rendering_can_be_repeated(render, tmp_path):
    assert render(tmp_path / "elsewhere")[0] == 0
    expected = files_in(tmp_path / "elsewhere")
    assert len(expected) == FRAMES
    room = sum(map(len, expected.values())) // 2048  # kB of half the frames
    with small_disk(tmp_path / "disk é", room) as disk:
        code, told = render(disk.folder)
        assert code == FAILED
        assert is_one_sentence(told, disk.folder, "is full; free some space")
        kept = files_in(disk.folder)
        assert 0 < len(kept) < FRAMES
        assert kept.items() <= expected.items()
        disk.resize(16 * room)
        assert render(disk.folder) == (0, "")
        assert files_in(disk.folder) == expected


def test_files_that_may_not_grow_are_told_and_leave_nothing(render, tmp_path):
    with small_files(1000):
        code, told = render(tmp_path / "frames")
    assert code == FAILED
    assert is_one_sentence(told, tmp_path / "frames", "what was finished is kept")
    assert not files_in(tmp_path / "frames")


def test_a_file_that_finds_no_space_keeps_what_was_in_it(tmp_path):
    path = tmp_path / "take.npz"
    write_atomically(path, [b"before"])
    with small_files(1000), pytest.raises(OSError, match=r"take\.npz"):
        write_atomically(path, [b"x" * 800, b"x" * 800])
    assert files_in(tmp_path) == {"take.npz": b"before"}


def test_a_place_that_is_locked_is_told(render, tmp_path):
    with small_disk(tmp_path / "locked", 64) as disk:
        disk.lock()
        code, told = render(disk.folder / "frames")
    assert code == FAILED
    assert is_one_sentence(told, tmp_path / "locked" / "frames", "Read-only file system")


def test_names_may_be_as_long_as_the_file_system_lets_them(avatar_path, tmp_path, capsys):
    folder = tmp_path.joinpath(*["Gesicht é 顔 " * 5] * 6)  # more than 255 bytes together
    longest = folder / ("n" * 251 + ".png")
    assert main(["frame", "-a", avatar_path, "-o", str(longest)]) == 0
    assert longest.read_bytes().startswith(b"\x89PNG")
    too_long = folder / ("n" * 252 + ".png")
    assert main(["frame", "-a", avatar_path, "-o", str(too_long)]) == FAILED
    assert is_one_sentence(capsys.readouterr().err, too_long, "File name too long")
