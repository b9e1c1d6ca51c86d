# SPDX-License-Identifier: GPL-3.0-or-later
"""*Train Avatar ▸ Capture*: reasons, progress, cancel, report, and who survives whom."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fake_environment
import pytest
from conftest import PACKAGE, USER_FOLDER, bpy
from test_interface import Window, draw

SUMMARY = {
    "schema": 1,
    "verdict": {"severity": "warn", "text": "Good enough to train, with two things to know."},
    "figures": {"usable_seconds": 200.0, "speech_seconds": 59.6, "light": None},
    "findings": [
        {"severity": "warn", "title": "The face is dark.", "remedy": "Light it from the front."},
        {"severity": "note", "title": "The head turns 12 degrees.", "remedy": ""},
    ],
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environment") / "training"
    fake_environment.make(folder)
    return folder


@pytest.fixture
def settings(scene: Any, environment: Path, tmp_path: Path, part: Any) -> Iterator[Any]:
    """The scene's capture settings, with an environment that is ready and a dataset folder."""
    preferences = bpy.context.preferences.addons[PACKAGE].preferences
    preferences.training_environment = str(environment)
    part("hmtalker_blender.engine_environment").check(bpy.context)
    settings = scene.hmtalker.capture
    settings.dataset = str(tmp_path / "data set")
    yield settings
    part("hmtalker_blender.jobs").cancel_all()
    preferences.training_environment = ""
    part("hmtalker_blender.engine_environment").forget()


@pytest.fixture
def add_video(settings: Any, tmp_path: Path) -> Callable[[str], Path]:
    """What the pipeline does, the name of the video says."""

    def add(what: str) -> Path:
        path = tmp_path / f"{what}.mp4"
        path.touch()
        settings.videos.clear()
        bpy.ops.hmtalker.add_videos(directory=str(tmp_path), files=[{"name": path.name}])
        return path

    return add


@pytest.fixture
def panel(part: Any) -> Callable[[], Any]:
    train = part("ui.train_panel").HMT_PT_train
    return lambda: draw(train)


def reason(part: Any) -> str:
    return part("operators.capture").HMT_OT_capture.disabled_reason(bpy.context)


def start(part: Any) -> Any:
    """A capture as a window would run it: ticks of a job."""
    job = part("hmtalker_blender.capture_job").make(bpy.context)
    job.tick()
    return job


