# SPDX-License-Identifier: GPL-3.0-or-later
"""Compile everything that a frame needs before the first one is wanted.

Numba compiles a kernel when it is first called: about ten seconds in all, once on a machine, then a third of a second
to load the results from the folder that the environment variable ``NUMBA_CACHE_DIR`` names (set it before numba is
imported). Call :func:`warm_up` on a thread of its own: most of the time is LLVM's, which leaves the interpreter free.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..avatar import Avatar

Progress = Callable[[float, str], Any]

_lock = threading.Lock()
_ready = False


def is_warm() -> bool:
    """Whether :func:`warm_up` has run in this process."""
    return _ready


def warm_up(progress: Progress | None = None, cancelled: Callable[[], bool] | None = None) -> bool:
    """Compile, or load from the cache, every kernel of both kinds of frames; False if it was cancelled in between.

    progress: called with 0..1 and what is being prepared. Calls wait for each other, and all but the first do nothing.
    Raises RenderError where numba cannot be loaded.
    """
    global _ready
    report = progress or (lambda fraction, what: None)
    with _lock:
        if not _ready:
            for fraction, what, step in _steps():
                if cancelled is not None and cancelled():
                    return False
                report(fraction, what)
                step()
            _ready = True
    report(1.0, "Ready")
    return True


def start_warm_up(progress: Progress | None = None) -> threading.Thread:
    """:func:`warm_up` on a thread that is already running and does not keep the process alive.

    progress is called on that thread. What fails here fails again, and is told, where a frame is asked for.
    """

    def run() -> None:
        from ..errors import HMTalkerError

        with contextlib.suppress(HMTalkerError):
            warm_up(progress)

    thread = threading.Thread(target=run, name="hmtalker-warm-up", daemon=True)
    thread.start()
    return thread


def _steps() -> Iterator[tuple[float, str, Callable[[], Any]]]:
    """(share of the time before it, name, what to call) of each step; the shares are those of a measured first run.

    An avatar of no Gaussians is enough: what a kernel is compiled for are types, not numbers.
    """
    from ..camera import Camera
    from ..errors import RenderError
    from ..motion.state import MotionState

    try:
        from ..motion.portable import PortableMotion
        from ..rasterize.cpu import ALPHA_MAX
        from ..rasterize.scratch import Scratch
        from ..rasterize.workers import Workers
        from .pipeline import FramePipeline
    except ImportError as error:
        raise RenderError(f"Rendering needs the package numba, which cannot be loaded ({error}).") from error
    avatar, rest, camera, alone = _nobody(), MotionState.rest(), Camera.in_front(8, 8), Workers(1)
    motion = PortableMotion(avatar.motion, avatar.motion_config, avatar.face.means, avatar.mouth.means, threads=1)
    pipeline = FramePipeline(avatar, motion, ALPHA_MAX)
    yield 0.0, "Compiling motion", lambda: pipeline.splat(rest, camera, alone, Scratch())
    yield 0.5, "Compiling pictures with depth", lambda: pipeline.linear(rest, camera, alone)
    yield 0.85, "Compiling pictures for files", lambda: pipeline.srgb8(rest, camera, alone)


def _nobody() -> Avatar:
    from ..avatar import Avatar
    from ..avatar.motion_shapes import motion_shapes
    from ..gaussians.gaussian_set import GaussianSet
    from ..motion.config import MotionConfig

    config = MotionConfig(feature_dimension=1, projection_dimension=1, grid_levels=1)
    weights = {name: np.ones(shape, np.float32) for name, shape in motion_shapes(config).items()}
    empty = GaussianSet.validate(*(np.zeros((0, *shape)) for shape in ((3,), (3,), (4,), (), (1, 3), ())))
    return Avatar(empty, empty, weights, {"motion": config.to_dict(), "pivot": [0, 0, 0]})
