# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender on full and odd disks: one sentence with the place, whole files only, and it goes on afterwards."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from conftest import bpy, speech_like
from small_disk import small_disk, small_files

FRAMES = 10


@pytest.fixture
def talking(avatar, add_sound, tmp_path):
    """The tiny avatar speaking ten frames, in a .blend on disk."""
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    add_sound(speech_like(FRAMES / 25), "voice", start=1)
    bpy.ops.hmtalker.animate_from_strip()
    return avatar


def render_into(folder: Path) -> None:
    bpy.context.scene.hmtalker.output_folder = str(folder)
    assert bpy.ops.hmtalker.render_to_sequencer() == {"FINISHED"}


def frames_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_frames_go_on_when_their_disk_has_space_again(talking, tmp_path):
    render_into(tmp_path / "elsewhere")
    expected = frames_in(tmp_path / "elsewhere")
    assert len(expected) == FRAMES
    room = sum(map(len, expected.values())) // 2048  # kB of half the frames
    with small_disk(tmp_path / "disk", room) as disk:
        with pytest.raises(RuntimeError, match=r"disk/Tiny.* cannot be written \(No space left on device\)"):
            render_into(disk.folder)
        kept = frames_in(disk.folder)
        assert 0 < len(kept) < FRAMES
        assert kept.items() <= expected.items()
        disk.resize(16 * room)
        render_into(disk.folder)
        assert frames_in(disk.folder) == expected
        disk.lock()
        with pytest.raises(RuntimeError, match=r"Frames cannot be written to .*disk.* \(Read-only file system\)"):
            render_into(disk.folder)


def test_frames_that_find_no_space_are_told_and_leave_nothing(talking, tmp_path):
    with small_files(1000), pytest.raises(RuntimeError, match=r"frames.* cannot be written \(File too large\)"):
        render_into(tmp_path / "frames")
    assert not frames_in(tmp_path / "frames")
    render_into(tmp_path / "frames")
    assert len(frames_in(tmp_path / "frames")) == FRAMES


@pytest.mark.parametrize(("export", "name"), [("export_curves", "face.csv"), ("export_gaussians", "face.ply")])
def test_an_export_that_finds_no_space_is_told_and_leaves_nothing(talking, tmp_path, export, name):
    folder = tmp_path / "out"
    folder.mkdir()
    with small_files(1000), pytest.raises(RuntimeError, match=rf"{name} cannot be written \(File too large\)"):
        getattr(bpy.ops.hmtalker, export)(filepath=str(folder / name))
    assert not frames_in(folder)
    assert getattr(bpy.ops.hmtalker, export)(filepath=str(folder / name)) == {"FINISHED"}
    assert list(frames_in(folder)) == [name]


def test_frames_whose_folder_vanishes_midway_are_all_there_after_the_next_render(talking, tmp_path, part, monkeypatch):
    baked_frames, once = part("hmtalker_blender.baked_frames"), threading.Lock()
    write = baked_frames._write

    def write_after_someone_cleaned_up(path, *rest):
        if path.name == "0005.png" and once.acquire(blocking=False):
            shutil.rmtree(tmp_path / "frames", ignore_errors=True)
        write(path, *rest)

    monkeypatch.setattr(baked_frames, "_write", write_after_someone_cleaned_up)
    try:
        render_into(tmp_path / "frames")
    except RuntimeError as error:
        assert "cannot be written" in str(error)  # noqa: PT017  (either may happen: threads write side by side)
    render_into(tmp_path / "frames")
    assert len(frames_in(tmp_path / "frames")) == FRAMES


def test_an_avatar_file_that_vanishes_midway_does_not_matter(avatar, add_sound, tmp_path, tiny_file, part, monkeypatch):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    own = tmp_path / "own.hmt"
    shutil.copy(tiny_file, own)
    avatar.hmtalker.avatar_path = str(own)
    add_sound(speech_like(FRAMES / 25), "voice", start=1)
    bpy.ops.hmtalker.animate_from_strip()
    baked_frames = part("hmtalker_blender.baked_frames")
    write = baked_frames._write

    def write_without_the_file(*everything):
        own.unlink(missing_ok=True)
        write(*everything)

    monkeypatch.setattr(baked_frames, "_write", write_without_the_file)
    render_into(tmp_path / "frames")
    assert len(frames_in(tmp_path / "frames")) == FRAMES
    with pytest.raises(RuntimeError, match=r"own\.hmt"):
        render_into(tmp_path / "others")


def test_a_frames_folder_may_be_deep_and_in_any_script(talking, tmp_path):
    folder = tmp_path.joinpath(*["Gesicht é 顔 " * 4 + "x"] * 6)
    assert len(str(folder).encode()) > 400
    render_into(folder)
    assert len(frames_in(folder)) == FRAMES
