# SPDX-License-Identifier: GPL-3.0-or-later
"""A capture through the real worker, with a pipeline of a few lines in the place of the one that takes hours."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import fake_environment
import pytest

from hmtalker.capture.options import CaptureOptions
from hmtalker.errors import CancelledError
from hmtalker.worker import capture_worker, process
from hmtalker.worker.errors import WorkerError
from hmtalker.worker.messages import Finding, Hello, Progress
from hmtalker.worker.unfinished import FILE_NAME, UnfinishedNote, read_unfinished


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_environment.make(tmp_path_factory.mktemp("environment") / "training")


def capture(python: Path, what: str, output: Path, cancelled: Any = lambda: False, **more: Any) -> tuple[dict, list]:
    heard: list = []
    options = {"videos": [f"/clips/{what}.mp4"], "output": str(output), **more}
    return process.run(python, "capture", options, heard=heard.append, cancelled=cancelled), heard


def test_a_capture_tells_its_stages_and_where_the_report_is(python: Path, tmp_path: Path) -> None:
    folder = tmp_path / "date set é"
    result, heard = capture(python, "fine", folder, size=256, matte="screen", hold_out=["b"], threads=3)
    assert result == {"output": str(folder), "report": str(folder / "report.html")}
    assert isinstance(heard[0], Hello)
    assert heard[2] == Progress("Reading", 0, 2, 0.5, 12.0, "fine.mp4")
    assert heard[3] == Progress("Head pose", 1, 2, 1.0, None, "")
    given = json.loads((folder / "options.json").read_text())
    assert (given["size"], given["matte"], given["hold_out"], given["threads"]) == (256, "screen", ["b"], 3)
    assert given["videos"] == [str(Path("/clips/fine.mp4"))]


def test_findings_are_told_before_the_end(python: Path, tmp_path: Path) -> None:
    found = [
        {"severity": "warn", "title": "The picture is dark", "remedy": "Light the face.", "frames": [1]},
        "no finding",
        {"severity": "note"},
    ]
    (tmp_path / "summary.json").write_text(json.dumps({"findings": found}))
    _, heard = capture(python, "fine", tmp_path)
    assert heard[-2:] == [Finding("warn", "The picture is dark", "Light the face."), Finding("note", "", "")]


def test_what_is_wrong_with_the_footage_is_its_own_sentence(python: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match=r"^'silent.mp4' has no audio track: film with sound\.$"):
        capture(python, "silent", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_fault_is_told_in_a_sentence_and_its_traceback_kept(python: Path, tmp_path: Path, caplog: Any) -> None:
    caplog.set_level("INFO")
    with pytest.raises(WorkerError, match=r"unexpected went wrong \(ZeroDivisionError: division by zero"):
        capture(python, "broken", tmp_path)
    assert "fake_pipeline.py" in caplog.text


def test_libraries_that_print_do_no_harm(python: Path, tmp_path: Path) -> None:
    result, _ = capture(python, "noisy", tmp_path)
    assert result["output"] == str(tmp_path)


def test_progress_that_is_no_number_does_no_harm(python: Path, tmp_path: Path) -> None:
    _, heard = capture(python, "odd", tmp_path)
    assert heard[3] == Progress("Head pose", 1, 2, 0.0, None, "")


@pytest.mark.skipif(sys.platform != "linux", reason="kills itself")
def test_a_killed_capture_is_one_sentence_and_its_place_is_noted(python: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="memory runs out"):
        capture(python, "killed", tmp_path)
    assert read_unfinished(tmp_path) == Progress("Reading", 0, 2, 0.0, None, "starting")


def test_a_cancelled_capture_keeps_what_is_finished_and_goes_on_later(python: Path, tmp_path: Path) -> None:
    with pytest.raises(CancelledError, match="what was finished is kept"):
        capture(python, "slow", tmp_path, cancelled=(tmp_path / "kept.txt").exists)
    assert (tmp_path / "kept.txt").read_text() == "clip 1"
    assert read_unfinished(tmp_path) == Progress("Reading", 0, 2, 0.5, None, "slow.mp4")
    capture(python, "fine", tmp_path)
    assert read_unfinished(tmp_path) is None


@pytest.mark.parametrize("text", [b"", b"{", b"\xff" * 100, b'{"type": "done", "result": {}}', b"[" * 100_000])
def test_a_damaged_note_is_no_note(tmp_path: Path, text: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(text)
    assert read_unfinished(tmp_path) is None


def test_a_note_needs_its_folder_and_does_not_make_it(tmp_path: Path) -> None:
    UnfinishedNote(tmp_path / "none").write(Progress("a", 0, 1, 0.0))
    assert not (tmp_path / "none").exists()
    UnfinishedNote(tmp_path / "none").remove()
    assert read_unfinished(tmp_path / "none") is None


@pytest.mark.parametrize(
    "options", [{"output": "x", "colour": 1}, {"videos": ["a"]}, {"output": "x", "size": "big"}, {"output": None}]
)
def test_an_unknown_option_is_one_sentence(python: Path, options: dict) -> None:
    with pytest.raises(WorkerError, match="an option that it does not know"):
        process.run(python, "capture", options)


def test_an_unknown_command_is_one_sentence(python: Path) -> None:
    with pytest.raises(WorkerError, match="start Blender again"):
        process.run(python, "explode", {})


def test_every_option_of_the_pipeline_can_be_asked_for() -> None:
    assert set(capture_worker.OPTIONS) == set(CaptureOptions.__dataclass_fields__)


def test_nothing_is_written_beside_the_engine(python: Path, tmp_path: Path) -> None:
    """The extension's folder may be read-only, and is replaced when it is updated."""
    copy = tmp_path / "read only" / "any name"
    for name in ("__init__.py", "errors.py", "atomic_file.py"):
        copy.mkdir(parents=True, exist_ok=True)
        shutil.copy2(process.BOOTSTRAP.parents[1] / name, copy / name)
    for name in ("worker", "capture"):
        shutil.copytree(process.BOOTSTRAP.parents[1] / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    before = sorted(copy.rglob("*"))
    options = {"videos": ["/clips/fine.mp4"], "output": str(tmp_path / "out")}
    result = process.run(python, "capture", options, bootstrap=copy / "worker/bootstrap.py")
    assert result["output"] == str(tmp_path / "out")
    assert sorted(copy.rglob("*")) == before


def test_processes_that_the_pipeline_spawns_know_the_engine(python: Path, tmp_path: Path) -> None:
    """They import the bootstrap again, and then what was pickled by name."""
    capture(python, "pool", tmp_path)
    assert (tmp_path / "pool.txt").read_text() == "PowerShell"
