# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports into folders that are not there, or cannot be written: whole files, or one sentence that names them."""

from __future__ import annotations

import pytest
from conftest import bpy, speech_like
from small_disk import small_disk

EXPORTS = [("export_curves", "csv"), ("export_gaussians", "ply")]


@pytest.fixture
def export(avatar, add_sound, tmp_path):
    """A function that exports the tiny avatar, which speaks for five frames."""
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    add_sound(speech_like(0.2), "voice", start=1)
    bpy.ops.hmtalker.animate_from_strip()
    return lambda name, path: getattr(bpy.ops.hmtalker, name)(filepath=str(path))


@pytest.mark.parametrize(("name", "kind"), EXPORTS)
def test_a_folder_that_has_gone_is_made_again_whatever_it_is_called(export, tmp_path, name, kind):
    path = tmp_path / "Grüße 顔 🙂" / f"größer.{kind}"
    assert export(name, path) == {"FINISHED"}
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.stat().st_size > 100


@pytest.mark.parametrize(("name", "kind"), EXPORTS)
def test_a_folder_that_cannot_be_written_is_told(export, tmp_path, name, kind):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(RuntimeError, match=rf"face\.{kind} cannot be written \(.+\)"):
        export(name, tmp_path / "file" / f"face.{kind}")
    with small_disk(tmp_path / "disk", 64) as disk:
        disk.lock()
        with pytest.raises(RuntimeError, match=rf"face\.{kind} cannot be written \(Read-only file system\)"):
            export(name, disk.folder / f"face.{kind}")
        assert not list(disk.folder.iterdir())
