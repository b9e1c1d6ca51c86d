# SPDX-License-Identifier: GPL-3.0-or-later
"""The training environment: a Python with torch, SciPy, OpenCV and PyAV, which the artist makes with one command.

It is found and checked here, and never made or changed. The check runs in a process and on a thread of its own; panels
ask for its result as often as they are drawn.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..engine.errors import HMTalkerError
from ..engine.worker import install_command, process
from ..engine.worker.environment_check import RUN_AGAIN, problem, summary
from ..engine.worker.errors import WorkerError
from . import engine_paths, preferences

LOOK_SECONDS = 1.0
"""How often a panel that is drawn looks at the folder again."""
RECHECK_SECONDS = 4.0
"""How often at most an environment is checked while pip is filling it."""


@dataclass(frozen=True)
class Status:
    """What is known about the environment."""

    python: Path | None
    """Its interpreter; None where there is no environment."""
    reason: str = ""
    """Why nothing can run in it, without a full stop; empty where it is ready or not checked yet."""
    details: str = ""
    """Versions and device of an environment that is ready."""

    @property
    def ready(self) -> bool:
        return bool(self.details)


class _Check:
    """One check of one interpreter, on a thread."""

    def __init__(self, python: Path, stamp: object) -> None:
        self.python, self.stamp, self.began = python, stamp, time.monotonic()
        self.status: Status | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="HM-Talker environment check", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        self._thread.join()

    def stop(self) -> None:
        """End the check and wait for that."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            found = process.run(self.python, "check", {}, cancelled=self._stop.is_set, grace=0.0)
            reason = problem(found)
            self.status = Status(self.python, reason, "" if reason else summary(found))
        except Exception as error:
            told = str(error) if isinstance(error, HMTalkerError) else f"The training environment is damaged ({error})."
            self.status = Status(self.python, told.rstrip("."))


_last: Status | None = None
_check: _Check | None = None
_seen: tuple[str, float, Path | None, object] = ("", -1e9, None, None)  # folder, when, its interpreter and its stamp


def folder(context: bpy.types.Context) -> Path:
    """Return where the training environment is, or will be."""
    chosen = preferences.chosen_environment(context)
    if chosen:
        return Path(bpy.path.abspath(chosen))
    return Path(bpy.utils.extension_path_user(engine_paths.EXTENSION, path="training"))


def command(context: bpy.types.Context) -> str:
    """Return the command that makes or mends the environment. It runs Blender's own Python, which is new enough."""
    python = sys.executable if "python" in Path(sys.executable or "").name.lower() else "python3"
    return install_command.install_command(sys.platform, python, str(folder(context)))


def shell() -> str:
    """Return the name of the program that the command is pasted into."""
    return install_command.shell(sys.platform)


def status(context: bpy.types.Context) -> Status:
    """Return what is known, at once; begin a check where the environment is new or was changed."""
    global _check, _last
    place = folder(context)
    python, stamp = _look(place)
    if python is None and (place / "pyvenv.cfg").is_file():
        return Status(None, f"The Python that made the training environment is gone: delete {place}, then {RUN_AGAIN}")
    if python is None:
        return Status(None, f"Capture needs the training environment: copy the command and paste it into {shell()}")
    if _check is not None and _check.status is not None:
        _last = _check.status
    known = _check is not None and (_check.python, _check.stamp) == (python, stamp)
    resting = _check is None or (_check.status is not None and time.monotonic() - _check.began > RECHECK_SECONDS)
    if not known and (resting or (_check is not None and _check.python != python)):
        if _check is not None and _check.status is None:
            _check.stop()
        _check = _Check(python, stamp)
        if not bpy.app.timers.is_registered(_redraw_when_checked):
            bpy.app.timers.register(_redraw_when_checked, first_interval=0.5)
    return _last if _last is not None and _last.python == python else Status(python)


def check(context: bpy.types.Context) -> Status:
    """Check the environment again and wait for the result."""
    forget()
    found = status(context)
    if _check is not None:
        _check.wait()
        found = status(context)
    return found


def check_again(context: bpy.types.Context) -> None:
    """Check the environment again; panels show the result when it is there."""
    forget()
    status(context)


def interpreter(context: bpy.types.Context) -> Path:
    """Return the interpreter to run. Raises WorkerError with what is known to be wrong."""
    found = status(context)
    if found.reason or found.python is None:
        raise WorkerError(f"{found.reason}.")
    return found.python


def variables() -> dict[str, str]:
    """Return what a worker's process needs in its environment. Must be called on the main thread."""
    return {"NUMBA_CACHE_DIR": str(engine_paths.user_folder("worker_kernel_cache"))}


def forget() -> None:
    """End a running check and forget the last one."""
    global _check, _last, _seen
    if _check is not None:
        _check.stop()
    if bpy.app.timers.is_registered(_redraw_when_checked):
        bpy.app.timers.unregister(_redraw_when_checked)
    _check, _last, _seen = None, None, ("", -1e9, None, None)


def _look(place: Path) -> tuple[Path | None, object]:
    """Return the interpreter in a folder, and a stamp that changes when packages are installed or removed."""
    global _seen
    name, moment, python, stamp = _seen
    if name != str(place) or time.monotonic() - moment > LOOK_SECONDS:
        python, stamp = install_command.find_python(place), None
        if python is not None:
            roots = (place, python.parent, python.parent.parent)
            sites = {site for root in roots for pattern in _SITES for site in root.glob(pattern)}
            stamp = tuple(sorted((str(site), _modified(site)) for site in sites))
        _seen = str(place), time.monotonic(), python, stamp
    return python, stamp


_SITES = ("lib/python3*/site-packages", "Lib/site-packages")


def _modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _redraw_when_checked() -> float | None:
    """A timer: panels ask again when the check has ended."""
    if _check is not None and _check.status is None:
        return 0.5
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"VIEW_3D", "PREFERENCES"}:
                area.tag_redraw()
    return None


def as_text(found: Status) -> tuple[str, str]:
    """Return a line on the environment and its icon."""
    if found.reason:
        return found.reason, "ERROR"
    return (found.details, "CHECKMARK") if found.ready else ("The training environment is being checked", "SORTTIME")
