# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a head that speech moves: mouth, chin and cheeks, outlined on the head itself and posed with it.

The outline does not follow the lips: drawn in the head's own coordinates it is as steady as the head's pose, and always
wide enough for a jaw that opens, so that neither the old chin nor the new one is cut.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..camera import Camera
from ..capture.matte.face_regions import CHIN, FOREHEAD, JAW, LIPS, coverage, rounded
from ..head_pose import HeadPose
from .window import Window

LOWER_JAW = JAW[JAW.index(132) : JAW.index(361) + 1]
"""From below one ear lobe, along the chin, to below the other."""
ACROSS = (352, 280, 358, 5, 129, 50, 123)
"""Back over cheekbone, wing of the nose and its bridge: skin that hardly moves."""
ASIDE = 0.04
"""Of the face's height: how far beside the jaw the outline lies ..."""
BELOW = 0.17
"""... and how far below the chin: as far as a jaw drops, and the seam's own width."""
FEATHER = 0.038
"""Of the face's height: standard deviation of the seam's softness."""
LIPS_MARGIN = 1.6
"""Times the lips' own size: what speech surely moves."""
REACH = 3.0
"""Standard deviations at which the seam has ended."""


class MouthRegion:
    """The region of one person's head."""

    def __init__(self, mesh: np.ndarray) -> None:
        """mesh: [478,3] metres, the face at rest in canonical space."""
        mesh = np.asarray(mesh, np.float64)
        self.height = float(np.linalg.norm(mesh[FOREHEAD] - mesh[CHIN]))
        """Metres from chin to hairline."""
        jaw, middle = mesh[list(LOWER_JAW)], mesh[list(LOWER_JAW)].mean(0)
        drop = ((jaw[:, 1].max() - jaw[:, 1]) / np.ptp(jaw[:, 1])) ** 1.5
        side = np.sign(jaw[:, :1] - middle[0]) * np.minimum(1, abs(jaw[:, :1] - middle[0]) / (0.2 * self.height))
        pushed = jaw + self.height * (ASIDE * side * [1, 0, 0] - BELOW * drop[:, None] * [0, 1, 0])
        self._outline = np.concatenate([pushed, mesh[list(ACROSS)]])
        lips = mesh[list(LIPS)]
        self._lips = lips.mean(0) + LIPS_MARGIN * (lips - lips.mean(0))
        self.middle = lips.mean(0)

    def project(self, points: np.ndarray, head: HeadPose, pivot: np.ndarray, camera: Camera) -> np.ndarray:
        """Canonical points [n,3] of the posed head in pixels [n,2]; 0, 0 is the picture's corner."""
        posed = (points - pivot) @ head.matrix().T + pivot + np.array(head.translation)
        view = posed @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]
        pixels = view @ camera.K.T
        return np.asarray(pixels[:, :2] / np.maximum(pixels[:, 2:], 1e-6))

    def place(self, head: HeadPose, pivot: np.ndarray, camera: Camera) -> tuple[np.ndarray, float]:
        """Where the mouth is [2] and how high the face is, in pixels."""
        at = self.project(self.middle[None], head, pivot, camera)[0]
        depth = (camera.world_to_camera[:3, :3] @ self.middle + camera.world_to_camera[:3, 3])[2]
        return at, self.height * float(camera.K[1, 1]) / max(float(depth), 1e-6)

    def window(self, head: HeadPose, pivot: np.ndarray, camera: Camera) -> Window | None:
        """What of the picture the region touches; None where that is nothing."""
        _, size = self.place(head, pivot, camera)
        points = self.project(self._outline, head, pivot, camera)
        return Window.around(points, (REACH * FEATHER + 0.02) * size, camera.width, camera.height)

    def mask(self, head: HeadPose, pivot: np.ndarray, camera: Camera) -> np.ndarray:
        """float32 [H,W] 0..1 of the camera's picture: how much of each pixel is the avatar's."""
        _, size = self.place(head, pivot, camera)
        outline = self.project(self._outline, head, pivot, camera) - 0.5
        return soft(coverage(rounded(outline), (camera.height, camera.width)), FEATHER * size)

    def moving(self, head: HeadPose, pivot: np.ndarray, camera: Camera) -> np.ndarray:
        """float32 [H,W] 0..1: lips and what lies next to them."""
        outline = self.project(self._lips, head, pivot, camera) - 0.5
        return coverage(rounded(outline), (camera.height, camera.width))


def soft(mask: np.ndarray, sigma: float) -> np.ndarray:
    """A mask [H,W] with an edge of that standard deviation in pixels, exactly 0 and 1 away from it. The mask goes on
    as it is beyond the picture's edge."""
    blurred = cv2.GaussianBlur(mask, (0, 0), max(sigma, 0.3), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(np.clip((blurred - 0.004) / 0.992, 0, 1), np.float32)