def tick_until(job: Any, condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"it did not happen: {job.status}, {job.error}"
        job.tick()
        time.sleep(0.01)


def is_alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_without_an_environment_the_panel_offers_the_command(scene, part, panel, tmp_path, monkeypatch) -> None:
    environments = part("hmtalker_blender.engine_environment")
    monkeypatch.setattr(bpy.utils, "extension_path_user", lambda *_, **__: str(tmp_path / "my training"))
    environments.forget()
    layout = panel()
    assert ("operator", "hmtalker.copy_install_command", True) in layout.drawn
    assert ("operator", "hmtalker.capture", False) in layout.drawn
    assert layout.texts().count("Capture needs the training environment") == 1
    command = environments.command(bpy.context)
    assert sys.executable in command
    assert str(tmp_path / "my training") in command
    assert "pip install -r" in command
    assert Path(command.rsplit("-r ", 1)[1].strip("'")).is_file()
    assert bpy.ops.hmtalker.copy_install_command() == {"FINISHED"}
    with pytest.raises(RuntimeError, match="needs the training environment"):
        bpy.ops.hmtalker.capture()


def test_the_button_says_what_is_still_missing(settings, add_video, part, panel) -> None:
    settings.dataset = "//dataset/"
    assert reason(part) == "Add one or more videos of the person"
    add_video("fine")
    assert reason(part).startswith("Save the .blend")
    assert "Save the .blend" in panel().texts()
    settings.dataset = bpy.app.tempdir
    assert reason(part) == ""
    layout = panel()
    assert ("operator", "hmtalker.capture", True) in layout.drawn
    assert ("list", "fine.mp4", True) in layout.drawn
    assert "torch 2.13.0+cpu" in layout.texts()


def test_an_incomplete_environment_is_told_and_noticed_when_it_is_mended(
    settings, add_video, part, environment, monkeypatch
) -> None:
    environments = part("hmtalker_blender.engine_environment")
    add_video("fine")
    fake_environment.remove(environment, "scipy")
    try:
        found = environments.check(bpy.context)
        assert found.reason.startswith("The training environment lacks scipy; ")
        assert reason(part) == found.reason
        with pytest.raises(RuntimeError, match="lacks scipy"):
            bpy.ops.hmtalker.capture()
    finally:
        fake_environment.install(environment, "scipy")
    monkeypatch.setattr(environments, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(environments, "RECHECK_SECONDS", 0.0)
    end = time.monotonic() + 20.0
    while reason(part):
        assert time.monotonic() < end
        time.sleep(0.02)
    assert environments.status(bpy.context).ready


def test_an_environment_that_does_not_start_is_one_sentence(settings, part, tmp_path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").write_text("not a program")
    bpy.context.preferences.addons[PACKAGE].preferences.training_environment = str(tmp_path)
    assert "does not start" in part("hmtalker_blender.engine_environment").check(bpy.context).reason


def test_an_environment_whose_python_was_removed_is_told(settings, part, tmp_path, panel) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").symlink_to(tmp_path / "Blender 4.4/python")
    (tmp_path / "pyvenv.cfg").touch()
    bpy.context.preferences.addons[PACKAGE].preferences.training_environment = str(tmp_path)
    assert f"is gone: delete {tmp_path}" in reason(part)
    assert ("operator", "hmtalker.copy_install_command", True) in panel().drawn


def test_checking_does_not_wait(settings, part, environment) -> None:
    environments = part("hmtalker_blender.engine_environment")
    (fake_environment.site_packages(environment) / "slow.pth").write_text("import time; time.sleep(30)\n")
    try:
        environments.forget()
        began = time.monotonic()
        found = environments.status(bpy.context)
        assert not found.ready
        assert not found.reason
        assert "being checked" in environments.as_text(found)[0]
        environments.forget()
        assert time.monotonic() - began < 20.0
    finally:
        (fake_environment.site_packages(environment) / "slow.pth").unlink()


def test_a_capture_ends_with_a_report_that_the_panel_shows(settings, add_video, panel, tmp_path, monkeypatch) -> None:
    add_video("fine")
    folder = tmp_path / "data set"
    folder.mkdir()
    (folder / "summary.json").write_text(json.dumps(SUMMARY))
    assert not [name for _, name, _ in panel().drawn if name == "hmtalker.open_report"]
    settings.matte, settings.size = "SCREEN", 256
    assert bpy.ops.hmtalker.capture() == {"FINISHED"}
    options = json.loads((folder / "options.json").read_text())
    assert (options["matte"], options["size"], options["videos"]) == ("screen", 256, [str(tmp_path / "fine.mp4")])
    assert options["threads"] >= 1
    layout = panel()
    assert "Good enough to train" in layout.texts()
    assert "3 min 20 s of footage can be used, with 60 s of speech" in layout.texts()
    assert "stopped in step" not in layout.texts()
    assert "The face is dark. Light it from the front." in layout.texts()
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert bpy.ops.hmtalker.open_report() == {"FINISHED"}
    assert opened == [(folder / "report.html").as_uri()]
    add_video("killed")
    with pytest.raises(RuntimeError, match="memory runs out"):
        bpy.ops.hmtalker.capture()
    assert "stopped in step" in panel().texts()
    assert "Good enough to train" not in panel().texts()


DAMAGED = [
    *("", "{", "[]", "[" * 100_000),
    '{"findings": [1, {"severity": 3}], "verdict": "good", "figures": []}',
    '{"findings": {}, "verdict": {"text": 1}, "figures": {"usable_seconds": NaN, "speech_seconds": 1}}',
]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_report_is_no_error(settings, panel, tmp_path, text) -> None:
    (tmp_path / "data set").mkdir()
    (tmp_path / "data set/report.json").write_text(text)
    panel()


def test_what_is_wrong_with_the_footage_stands_in_this_panel_alone(settings, add_video, panel, part) -> None:
    add_video("silent")
    with pytest.raises(RuntimeError, match="no audio track: film with sound"):
        bpy.ops.hmtalker.capture()
    assert "no audio track" in panel().texts()
    assert "no audio track" not in draw(part("ui.view3d_panel").HMT_PT_avatar).texts()
    add_video("fine")
    assert bpy.ops.hmtalker.capture() == {"FINISHED"}
    assert "no audio track" not in panel().texts()


def test_a_video_that_is_gone_is_named(settings, add_video) -> None:
    add_video("fine").unlink()
    with pytest.raises(RuntimeError, match=r"There is no video .*fine\.mp4"):
        bpy.ops.hmtalker.capture()


@pytest.mark.skipif(sys.platform != "linux", reason="kills a process")
def test_a_killed_worker_is_one_sentence_and_blender_lives(settings, add_video, panel) -> None:
    add_video("killed")
    with pytest.raises(RuntimeError, match="memory runs out"):
        bpy.ops.hmtalker.capture()
    texts = panel().texts()
    assert "memory runs out" in texts
    assert "stopped in step 1 of 2 (Reading, 0%)" in texts


def test_progress_is_shown_cancel_keeps_what_is_finished_and_capture_goes_on(
    settings, add_video, panel, part, tmp_path
) -> None:
    add_video("slow")
    job = start(part)
    tick_until(job, lambda: job.fraction == 0.25)
    layout = panel()
    shown = [text for kind, text, _ in layout.drawn if kind == "progress"]
    assert shown == ["25%"]
    assert "Step 1 of 2, Reading: 50%, 12 s left" in layout.texts()
    assert ("operator", "hmtalker.cancel_job", True) in layout.drawn
    assert not [name for _, name, _ in layout.drawn if name == "hmtalker.capture"]
    assert reason(part) == "Capturing is under way"
    assert bpy.ops.hmtalker.cancel_job(title=job.title) == {"FINISHED"}
    tick_until(job, lambda: job.error is not None and not part("hmtalker_blender.jobs").running)
    assert str(job.error) == "Capture was cancelled; what was finished is kept."
    assert (tmp_path / "data set/kept.txt").exists()
    assert "stopped in step 1 of 2 (Reading, 50%)" in panel().texts()
    add_video("fine")
    assert bpy.ops.hmtalker.capture() == {"FINISHED"}
    assert "stopped in step" not in panel().texts()


def test_other_work_goes_on_beside_a_capture(settings, add_video, avatar, strip, part) -> None:
    add_video("slow")
    job = start(part)
    tick_until(job, lambda: job.fraction == 0.25)
    assert bpy.ops.hmtalker.animate_from_strip() == {"FINISHED"}
    other = part("hmtalker_blender.jobs").Job("Waiting", lambda job: None)
    bpy.ops.hmtalker.cancel_job(title=other.title)
    assert not job.cancelled()
    assert part("hmtalker_blender.capture_job").running() is job


def test_esc_is_for_other_things_while_a_capture_runs(settings, add_video, part) -> None:
    add_video("slow")
    base = part("operators.job_operator").JobOperator
    operator = type("Fake", (base,), {"owners": lambda *_: (), "report": lambda *_: None})()
    operator.prepare = lambda _context: part("hmtalker_blender.capture_job").make(bpy.context)
    window = Window()
    assert operator.start_modal(window) == {"RUNNING_MODAL"}
    assert operator.modal(window, SimpleNamespace(type="ESC", value="PRESS")) == {"PASS_THROUGH"}
    assert not operator._job.cancelled()
    operator.cancel(window)
    assert window.timers == 0
    assert not part("hmtalker_blender.jobs").running


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes")
def test_switching_the_extension_off_ends_the_worker(settings, add_video, part, tmp_path) -> None:
    add_video("slow")
    job = start(part)
    tick_until(job, lambda: job.fraction == 0.25)
    number = int((tmp_path / "data set/process.txt").read_text())
    assert is_alive(number)
    part("operators").stop_running_jobs()
    assert not is_alive(number)


def killed_with_its_worker(code: str, folder: Path) -> None:
    """Kill a Blender that runs `code` once its worker writes into `folder`; the worker has to end by itself."""
    blender = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "BLENDER_USER_RESOURCES": USER_FOLDER},
        stdout=subprocess.DEVNULL,
    )
    try:
        note, end = folder / "kept.txt", time.monotonic() + 60
        while not note.exists():
            assert blender.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
        number = int((folder / "process.txt").read_text())
        assert is_alive(number)
        blender.send_signal(signal.SIGKILL)
        blender.wait()
        while is_alive(number):
            assert time.monotonic() < end
            time.sleep(0.02)
    finally:
        blender.kill()
        blender.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="kills a process")
