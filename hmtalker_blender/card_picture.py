# SPDX-License-Identifier: GPL-3.0-or-later
"""What an avatar's card shows: the frame that a camera sees of it, as a surface. Any thread."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from . import avatar_object, avatars_shown, camera_view, depth_relief, renderers

if TYPE_CHECKING:
    from .avatars_shown import Shown
    from .camera_view import Projection
    from .depth_relief import Relief

MARGIN = 0.5
"""How far outside of the picture the face is made, relative to its size, for shadows and reflections."""
MOST_PIXELS = 4_000_000
"""A card has fewer vertices than this; a larger face is made with fewer and larger pixels."""


class Request(NamedTuple):
    """Everything that a card's picture depends on; no Blender data."""

    shown: Shown
    projection: Projection | None
    """None: as the camera sees the avatar that it was filmed with."""
    strength: float
    """Of the relief, 0..1."""
    threads: int

    def key(self) -> bytes:
        """Return a hash of all of it: the same key, the same mesh."""
        path, state, place = self.shown.path, self.shown.state, self.shown.world_from_object
        digest = hashlib.sha256(f"{avatar_object.key_of(path)} {self.strength}".encode())
        digest.update(avatars_shown.state_hash(state))
        if self.projection is not None:
            digest.update(place.tobytes())
            digest.update(self.projection.matrix.tobytes() + self.projection.view_from_world.tobytes())
            digest.update(f"{self.projection.width} {self.projection.height}".encode())
        return digest.digest()

    def relief(self, cancelled: Callable[[], bool] = lambda: False) -> Relief | None:
        """Render it; None where the avatar is out of sight or nobody wants it any more. Any thread."""
        if cancelled():
            return None
        loaded = avatar_object.load(self.shown.path)
        if self.projection is None:
            view = camera_view.of_avatar(loaded.avatar)
        else:
            view = camera_view.looking_at(self.projection, self.shown.world_from_object, loaded.avatar)
        window = camera_view.window_of(view, camera_view.bounds_of(loaded.avatar), MARGIN)
        if window is None:
            return None
        excess = (window.width * window.height / MOST_PIXELS) ** 0.5
        view = camera_view.cropped(view, window)
        if excess > 1.0:
            size = (max(1, int(side / excess)) for side in (window.width, window.height))
            view = view._replace(camera=view.camera.scaled(*size))
        frame = renderers.of(loaded, self.threads).render(self.shown.state, view.camera)
        return None if cancelled() else depth_relief.of_frame(frame, view, self.strength)
