# SPDX-License-Identifier: GPL-3.0-or-later
"""The avatar drawn as the footage's camera sees its person: the new lower face, on the head that was filmed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..action_unit_sets import OPENFACE_17, carry
from ..camera import Camera
from ..head_pose import HeadPose
from ..motion.state import MotionState
from ..render import Renderer
from ..take import Take
from .alignment import Alignment
from .footage import Performed, Person
from .window import Window


@dataclass(frozen=True)
class DrawnHead:
    """What is drawn into one window."""

    colours: np.ndarray
    """float32 [h,w,3] straight sRGB, 0..1."""
    alpha: np.ndarray
    """float32 [h,w]"""


class FilmedHead:
    """Draws an avatar where the person of some footage is."""

    def __init__(
        self, renderer: Renderer, person: Person, camera: Camera, performed: Performed, alignment: Alignment
    ) -> None:
        """camera: of the pictures, in the footage's own space."""
        self._renderer, self._performed, self._alignment = renderer, performed, alignment
        self._pivot = person.pivot
        self.camera: Camera = alignment.camera(camera)
        """In the avatar's space."""

    def pose(self, picture: int) -> HeadPose:
        """In the footage's own space."""
        return HeadPose.from_array(self._performed.head[picture])

    def state(self, picture: int, take: Take, frame: int) -> MotionState:
        """The new voice's lower face at `frame` of the take; everything else as it was filmed in `picture`."""
        units = self._performed.action_units[picture].astype(np.float32)
        known = self._renderer.avatar.units
        units = carry(units, known).copy() if known is not OPENFACE_17 else units
        lower = list(known.lower_columns)
        units[lower] = take.action_units[frame, lower]
        head = self._alignment.head(self.pose(picture), self._pivot, self._renderer.avatar.pivot)
        return MotionState(units, take.implicit[frame], 1.0, head, self._alignment.body(self._performed.body[picture]))

    def draw(self, state: MotionState, window: Window) -> DrawnHead:
        """Everything that the avatar has."""
        rgba = self._renderer.render_srgb8(state, window.camera(self.camera)).astype(np.float32) / 255
        return DrawnHead(rgba[..., :3], rgba[..., 3])

    def turning(self, state: MotionState, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """How much what is drawn turns with the head, times the alpha, and the alpha: float32 [h,w] each. 1 is head, 0
        is clothes, the neck lies between."""
        camera = window.camera(self.camera)
        face, mouth = self._renderer.posed(state, camera)
        weights = np.repeat(self._renderer.avatar.face.head_weights[:, None], 3, 1)
        layer = self._renderer.rasterizer.render(replace(face, colors=weights), camera, depth=False)
        share, alpha = layer.rgb[..., 0], layer.alpha
        if mouth.count:
            inside = (1 - alpha) * self._renderer.rasterizer.render(mouth, camera, depth=False).alpha
            share, alpha = share + inside, alpha + inside
        return np.asarray(share), np.asarray(alpha)
