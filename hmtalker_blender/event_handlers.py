# SPDX-License-Identifier: GPL-3.0-or-later
"""Listening to what Blender tells: ``bpy.app.handlers``."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import bpy

Handlers = Iterable[tuple[str, Callable[..., None]]]
"""Name of a list in ``bpy.app.handlers``, and what is to be called."""


def attach(handlers: Handlers) -> None:
    """Listen; what listens already is not added twice."""
    for event, handler in handlers:
        listening = getattr(bpy.app.handlers, event)
        if handler not in listening:
            listening.append(handler)


def detach(handlers: Handlers) -> None:
    """Stop listening."""
    for event, handler in handlers:
        listening = getattr(bpy.app.handlers, event)
        if handler in listening:
            listening.remove(handler)
