# SPDX-License-Identifier: GPL-3.0-or-later
"""*Train Avatar ▸ Training*: reasons, consent, progress, picture, cancel, going on, and who survives whom."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import PACKAGE, bpy
from test_capture_job import environment, killed_with_its_worker, settings, tick_until  # noqa: F401
from test_interface import Recorder, Window, draw

CONSENT = {
    "person": "Ada",
    "statement": "to be shown as an avatar in the film",
    "date": "2026-01-31",
    "recorded_by": "Charles",
}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A folder that looks like a finished training set, but for what is in its files."""
    folder = tmp_path / "data set"
    folder.mkdir()
    for name in ("performance.npz", "frames.npz", "camera.json"):
        (folder / name).touch()
    return folder


@pytest.fixture
def training(settings: Any, dataset: Path, tmp_path: Path) -> Any:  # noqa: F811
    """The scene's training settings, filled in. What the trainer does, the name of the avatar says."""
    training = bpy.context.scene.hmtalker.training
    training.output, training.name = str(tmp_path / "my avatar.hmt"), "fine"
    for name, value in CONSENT.items():
        setattr(training.consent, name, value)
    training.consent.given = True
    return training


@pytest.fixture
def panel(part: Any) -> Callable[[], Recorder]:
    cls = part("ui.training_panel").HMT_PT_training
    return lambda: draw(cls)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "my avatar.hmt.work"


def reason(part: Any) -> str:
    return part("operators.train").HMT_OT_train.disabled_reason(bpy.context)


def start(part: Any) -> Any:
    job = part("hmtalker_blender.train_job").make(bpy.context)
    job.tick()
    return job


def picture(part: Any, shade: int, height: int = 6) -> bytes:
    """The avatar in one shade, the film in white."""
    pixels = np.full((height, 2 * height, 3), 255, np.uint8)
    pixels[:, :height] = shade
    pixels[0, 0] = 0
    return part("engine.png_file").encode_png(pixels)


def test_the_button_says_what_is_still_missing(training, dataset, part, panel) -> None:
    assert reason(part) == ""
    assert ("operator", "hmtalker.train", True) in panel().drawn
    training.output = "//avatar.hmt"
    assert reason(part).startswith("Save the .blend, or choose an avatar file")
    (dataset / "performance.npz").unlink()
    assert "no finished training set" in reason(part)
    layout = panel()
    assert ("operator", "hmtalker.train", False) in layout.drawn
    assert "no finished training set" in layout.texts()
    bpy.context.scene.hmtalker.capture.dataset = "//dataset/"
    assert reason(part).startswith("Save the .blend, or choose a dataset folder")
    with pytest.raises(RuntimeError, match=r"choose a dataset folder"):
        bpy.ops.hmtalker.train()


def test_an_unfinished_capture_is_no_training_set(training, dataset, part) -> None:
    messages = part("engine.worker.messages")
    (dataset / ".unfinished.json").write_bytes(messages.encode(messages.Progress("Reading", 0, 2, 0.5)))
    assert "no finished training set" in reason(part)


def test_without_an_environment_the_reason_is_told_once(scene, part, panel, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(bpy.utils, "extension_path_user", lambda *_, **__: str(tmp_path / "none"))
    part("hmtalker_blender.engine_environment").forget()
    assert "needs the training environment" in reason(part)
    layout = panel()
    assert ("operator", "hmtalker.train", False) in layout.drawn
    assert "needs the training environment" not in layout.texts()  # stands above, with the button to copy the command


@pytest.mark.parametrize("lacking", [*CONSENT, "given"])
def test_nothing_is_trained_without_consent(training, part, panel, work, lacking) -> None:
    setattr(training.consent, lacking, False if lacking == "given" else " ")
    assert reason(part).startswith("Consent: ")
    assert "Consent: " in panel().texts()
    with pytest.raises(RuntimeError, match=r"Consent: "):
        bpy.ops.hmtalker.train()
    assert not work.exists()


def test_a_training_ends_with_an_avatar_that_can_be_added(training, dataset, work, panel, tiny_file, tmp_path) -> None:
    (dataset / "avatar.hmt").write_bytes(tiny_file.read_bytes())
    training.preset, training.licence, training.attribution = "QUICK", "CC0-1.0", "Ada"
    assert not [name for _, name, _ in panel().drawn if name == "hmtalker.add_avatar"]
    assert bpy.ops.hmtalker.train() == {"FINISHED"}
    given = json.loads((work / "options.json").read_text())
    assert given["consent"] == CONSENT
    assert (given["preset"], given["licence"], given["attribution"]) == ("quick", "CC0-1.0", "Ada")
    assert (given["dataset"], given["output"]) == (str(dataset), str(tmp_path / "my avatar.hmt"))
    assert given["threads"] >= 1
    layout = panel()
    assert ("operator", "hmtalker.add_avatar", True) in layout.drawn
    assert "my avatar.hmt is ready" in layout.texts()
    assert "stopped in step" not in layout.texts()
    assert bpy.ops.hmtalker.add_avatar(filepath=training.output) == {"FINISHED"}


def test_an_avatar_without_a_name_is_called_like_its_file(training, work, tmp_path) -> None:
    training.name, training.output = "", str(tmp_path / "ada")
    assert bpy.ops.hmtalker.train() == {"FINISHED"}
    assert (tmp_path / "ada.hmt").is_file()
    given = json.loads((tmp_path / "ada.hmt.work/options.json").read_text())
    assert given["name"] == "ada"


def test_a_file_beside_the_blend_stays_beside_it(training, part, tmp_path) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))
    training.output = "//casts/ada"
    jobs = part("hmtalker_blender.train_job")
    assert jobs.output_file(training) == tmp_path / "casts/ada.hmt"
    assert jobs.with_suffix("//casts/ada.HMT") == "//casts/ada.HMT"
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "saved.blend"))
    again = bpy.context.scene.hmtalker.training
    assert jobs.output_file(again) == tmp_path / "casts/ada.hmt"
    assert jobs.consent_of(again.consent).to_dict() == CONSENT
    assert reason(part) == ""


