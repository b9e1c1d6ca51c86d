# SPDX-License-Identifier: GPL-3.0-or-later
"""Renderers that stay warm: making one costs more than a frame, so each avatar in use keeps its own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..engine.render import Renderer
    from .avatar_object import LoadedAvatar

MAXIMUM_KEPT = 4
"""The same number as avatars kept in memory."""

_kept: dict[tuple[str, int], Renderer] = {}
_making = threading.Lock()


def of(loaded: LoadedAvatar, threads: int) -> Renderer:
    """Return the renderer of an avatar, made if need be. Any thread; calls of the same renderer take turns."""
    from ..engine.render import Renderer

    key = loaded.sha256, threads
    with _making:
        if key not in _kept:
            while len(_kept) >= MAXIMUM_KEPT:
                del _kept[next(iter(_kept))]  # its threads end when the last frame that needs it is done
            _kept[key] = Renderer(loaded.avatar, threads=threads)
        return _kept[key]


def forget() -> None:
    """Drop all renderers."""
    with _making:
        _kept.clear()
