# SPDX-License-Identifier: GPL-3.0-or-later
"""How an avatar's lips stand in a frame, in millimetres, from its posed Gaussians: no picture is drawn for it.

The lips are found once: the open mouth is rendered, MediaPipe's landmarks are put on it, and the Gaussians nearest to
the inner lips' middle and to the mouth's corners are followed from then on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmtalker import action_units as au
from hmtalker.avatar import Avatar
from hmtalker.capture.face.face_landmarks import FaceTracker
from hmtalker.capture.face.face_networks import find_networks, load_networks
from hmtalker.evaluation.image_metrics import on_grey
from hmtalker.motion.portable import PortableMotion
from hmtalker.motion.state import MotionState
from hmtalker.render import Renderer
from hmtalker.take import Take

UPPER, LOWER, CORNERS = (13, 312, 82), (14, 317, 87), (78, 308)
"""Landmarks of the inner lips."""
OPEN = {"AU25": 4.0, "AU26": 2.5}
NEAREST = 12
"""Gaussians for each landmark."""
FAINT = 0.3
"""Opacity below which a Gaussian does not count as skin."""
CHANNELS = ("gap", "width", "protrusion")


@dataclass(frozen=True)
class LipPoints:
    """Gaussians of the face layer that stand for the lips: rows of its means."""

    upper: np.ndarray
    lower: np.ndarray
    left: np.ndarray
    right: np.ndarray

    @classmethod
    def find(cls, avatar: Avatar) -> LipPoints:
        """Raises ValueError where no face is found in the rendered picture."""
        units = np.zeros(au.COUNT, np.float32)
        for code, value in OPEN.items():
            units[au.CODES.index(code)] = value
        state = MotionState(units)
        renderer = Renderer(avatar)
        camera = avatar.camera.scaled(768 * avatar.camera.width // avatar.camera.height, 768)
        picture = np.round(on_grey(renderer.render_srgb8(state, camera)) * 255).astype(np.uint8)
        face = FaceTracker(load_networks(find_networks())).track(picture)
        posed, _ = renderer.posed(state, camera)
        renderer.close()
        if face is None:
            raise ValueError("No face is found in the avatar's picture.")
        seen = posed.means @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]
        pixels = seen @ camera.K.T
        pixels = pixels[:, :2] / pixels[:, 2:]
        skin = posed.opacities > FAINT

        def near(*landmarks: int) -> np.ndarray:
            rows = []
            for landmark in landmarks:
                away = np.linalg.norm(pixels - face.landmarks[landmark, :2], axis=1)
                close = np.flatnonzero(skin & (away < np.partition(away[skin], 4 * NEAREST)[4 * NEAREST]))
                front = np.abs(seen[close, 2] - np.median(seen[close, 2])).argsort()[: 2 * NEAREST]
                rows.append(close[front][away[close[front]].argsort()[:NEAREST]])
            return np.unique(np.concatenate(rows))

        return cls(near(*UPPER), near(*LOWER), near(CORNERS[0]), near(CORNERS[1]))

    @property
    def rows(self) -> np.ndarray:
        return np.concatenate([self.upper, self.lower, self.left, self.right])


def lip_curves(avatar: Avatar, points: LipPoints, take: Take) -> np.ndarray:
    """float64 [T,3] of CHANNELS in millimetres, from what they are at rest; positive: open, wide, forward."""
    means = avatar.face.means[points.rows]
    motion = PortableMotion(avatar.motion, avatar.motion_config, means, np.zeros((0, 3), np.float32), threads=1)
    ends = np.cumsum([len(points.upper), len(points.lower), len(points.left)])

    def stand(state: MotionState) -> np.ndarray:
        moved = (means + motion.face_offsets(state)[:, :3]) * 1000.0
        upper, lower, left, right = (part.mean(0) for part in np.split(moved, ends))
        return np.array([upper[1] - lower[1], abs(right[0] - left[0]), (upper[2] + lower[2]) / 2])

    rest = stand(MotionState(avatar.rest_action_units, avatar.rest_implicit))
    return np.array([stand(take.state(frame)) for frame in range(take.frames)]) - rest