def test_a_worker_ends_with_a_blender_that_is_killed(settings, add_video, environment, tmp_path) -> None:
    """In a Blender of its own, with the installed extension."""
    add_video("slow")
    code = f"""
import bpy, sys, addon_utils
addon_utils.enable({PACKAGE!r}, default_set=True)
preferences = bpy.context.preferences.addons[{PACKAGE!r}].preferences
preferences.training_environment = {str(environment)!r}
settings = bpy.context.scene.hmtalker.capture
settings.dataset = {str(tmp_path / "killed")!r}
bpy.ops.hmtalker.add_videos(directory={str(tmp_path)!r}, files=[{{"name": "slow.mp4"}}])
bpy.ops.hmtalker.capture()
"""
    killed_with_its_worker(code, tmp_path / "killed")


def test_videos_are_chosen_once_and_can_be_taken_off(settings, tmp_path) -> None:
    for name in ("a.mp4", "b.mov"):
        (tmp_path / name).touch()
    chosen = [{"name": "a.mp4"}, {"name": "b.mov"}]
    assert bpy.ops.hmtalker.add_videos(directory=str(tmp_path), files=chosen) == {"FINISHED"}
    bpy.ops.hmtalker.add_videos(directory=str(tmp_path), files=chosen)
    assert [video.name for video in settings.videos] == ["a.mp4", "b.mov"]
    assert settings.active_video == 1
    for _ in chosen:
        assert bpy.ops.hmtalker.remove_video() == {"FINISHED"}
    assert not settings.videos
    with pytest.raises(RuntimeError, match="no video on the list"):
        bpy.ops.hmtalker.remove_video()


def test_paths_are_relative_to_a_saved_blend_and_found_again(settings, tmp_path, part) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips/a.mp4").touch()
    settings.dataset = "//dataset/"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))
    bpy.context.preferences.filepaths.use_relative_paths = True
    bpy.ops.hmtalker.add_videos(directory=str(tmp_path / "clips"), files=[{"name": "a.mp4"}])
    assert settings.videos[0].path.replace("\\", "/") == "//clips/a.mp4"
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "saved.blend"))
    again = bpy.context.scene.hmtalker.capture
    assert part("hmtalker_blender.capture_job").dataset_folder(again) == tmp_path / "dataset"
    assert reason(part) == ""
    assert bpy.ops.hmtalker.capture() == {"FINISHED"}
    assert (tmp_path / "dataset/report.html").is_file()
