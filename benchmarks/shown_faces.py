# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of an avatar's face, seen again by the capture's tracker: stills that hold a pose, and spoken takes."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hmtalker.avatar import Avatar
from hmtalker.camera import Camera
from hmtalker.capture.face.face_landmarks import FaceTracker
from hmtalker.capture.face.face_networks import find_networks, load_networks
from hmtalker.evaluation.image_metrics import on_grey, to_8bit
from hmtalker.motion.state import MotionState
from hmtalker.render import Renderer

LARGEST_SIDE = 512


@dataclass(frozen=True)
class Faces:
    """What the tracker saw."""

    landmarks: np.ndarray
    """float32 [n,478,3], NaN where it saw no face."""
    blendshapes: np.ndarray
    """float32 [n,52]"""


class Studio:
    """Shows an avatar over grey through its own camera, and tracks what is shown."""

    def __init__(self, avatar: Avatar, largest_side: int = LARGEST_SIDE) -> None:
        self.renderer = Renderer(avatar)
        self.camera = limited(avatar.camera, largest_side)
        self.tracker = FaceTracker(load_networks(find_networks()))

    def stills(self, states: Iterable[MotionState], what: str = "faces") -> Faces:
        """Each state by itself, as the tracker sees a face that has been held for a while."""
        return self._see(states, what, still=True)

    def video(self, states: Iterable[MotionState], what: str = "frames") -> Faces:
        """The states as one clip."""
        return self._see(states, what, still=False)

    def _see(self, states: Iterable[MotionState], what: str, still: bool) -> Faces:
        landmarks, blendshapes = [], []
        self.tracker.reset()
        for number, state in enumerate(states, 1):
            picture = to_8bit(on_grey(self.renderer.render_srgb8(state, self.camera)))
            if still:
                self.tracker.reset()
                self.tracker.track(picture)
            face = self.tracker.track(picture)
            landmarks.append(np.full((478, 3), np.nan, np.float32) if face is None else face.landmarks)
            blendshapes.append(np.zeros(52, np.float32) if face is None else face.blendshapes)
            if sys.stderr.isatty():
                print(f"\r{number} {what}", end="", file=sys.stderr, flush=True)
        if sys.stderr.isatty():
            print(file=sys.stderr)
        return Faces(np.stack(landmarks).astype(np.float32), np.stack(blendshapes).astype(np.float32))

    def close(self) -> None:
        """Give the renderer's threads back."""
        self.renderer.close()


def limited(camera: Camera, largest_side: int) -> Camera:
    """The same view in a picture whose longer side has at most so many pixels."""
    factor = min(1.0, largest_side / max(camera.width, camera.height))
    return camera.scaled(round(camera.width * factor), round(camera.height * factor))
