# SPDX-License-Identifier: GPL-3.0-or-later
"""One report of all that matters when something does not work: versions, avatars, whether the engine runs, problems.

No private paths: of a file only the name is told, and the names of the user and of the computer are struck out.
"""

from __future__ import annotations

import getpass
import os
import platform
import re
import socket
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import bpy

from .. import engine
from . import avatar_object, engine_environment, engine_paths, preferences, problems

WHEELS = ("numpy", "numba", "llvmlite", "onnxruntime")
_FOLDERS = re.compile(r"(?<![\w.])(?:[A-Za-z]:)?[\\/](?:[^\\/\s\"'<>|:;]+(?: [^\\/\s\"'<>|:;]+)*[\\/])+")


def facts(context: bpy.types.Context) -> list[str]:
    """Return the lines that need Blender's data: quickly, on the main thread."""
    lines = [
        f"HM-Talker {engine.__version__} ({engine_paths.EXTENSION.split('.')[-2]})",
        f"Blender {bpy.app.version_string} ({_text(bpy.app.build_hash)}, {_text(bpy.app.build_platform)})"
        + (", background" if bpy.app.background else ""),
        f"System {platform.platform()}, {platform.machine()}, {os.cpu_count()} cores",
        f"Python {sys.version.split()[0]}",
        f"Render threads {preferences.render_threads(context)}",
        f"Online access {'on' if bpy.app.online_access else 'off'}",
    ]
    lines += [f"Package {name} {_version(name)}" for name in WHEELS]
    found = engine_environment.status(context)
    lines.append(f"Training environment: {found.reason or found.details or 'not checked yet'}")
    for avatar in (candidate for candidate in bpy.data.objects if candidate.hmtalker.is_avatar):
        lines += _avatar_lines(avatar)
    for scene in bpy.data.scenes:
        editor = scene.sequence_editor
        sounds = sum(strip.type == "SOUND" for strip in editor.strips_all) if editor is not None else 0
        lines.append(
            f"Scene: {scene.render.engine}, {scene.render.fps / scene.render.fps_base:.3f} fps, {sounds} sound strips"
            + (f", last problem: {scene.hmtalker.last_error}" if scene.hmtalker.last_error else "")
        )
    return lines


def avatar_paths() -> list[Path]:
    """Return the files of all avatars, and of the bundled one."""
    used = [avatar_object.file_of(candidate) for candidate in bpy.data.objects if candidate.hmtalker.is_avatar]
    return list(dict.fromkeys([engine_paths.BUNDLED_AVATAR, *used]))


def checks(paths: list[Path], progress: Callable[[float, str], None]) -> list[str]:
    """Try the engine out, step by step; each line says what came of one step. Any thread; seconds, never raises."""
    steps: list[tuple[str, Callable[[], str]]] = [("Speech encoder", _try_encoder), ("Renderer", _try_renderer)]
    steps += [(f"Avatar file {path.name}", lambda path=path: _try_avatar(path)) for path in paths]
    lines = []
    for number, (name, step) in enumerate(steps):
        progress(number / len(steps), name)
        try:
            lines.append(f"{name}: {step()}")
        except Exception as error:  # whatever is wrong is what the report is for
            lines.append(f"{name}: FAILED, {type(error).__name__}: {error}")
    return lines


def report(lines: list[str]) -> str:
    """Return the whole report, without private paths."""
    recent = problems.recent() or ["none"]
    body = [*lines, "Problems in this session:", *(f"  {line}" for line in recent)]
    return "\n".join(["HM-Talker report", *(public(line) for line in body)]) + "\n"


def public(text: str) -> str:
    """Strike out folders, the user's name and the computer's name."""
    text = _FOLDERS.sub("", text)
    for private in {_quietly(getpass.getuser), Path.home().name, _quietly(socket.gethostname)}:
        if len(private) > 2 and private.casefold() not in ("root", "user", "localhost"):
            text = re.sub(rf"(?<!\w){re.escape(private)}(?!\w)", "…", text, flags=re.IGNORECASE)
    return text


def _avatar_lines(avatar: bpy.types.Object) -> list[str]:
    values = avatar.hmtalker
    kind = "linked" if avatar.library else "override" if avatar.override_library else "local"
    lines = [
        f"Avatar {avatar_object.file_of(avatar).name} ({kind}): {len(values.takes)} performances, "
        f"audio influence {values.audio_influence:.2f}"
    ]
    header = avatar_object.loaded_header(avatar)
    if header is not None:
        lines.append(
            f"  encoder {header['encoder']['id']}, trained with {header.get('training', {}).get('preset', '?')}"
        )
    if values.last_error:
        lines.append(f"  last problem: {values.last_error}")
    return lines


def _try_encoder() -> str:
    import numpy as np

    from ..engine.speech.encoder import create

    if not engine_paths.SPEECH_ENCODER.is_file():
        return "its network is not in the extension's folder; install HM-Talker again"
    start = time.perf_counter()
    shape = create("whisper-tiny.en-l123").encode(np.zeros(16000, np.float32)).shape
    return f"one second of sound in {time.perf_counter() - start:.2f} s, {shape}"


def _try_renderer() -> str:
    from ..engine.motion.state import MotionState
    from ..engine.render import Renderer

    renderer = Renderer(avatar_object.load(engine_paths.BUNDLED_AVATAR).avatar)
    try:
        times = []
        for _ in range(2):
            start = time.perf_counter()
            shown = renderer.render_srgb8(MotionState.rest())
            times.append(time.perf_counter() - start)
        height, width = shown.shape[:2]
        covered = float((shown[..., 3] > 127).mean())
        return f"{width} x {height}, first frame {times[0]:.2f} s, next {times[1]:.3f} s, {covered:.0%} covered"
    finally:
        renderer.close()


def _try_avatar(path: Path) -> str:
    loaded = avatar_object.load(path)
    avatar = loaded.avatar
    return (
        f"sha256 {loaded.sha256[:12]}, {path.stat().st_size / 1e6:.1f} MB, {avatar.face.count} face and "
        f"{avatar.mouth.count} mouth Gaussians, SH degree {avatar.face.sh_degree}, "
        f"{avatar.camera.width} x {avatar.camera.height}, encoder {avatar.header['encoder']['id']}"
    )


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "MISSING"


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _quietly(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except (OSError, KeyError):
        return ""
