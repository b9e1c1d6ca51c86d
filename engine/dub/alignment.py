# SPDX-License-Identifier: GPL-3.0-or-later
"""From the canonical space of one capture to that of an avatar made from another: the same head, laid upon itself.

Every capture solves its own head shape, scale and axes. The avatar is drawn in a few poses, its landmarks are found in
the pictures, and the footage's face mesh is laid onto them by a similarity transform.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..avatar import Avatar
from ..camera import Camera
from ..capture.face.face_landmarks import FaceTracker
from ..capture.face.face_networks import find_networks, load_networks
from ..capture.head.canonical_face import SOFT_LANDMARKS, SOLVED_LANDMARKS
from ..capture.head.head_pose_model import rotation_matrices
from ..errors import HMTalkerError
from ..head_pose import HeadPose
from ..motion.state import MotionState
from ..render import Renderer
from .footage import Person

RIGID = tuple(sorted(set(SOLVED_LANDMARKS) - SOFT_LANDMARKS))
VIEWS = tuple((np.radians(pitch), np.radians(yaw)) for pitch, yaw in ((0, 0), (0, 10), (0, -10), (8, 0), (-8, 0)))
"""Pitch and yaw of the avatar's head, around its own rest."""
FEWEST_VIEWS = 3
SAME = 1e-3
"""Metres and pixels by which the avatar's own capture may differ, by rounding."""
WORST = 0.02
"""Median error of the landmarks, in heights of the face, beyond which it is not the same person, or not a face."""


@dataclass(frozen=True)
class Alignment:
    """A point x of the capture lies at scale * rotation x + shift of the avatar."""

    scale: float = 1.0
    rotation: np.ndarray | None = None
    """float64 [3,3]; None where both spaces are the same."""
    shift: np.ndarray | None = None
    """float64 [3] metres"""

    def points(self, points: np.ndarray) -> np.ndarray:
        """[n,3] of the capture -> [n,3] of the avatar."""
        if self.rotation is None or self.shift is None:
            return points
        return np.asarray(self.scale * points @ self.rotation.T + self.shift)

    def camera(self, camera: Camera) -> Camera:
        """The capture's camera, as it sees the avatar."""
        if self.rotation is None or self.shift is None:
            return camera
        matrix = camera.world_to_camera.copy()
        matrix[:3, :3] = camera.world_to_camera[:3, :3] @ self.rotation.T
        matrix[:3, 3] = self.scale * camera.world_to_camera[:3, 3] - matrix[:3, :3] @ self.shift
        return Camera(camera.width, camera.height, camera.K, matrix)

    def head(self, head: HeadPose, pivot: np.ndarray, avatar_pivot: np.ndarray) -> HeadPose:
        """The same motion of the head, about the avatar's own pivot."""
        if self.rotation is None or self.shift is None:
            return head
        turn = self.rotation @ head.matrix() @ self.rotation.T
        # where the motion takes the point of the capture that is the avatar's pivot
        start = (avatar_pivot - self.shift) @ self.rotation / self.scale
        end = head.matrix() @ (start - pivot) + pivot + np.array(head.translation)
        translation = self.points(end[None])[0] - avatar_pivot
        pitch = float(np.arcsin(np.clip(-turn[1, 2], -1, 1)))
        yaw, roll = float(np.arctan2(turn[0, 2], turn[2, 2])), float(np.arctan2(turn[1, 0], turn[1, 1]))
        return HeadPose((pitch, yaw, roll), (float(translation[0]), float(translation[1]), float(translation[2])))

    def body(self, shift: np.ndarray) -> np.ndarray:
        """Metres [3] that neck and clothes have moved."""
        return shift if self.rotation is None else np.asarray(self.scale * self.rotation @ shift)


def align(avatar: Avatar, person: Person, renderer: Renderer) -> Alignment:
    """The identity for the capture that the avatar was trained on. Raises HMTalkerError where the two do not fit."""
    if _is_own(avatar, person):
        return Alignment()
    from scipy.optimize import least_squares

    views = _landmarks(avatar, renderer)
    mesh = person.mesh[list(RIGID)]

    def errors(terms: np.ndarray) -> np.ndarray:
        space = _similarity(terms)
        return np.concatenate([(_seen(space.points(mesh), pose, avatar) - seen).ravel() for pose, seen in views])

    height = float(np.ptp(views[0][1][:, 1]))
    solved = least_squares(errors, np.zeros(7), loss="soft_l1", f_scale=0.01 * height, x_scale=[0.1] * 3 + [0.1] * 4)
    apart = np.hypot(*errors(solved.x).reshape(-1, 2).T)
    if not solved.success or np.median(apart) > WORST * height or abs(solved.x[6]) > 0.7:
        raise HMTalkerError(
            f"The avatar {avatar.name} does not look like the person in this footage ({np.median(apart):.1f} pixels "
            f"apart on a face of {height:.0f}); use footage of the person it was made from."
        )
    return _similarity(solved.x)


def _is_own(avatar: Avatar, person: Person) -> bool:
    own, camera = avatar.camera, person.framing.camera(person.camera)
    scale = camera.K[0, 0] / own.K[0, 0]  # the same capture may have been made in another size
    return bool(
        np.abs(avatar.pivot - person.pivot).max() < SAME
        and np.abs(own.world_to_camera - camera.world_to_camera).max() < SAME
        and abs(scale - camera.width / own.width) < SAME
    )


def _similarity(terms: np.ndarray) -> Alignment:
    """terms: rotation vector, shift in metres, logarithm of the scale."""
    return Alignment(float(np.exp(terms[6])), rotation_matrices(terms[None, :3])[0], terms[3:6])


def _seen(points: np.ndarray, pose: HeadPose, avatar: Avatar) -> np.ndarray:
    """Canonical points [n,3] of the avatar in pixels [n,2] of its own camera."""
    camera = avatar.camera
    posed = (points - avatar.pivot) @ pose.matrix().T + avatar.pivot + np.array(pose.translation)
    pixels = (posed @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]) @ camera.K.T
    return np.asarray(pixels[:, :2] / np.maximum(pixels[:, 2:], 1e-6))


def _landmarks(avatar: Avatar, renderer: Renderer) -> list[tuple[HeadPose, np.ndarray]]:
    """Head pose and where the rigid landmarks [n,2] are then, in pixels from the picture's corner."""
    rest = np.median(np.array(avatar.header.get("template", {}).get("head") or [[0.0] * 6], float), 0)
    tracker = FaceTracker(load_networks(find_networks()))
    found = []
    for pitch, yaw in VIEWS:
        pose = HeadPose.from_array(rest + np.array([pitch, yaw, 0, 0, 0, 0]))
        drawn = renderer.render_srgb8(MotionState(avatar.rest_action_units, head=pose)).astype(np.float32)
        alpha = drawn[..., 3:] / 255
        tracker.reset()
        face = tracker.track((drawn[..., :3] * alpha + 128 * (1 - alpha) + 0.5).astype(np.uint8))
        if face is not None:
            found.append((pose, np.asarray(face.landmarks[list(RIGID), :2], float) + 0.5))
    if len(found) < FEWEST_VIEWS:
        raise HMTalkerError(
            f"No face can be found in pictures of the avatar {avatar.name}, so that it cannot be laid onto this "
            "footage; give the dataset that it was trained on."
        )
    return found
