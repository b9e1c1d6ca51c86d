# SPDX-License-Identifier: GPL-3.0-or-later
"""One picture of all avatars of a scene, from a scene camera or a viewport. Any thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from . import avatar_object, camera_view, renderers

if TYPE_CHECKING:
    from .avatars_shown import Shown
    from .camera_view import Projection, View, Window

FAR = np.float32(1e10)
"""Depth where there is nothing, as Blender's own engines write it."""


def render(
    shown: Sequence[Shown],
    projection: Projection,
    threads: int,
    window: Window | None = None,
    margin_free: bool = False,
    cancelled: Callable[[], bool] = lambda: False,
) -> tuple[np.ndarray, np.ndarray]:
    """Return rgba float32 [H,W,4], premultiplied and linear, and depth float32 [H,W], FAR where there is nothing.

    window: the rectangle of the picture to draw; None for all of it. margin_free: draw only where each avatar is, which
    is quicker and may differ in the last bits. The nearer avatar is in front, pixel by pixel. Raises AvatarError,
    RenderError.
    """
    width, height = (window.width, window.height) if window else (projection.width, projection.height)
    rgba, depth = np.zeros((height, width, 4), np.float32), np.full((height, width), FAR, np.float32)
    for avatar in shown:
        if cancelled():
            break
        loaded = avatar_object.load(avatar.path)
        view = camera_view.looking_at(projection, avatar.world_from_object, loaded.avatar)
        if window is not None:
            view = camera_view.cropped(view, window)
        part = camera_view.window_of(view, camera_view.bounds_of(loaded.avatar), 0.0)
        if part is None:
            continue
        rows, columns = slice(None), slice(None)
        if margin_free:
            view = camera_view.cropped(view, part)
            rows, columns = slice(part.top, part.top + part.height), slice(part.left, part.left + part.width)
        frame = renderers.of(loaded, threads).render(avatar.state, view.camera)
        _lay(rgba[rows, columns], depth[rows, columns], frame.rgba, _blender_depth(frame.depth, frame.rgba, view))
    return rgba, depth


def _blender_depth(depth: np.ndarray, rgba: np.ndarray, view: View) -> np.ndarray:
    return np.where(rgba[..., 3] > 0.0, depth - np.float32(view.behind), FAR)


def _lay(rgba: np.ndarray, depth: np.ndarray, new: np.ndarray, new_depth: np.ndarray) -> None:
    """Lay a picture over or under what is there, whichever is nearer."""
    if not (depth < FAR).any():
        rgba[...], depth[...] = new, new_depth
        return
    nearer = (new_depth < depth)[..., None]
    front, back = np.where(nearer, new, rgba), np.where(nearer, rgba, new)
    rgba[...] = front + (1.0 - front[..., 3:]) * back
    np.minimum(depth, new_depth, out=depth)