def test_progress_is_shown_cancel_keeps_what_was_learnt_and_train_goes_on(
    training, dataset, work, panel, part, monkeypatch
) -> None:
    training.name = "slow"
    (dataset / "picture.png").write_bytes(picture(part, 100))
    job = start(part)
    tick_until(job, lambda: job.fraction == pytest.approx(0.41))
    layout = panel()
    assert [text for kind, text, _ in layout.drawn if kind == "progress"] == ["41%"]
    assert "Step 3 of 5, Face: 42%" in layout.texts()
    assert "l1 0.0125" in layout.texts()
    assert len([kind for kind, _, _ in layout.drawn if kind == "icon"]) == 2
    assert ("prop", "output", False) in layout.drawn
    assert not [name for _, name, _ in layout.drawn if name == "hmtalker.train"]
    assert reason(part) == "Training is under way"
    assert part("operators.capture").HMT_OT_capture.disabled_reason(bpy.context) == "Training is under way"
    assert bpy.ops.hmtalker.cancel_job(title=job.title) == {"FINISHED"}
    tick_until(job, lambda: job.error is not None and not part("hmtalker_blender.jobs").running)
    assert str(job.error) == "Training was cancelled; start it again to go on where it stopped."
    assert "stopped in step 3 of 5 (Face, 42%); Train goes on where it stopped" in panel().texts()
    training.preset = "QUICK"
    assert "another preset, training set or set of Action Units, so Train begins anew" in panel().texts()
    training.preset, training.units = "EDITABLE", "EXTENDED"
    assert "Train begins anew" in panel().texts()
    training.units = "OPENFACE_17"
    assert "Train goes on where it stopped" in panel().texts()
    training.name = "fine"
    (dataset / "frames.npz").write_text("captured again")
    assert "Train begins anew" in panel().texts()
    (dataset / "frames.npz").write_text("")
    assert bpy.ops.hmtalker.train() == {"FINISHED"}
    assert (work / "steps.txt").read_text() == "1 21 "
    assert "stopped in step" not in panel().texts()


def test_what_was_filled_in_outlives_a_blend_that_was_never_saved(training, dataset, part, panel) -> None:
    training.name, training.preset, training.licence, training.attribution = "slow", "QUICK", "CC0-1.0", "Ada"
    output = training.output
    job = start(part)
    tick_until(job, lambda: job.fraction == pytest.approx(0.41))
    job.close()
    assert not [name for _, name, _ in panel().drawn if name == "hmtalker.recall_training"]
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.context.scene.hmtalker.capture.dataset = str(dataset)
    again = bpy.context.scene.hmtalker.training
    again.output = output
    layout = panel()
    assert "stopped in step 3 of 5" in layout.texts()
    assert ("operator", "hmtalker.recall_training", True) in layout.drawn
    assert bpy.ops.hmtalker.recall_training() == {"FINISHED"}
    assert (again.name, again.preset, again.licence, again.attribution) == ("slow", "QUICK", "CC0-1.0", "Ada")
    assert part("hmtalker_blender.train_job").consent_of(again.consent).to_dict() == CONSENT
    assert reason(part) == ""
    again.output += ".other"
    with pytest.raises(RuntimeError, match=r"no earlier training"):
        bpy.ops.hmtalker.recall_training()


