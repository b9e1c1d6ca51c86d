# SPDX-License-Identifier: GPL-3.0-or-later
"""The first minute in the Blender application itself, on a virtual screen, with pictures of it.

Skipped where no application can be started. What is used:

HMTALKER_BLENDER_ROOT   a folder with a system of its own in which `blender`, `xvfb-run` and `import` are (entered by
                        chroot); without it they are looked for on this system
HMTALKER_BLENDER_WHEELS a folder in that system with the wheels' contents, where its Python is none that the zip is for
HMTALKER_SCREENSHOTS    a folder to keep the pictures in
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import wave
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2", reason="pictures of the screen are compared with OpenCV")

SYSTEM = os.environ.get("HMTALKER_BLENDER_ROOT", "")
LIMIT = 900
SAMPLE, SPOKEN_FROM, SECONDS = "assets/fetched/speech_sample.wav", 1, 2
INSTALL = """
import bpy, os
path = os.environ["HMTALKER_APP_WORK"] + "/extension.zip"
bpy.ops.extensions.package_install_files(filepath=path, repo="user_default", enable_on_install=True, overwrite=True)
bpy.ops.wm.save_userpref()
"""
SCREEN = ("xvfb-run", "-a", "-s", "-screen 0 1600x900x24 +extension GLX")
APPLICATION = ("blender", "--gpu-backend", "opengl", "-p", "0", "0", "1600", "900")


def start(work: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in Blender's system; `work` is the folder as that system sees it."""
    variables = {
        "HOME": "/root" if SYSTEM else str(Path.home()),
        "PATH": os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "GALLIUM_DRIVER": "llvmpipe",
        "BLENDER_USER_RESOURCES": str(work / "user"),
        "HMTALKER_APP_WORK": str(work),
        "HMTALKER_APP_WHEELS": os.environ.get("HMTALKER_BLENDER_WHEELS", ""),
    }
    inside = ("chroot", SYSTEM) if SYSTEM else ()
    return subprocess.run([*inside, *command], env=variables, capture_output=True, text=True, timeout=LIMIT)


def why_not(work: Path) -> str:
    """Why no application can be started here, or an empty string."""
    for name in ("blender", "xvfb-run", "import"):
        path = Path(SYSTEM) / "usr/bin" / name
        if not (os.path.lexists(path) if SYSTEM else shutil.which(name)):  # a link of another system leads nowhere here
            return f"no application: {name} is not there"
    try:
        told = start(work, "blender", "--version").stdout
    except (OSError, subprocess.SubprocessError) as error:
        return f"no application: Blender cannot be started ({error})"
    version = told.split()[1].split(".")[:2] if told.startswith("Blender") else ["0", "0"]
    return "" if (int(version[0]), int(version[1])) >= (4, 5) else f"no application: {told[:20]!r} is too old"


@pytest.fixture(scope="module")
def minute() -> Any:
    """(what the application told, its pictures by name)."""
    outside = Path(tempfile.mkdtemp(prefix="hmtalker_app_", dir=Path(SYSTEM) / "tmp" if SYSTEM else None))
    work = Path("/tmp") / outside.name if SYSTEM else outside
    try:
        if reason := why_not(work):
            pytest.skip(reason)
        if "HMTALKER_ZIP" not in os.environ:
            pytest.skip("no zip: HMTALKER_ZIP names the one to install")
        prepare(outside)
        installed = start(work, "blender", "-b", "--factory-startup", "--python", str(work / "install.py"))
        if "isn't compatible" in installed.stdout + installed.stderr:
            pytest.skip("no application: the zip holds no wheels for its Python")
        done = start(work, *SCREEN, *APPLICATION, "--python", str(work / "first_minute.py"))
        if keep := os.environ.get("HMTALKER_SCREENSHOTS"):
            for path in outside.glob("*.png"):
                shutil.copy(path, keep)
        assert (outside / "told.json").is_file(), (done.stdout + done.stderr)[-3000:]
        told = json.loads((outside / "told.json").read_text("utf-8"))
        assert "error" not in told, told["error"]
        yield told, {path.stem: cv2.imread(str(path)).astype(int) for path in outside.glob("*.png")}
    finally:
        shutil.rmtree(outside, ignore_errors=True)


def prepare(folder: Path) -> None:
    """Everything that the application needs: the zip, two seconds of the speech sample in it, and what to do."""
    zip_path = Path(os.environ["HMTALKER_ZIP"])
    shutil.copy(zip_path, folder / "extension.zip")
    shutil.copy(Path(__file__).with_name("first_minute.py"), folder)
    (folder / "install.py").write_text(INSTALL, "utf-8")
    with zipfile.ZipFile(zip_path) as archive, archive.open(SAMPLE) as sample, wave.open(sample) as speech:
        spoken = speech.getparams()
        speech.setpos(SPOKEN_FROM * spoken.framerate)
        frames = speech.readframes(SECONDS * spoken.framerate)
    with wave.open(str(folder / "voice.wav"), "wb") as file:
        file.setparams(spoken)
        file.writeframes(frames)


LEFT, RIGHT = slice(60, 560), slice(600, 1150)
"""Columns of the screen that the two viewports beside each other have."""


def changed(first: np.ndarray, second: np.ndarray, columns: slice = slice(50, 1000)) -> float:
    """Share of the pixels of the viewport that differ clearly."""
    return float((abs(first - second).max(2) > 12)[100:700, columns].mean())


def coloured(picture: np.ndarray, columns: slice) -> float:
    """Share of the pixels of the viewport that are skin, hair or cloth; the interface is grey."""
    return float((picture.max(2) - picture.min(2) > 40)[100:700, columns].mean())


def test_everything_was_done_and_nothing_complained(minute):
    told, _ = minute
    assert told["finished"]
    assert told["takes"] == 1
    assert told["strips"] == ["IMAGE", "SCENE", "SOUND"]
    assert not any(told["problems"])
    assert told["vertices"] > 1000


def test_the_face_on_the_screen_moves_with_speech_and_slider(minute):
    _, pictures = minute
    assert changed(pictures["1_added"], pictures["2_speaking"]) > 0.002
    assert changed(pictures["2_speaking"], pictures["3_tweaked"]) > 0.002


def test_every_shading_shows_the_face_and_leaves_a_solid_viewport_beside_it_alone(minute):
    _, pictures = minute
    for name in ("4_solid", "5_material", "6_own_engine"):
        assert coloured(pictures[name], RIGHT) > 0.02, name
        assert coloured(pictures[name], LEFT) > 0.02, name
    for name in ("5_material", "6_own_engine"):
        assert changed(pictures["4_solid"], pictures[name], LEFT) < 0.01, name


def test_the_sequencer_shows_the_face_live_and_rendered(minute):
    _, pictures = minute
    for name in ("7_live_strip", "8_rendered"):
        preview = pictures[name][60:350, 60:930]
        assert (preview.max(2) - preview.min(2) > 40).mean() > 0.01, name  # skin is coloured, the interface is grey


def test_f12_in_the_application_is_a_face(minute):
    _, pictures = minute
    assert pictures["f12"].shape == (240, 320, 3)
    assert (pictures["f12"].max(2) - pictures["f12"].min(2) > 40).mean() > 0.05
