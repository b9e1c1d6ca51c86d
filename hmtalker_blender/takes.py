# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes inside the .blend.

A take's bytes live on the action that holds its curves, as one byte property: they are saved, packed, appended and
linked with it, undo shares them between steps, and an hour of speech costs a few MB with no text encoding. What
*Animate* stores is never edited in place (a new performance is a new action), so a decoded take can be kept by the
action's session identifier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

    from ..engine.take import Take

BYTES_KEY = "hmtalker_take"
MAXIMUM_DECODED = 8

_decoded: dict[int, Take] = {}


def store(action: bpy.types.Action, take: Take, data: bytes) -> None:
    """Keep the take on its action. data: `Take.to_bytes()`."""
    action[BYTES_KEY] = data
    _remember(action, take)


def read(action: bpy.types.Action) -> Take | None:
    """Return the take kept on an action, or None if there is none (or it cannot be decoded any more)."""
    from ..engine.errors import HMTalkerError
    from ..engine.take import Take

    known = _decoded.get(action.session_uid)
    if known is not None:
        return known
    data = action.get(BYTES_KEY)
    if data is None:
        return None
    try:
        take = Take.from_bytes(bytes(data))
    except HMTalkerError:
        return None
    _remember(action, take)
    return take


def by_number(avatar_object: bpy.types.Object, number: int) -> Take | None:
    """Return the avatar's take with this number, or None. avatar_object: original or evaluated."""
    for entry in avatar_object.original.hmtalker.takes:
        if entry.number == number and entry.action is not None:
            return read(entry.action)
    return None


def implicit_at(take: Take, seconds: float) -> NDArray[float32] | None:
    """Return float32 [32], the implicit speech condition at a moment of a take, or None outside of the take."""
    return take.sample_implicit(seconds) if 0.0 <= seconds < take.frames / take.fps else None


def forget_decoded() -> None:
    """Drop decoded takes; they are decoded again when needed."""
    _decoded.clear()


def _remember(action: bpy.types.Action, take: Take) -> None:
    while len(_decoded) >= MAXIMUM_DECODED:
        del _decoded[next(iter(_decoded))]
    _decoded[action.session_uid] = take