def test_time_left_is_of_the_whole_training(part) -> None:
    messages, capturing = part("engine.worker.messages"), part("hmtalker_blender.capture_job")
    progress = messages.Progress("Face", 2, 5, 0.42, 750.0, overall=0.4)
    assert capturing.as_text(progress) == "Step 3 of 5, Face: 42%, 12 min 30 s left"


@pytest.mark.skipif(sys.platform != "linux", reason="kills a process")
def test_a_killed_worker_is_one_sentence_and_train_goes_on(training, work, panel) -> None:
    training.name = "killed"
    with pytest.raises(RuntimeError, match="memory runs out"):
        bpy.ops.hmtalker.train()
    texts = panel().texts()
    assert "memory runs out" in texts
    assert "stopped in step 3 of 5 (Face" in texts
    training.name = "fine"
    assert bpy.ops.hmtalker.train() == {"FINISHED"}
    assert (work / "steps.txt").read_text() == "1 21 "
    assert "memory runs out" not in panel().texts()


def test_what_is_wrong_stands_in_this_panel_alone(training, panel, part) -> None:
    training.name = "empty"
    with pytest.raises(RuntimeError, match="holds no frame that can be used"):
        bpy.ops.hmtalker.train()
    assert "no frame that can be used" in panel().texts()
    for other in ("ui.train_panel", "ui.view3d_panel"):
        for cls in part(other).CLASSES:
            if cls.__name__ in {"HMT_PT_train", "HMT_PT_avatar"}:
                assert "no frame that can be used" not in draw(cls).texts()


def test_the_picture_follows_its_file_and_leaves_nothing_in_the_blend(training, work, part, panel) -> None:
    pictures = part("hmtalker_blender.training_picture")
    images = len(bpy.data.images)
    work.mkdir()
    path = work / "preview.png"
    assert pictures.icons(path) is None
    path.write_bytes(picture(part, 51))
    shown = pictures.icons(path)
    assert shown is not None
    avatar = np.array(pictures._icons["avatar"].image_pixels_float).reshape(6, 6, 4)
    film = np.array(pictures._icons["film"].image_pixels_float)
    assert avatar[0, 0, :3] == pytest.approx(0.2, abs=0.01)
    assert avatar[-1, 0, :3] == pytest.approx(0.0, abs=0.01)  # the first pixel of the file is at the top
    assert film == pytest.approx(1.0, abs=0.01)
    assert pictures.icons(path) == shown
    path.write_bytes(picture(part, 204, height=1200))
    os.utime(path, (1, 1))
    assert pictures.icons(path) is not None
    assert tuple(pictures._icons["avatar"].image_size) == (400, 400)
    assert list(pictures._icons["avatar"].image_pixels_float)[:3] == pytest.approx([0.8] * 3, abs=0.01)
    assert len(pictures._icons) == 2
    path.write_text("half a file")
    assert pictures.icons(path) is None
    assert not [kind for kind, _, _ in panel().drawn if kind == "icon"]
    path.unlink()
    assert pictures.icons(path) is None
    assert len(bpy.data.images) == images
    pictures.forget()
    pictures.forget()


def test_esc_is_for_other_things_while_a_training_runs(training, part) -> None:
    training.name = "slow"
    base = part("operators.job_operator").JobOperator
    operator = type("Fake", (base,), {"owners": lambda *_: (), "report": lambda *_: None})()
    operator.prepare = lambda _context: part("hmtalker_blender.train_job").make(bpy.context)
    window = Window()
    assert operator.start_modal(window) == {"RUNNING_MODAL"}
    assert operator.modal(window, SimpleNamespace(type="ESC", value="PRESS")) == {"PASS_THROUGH"}
    assert not operator._job.cancelled()
    operator.cancel(window)
    assert window.timers == 0
    assert not part("hmtalker_blender.jobs").running


@pytest.mark.skipif(sys.platform != "linux", reason="kills a process")
def test_a_worker_ends_with_a_blender_that_is_killed(training, environment, dataset, work, panel) -> None:  # noqa: F811
    """In a Blender of its own, with the installed extension; this one then finds what that one left."""
    code = f"""
import bpy, sys, addon_utils
addon_utils.enable({PACKAGE!r}, default_set=True)
preferences = bpy.context.preferences.addons[{PACKAGE!r}].preferences
preferences.training_environment = {str(environment)!r}
bpy.context.scene.hmtalker.capture.dataset = {str(dataset)!r}
training = bpy.context.scene.hmtalker.training
training.output, training.name = {training.output!r}, "slow"
for name, value in {CONSENT!r}.items():
    setattr(training.consent, name, value)
training.consent.given = True
bpy.ops.hmtalker.train()
"""
    killed_with_its_worker(code, work)
    assert "stopped in step 3 of 5 (Face" in panel().texts()
    assert bpy.ops.hmtalker.train() == {"FINISHED"}
    assert (work / "steps.txt").read_text() == "1 21 "
