# SPDX-License-Identifier: GPL-3.0-or-later
"""The built zip, installed into bpy as a user would install it, for all tests in this folder.

Run by a Python that has bpy. ``HMTALKER_ZIP`` names a zip to test; without it one is built from the working tree,
without wheels, and then that Python needs numba and onnxruntime of its own.
"""

from __future__ import annotations

import getpass
import hashlib
import importlib
import os
import subprocess
import sys
import tempfile
import wave
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import IO, Any

import numpy as np
import pytest


def _user_folder() -> str:
    """Blender's user folder for this run: the same every time, so that compiled kernels are found again.

    A second run at the same time, and a system without locks, get a fresh one.
    """
    usual = Path(tempfile.gettempdir()) / f"hmtalker_blender_user_{getpass.getuser()}_{sys.version_info[1]}"
    try:
        import fcntl

        usual.mkdir(exist_ok=True)
        _LOCKS.append((usual / "lock").open("w"))
        fcntl.flock(_LOCKS[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return tempfile.mkdtemp(prefix="hmtalker_blender_user_")
    return str(usual)


_LOCKS: list[IO[str]] = []
USER_FOLDER = _user_folder()
os.environ["BLENDER_USER_RESOURCES"] = USER_FOLDER  # read by Blender when bpy is imported
bpy = pytest.importorskip("bpy", reason="these tests are run by a Python that has bpy")

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "bl_ext.user_default.hm_talker"
FPS = 25

sys.path.insert(0, str(ROOT / "tests" / "engine"))  # tiny_avatar


@pytest.fixture(scope="session")
def extension_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip under test."""
    if "HMTALKER_ZIP" in os.environ:
        return Path(os.environ["HMTALKER_ZIP"]).resolve()
    folder = tmp_path_factory.mktemp("zip")
    command = [
        sys.executable,
        str(ROOT / "build_addon.py"),
        "build",
        "--no-wheels",
        "--no-models",
        "--out",
        str(folder),
    ]
    subprocess.run(command, check=True, cwd=ROOT)
    return next(folder.glob("*.zip"))


@pytest.fixture(scope="session", autouse=True)
def extension(extension_zip: Path) -> ModuleType:
    """The extension, installed and enabled."""
    result = bpy.ops.extensions.package_install_files(
        filepath=str(extension_zip), repo="user_default", enable_on_install=True, overwrite=True
    )
    assert result == {"FINISHED"}
    module = sys.modules[PACKAGE]
    # Compiled kernels are known by the time of their source; a kernel may contain another, so any change is one of all
    sources = sorted((Path(module.__file__).parent / "engine").rglob("*.py"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).digest()
    for path in sources:
        os.utime(path, (0, int.from_bytes(digest[:3], "big")))
    return module


@pytest.fixture(scope="session")
def part(extension: ModuleType) -> Callable[[str], ModuleType]:
    """Import a module of the installed extension: ``part("hmtalker_blender.takes")``."""
    return lambda name: importlib.import_module(f"{PACKAGE}.{name}")


@pytest.fixture(autouse=True)
def scene(extension: ModuleType, request: pytest.FixtureRequest) -> Any:
    """An empty .blend before every test."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = FPS, 1.0
    return scene


@pytest.fixture(scope="session")
def tiny_file(part: Callable[[str], ModuleType], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small avatar whose speech encoder needs no weights."""
    from tiny_avatar import make_tiny_avatar

    avatar = make_tiny_avatar(engine=f"{PACKAGE}.engine", encoder="mel", dimension=80)
    path = tmp_path_factory.mktemp("avatar") / "tiny.hmt"
    part("engine.avatar").save_avatar(avatar, path)
    return path


@pytest.fixture
def avatar(scene: Any, tiny_file: Path) -> Any:
    """The tiny avatar in the scene."""
    assert bpy.ops.hmtalker.add_avatar(filepath=str(tiny_file)) == {"FINISHED"}
    return bpy.context.active_object


def speech_like(seconds: float, rate: int = 16000, level: float = 0.5) -> np.ndarray:
    """float64 [n]: a buzz with harmonics that comes and goes four times a second, as syllables do."""
    time = np.arange(round(seconds * rate)) / rate
    buzz = sum(np.sin(2 * np.pi * 140 * k * time) / k for k in range(1, 12))
    return level * 0.5 * buzz * (0.5 - 0.5 * np.cos(2 * np.pi * 4 * time))


def write_wav(path: Path, samples: np.ndarray, rate: int = 16000) -> Path:
    """samples: [n] or [n, channels], in -1..1."""
    data = np.atleast_2d(np.asarray(samples).T).T
    with wave.open(str(path), "wb") as file:
        file.setnchannels(data.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(data, -1, 1) * 32767).astype("<i2").tobytes())
    return path


@pytest.fixture
def add_sound(scene: Any, tmp_path: Path) -> Callable[..., Any]:
    """Put samples on the Sequencer: ``add_sound(samples, "name", start=1)`` returns the strip, which is active."""

    def add(samples: np.ndarray, name: str = "voice", start: int = 1, rate: int = 16000, channel: int = 1) -> Any:
        path = write_wav(tmp_path / f"{name}.wav", samples, rate)
        editor = scene.sequence_editor or scene.sequence_editor_create()
        strip = editor.strips.new_sound(name, str(path), channel, start)
        editor.active_strip = strip
        return strip

    return add


@pytest.fixture
def strip(add_sound: Callable[..., Any]) -> Any:
    """Two seconds of speech from frame 11."""
    return add_sound(speech_like(2.0), "voice", start=11)


_status = 0


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    global _status
    _status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    # bpy 4.5 can hang in its destructors when other native libraries have run threads beside it
    if hasattr(bpy, "app") and bpy.app.version < (5, 0):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_status)
