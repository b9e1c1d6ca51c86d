# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernels are compiled beside a living interface, before the first frame is wanted; panels say how far that is.

It takes some ten seconds, once on a machine and after an update; afterwards the results are read from the extension's
own folder in a moment, and no panel mentions it.
"""

from __future__ import annotations

import threading
import time

import bpy

from . import engine_paths

WORTH_MENTIONING = 1.5
"""Seconds that reading compiled kernels may take; longer means compiling."""
REDRAW_SECONDS = 0.5

_thread: threading.Thread | None = None
_begun = 0.0
_told = (0.0, "")


def begin() -> None:
    """Start, unless it has been done or nobody is there to wait for a frame. Main thread; returns at once."""
    if not bpy.app.background:
        start()


def start() -> None:
    """Start, in background mode too."""
    global _thread, _begun, _told
    from ..engine.frames.warm_up import is_warm, start_warm_up

    if is_warm() or (_thread is not None and _thread.is_alive()):
        return
    engine_paths.prepare_kernel_cache()
    _begun, _told = time.monotonic(), (0.0, "")
    _thread = start_warm_up(_tell)
    if not bpy.app.timers.is_registered(_redraw):
        bpy.app.timers.register(_redraw, first_interval=REDRAW_SECONDS)


def progress() -> tuple[float, str] | None:
    """(0..1, a sentence) while kernels are being compiled, else None."""
    under_way = _thread is not None and _thread.is_alive() and time.monotonic() - _begun > WORTH_MENTIONING
    fraction, what = _told
    return (fraction, f"{what}, once on this computer") if under_way and what else None


def forget() -> None:
    """Stop redrawing; what is being compiled is finished on its thread, which keeps nothing from ending."""
    if bpy.app.timers.is_registered(_redraw):
        bpy.app.timers.unregister(_redraw)


def _tell(fraction: float, what: str) -> None:
    global _told
    _told = (fraction, what)


def _redraw() -> float | None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"VIEW_3D", "SEQUENCE_EDITOR"}:
                area.tag_redraw()
    return REDRAW_SECONDS if _thread is not None and _thread.is_alive() else None
