# SPDX-License-Identifier: GPL-3.0-or-later
"""One rigid head before one fixed camera: its projection, the projection's derivatives, and a solved head motion.

The camera's axes here are the canonical ones (x right, y up, z toward the camera), the principal point is given, and
a frame's pose is a rotation R and an offset (x, y, s): point X lands at u = cx + f x' / D, v = cy - f y' / D with
(x', y', z') = R X + (x, y, 0) and depth D = f s - z'. With s (metres per pixel) in place of the distance f s, a change
of focal length alters the perspective only, not the size of the face, which decouples the two in the solver.
A frame's expression adds a few modes, each with an amount, to the rigid shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...camera import Camera

CAMERA_AXES = np.diag([1.0, -1.0, -1.0])
"""From canonical axes to OpenCV's (x right, y down, z forward)."""


@dataclass
class Poses:
    """Poses of T frames, relative to the camera."""

    rotations: np.ndarray
    """float64 [T,3,3], head to canonical axes."""
    offsets: np.ndarray
    """float64 [T,3]: x and y in metres, and the natural logarithm of s in metres per pixel."""
    amounts: np.ndarray
    """float64 [T,E] of the expression modes, in standard deviations; E may be 0."""

    def __getitem__(self, frames: slice | np.ndarray) -> Poses:
        return Poses(self.rotations[frames], self.offsets[frames], self.amounts[frames])

    def moved(self, step: np.ndarray) -> Poses:
        """step: [T,6+E], a rotation vector that is applied after the present rotation, then what is added to offsets
        and amounts."""
        turned = rotation_matrices(step[:, :3]) @ self.rotations
        return Poses(turned, self.offsets + step[:, 3:6], self.amounts + step[:, 6:])

    def translations(self, focal: float) -> np.ndarray:
        """float64 [T,3] metres in canonical axes with the camera at the origin (z is negative in front of it)."""
        return np.concatenate([self.offsets[:, :2], -focal * np.exp(self.offsets[:, 2:])], axis=1)


def rotation_matrices(vectors: np.ndarray) -> np.ndarray:
    """Rotation vectors [T,3] (radians) to matrices [T,3,3], by Rodrigues' formula."""
    angle = np.linalg.norm(vectors, axis=1)[:, None, None]
    x, y, z = np.asarray(vectors, np.float64).T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    # sinc keeps both factors smooth at zero.
    half = np.sinc(angle / (2 * np.pi))
    return np.asarray(np.eye(3) + np.sinc(angle / np.pi) * cross + 0.5 * half * half * (cross @ cross))


def rotation_vectors(matrices: np.ndarray) -> np.ndarray:
    """The inverse of :func:`rotation_matrices` for angles below half a turn; [T,3,3] to [T,3]."""
    m = matrices
    axis = np.stack([m[:, 2, 1] - m[:, 1, 2], m[:, 0, 2] - m[:, 2, 0], m[:, 1, 0] - m[:, 0, 1]], axis=1) / 2
    sine = np.linalg.norm(axis, axis=1)
    angle = np.arctan2(sine, (np.trace(m, axis1=1, axis2=2) - 1) / 2)
    return np.asarray(axis * np.where(sine > 1e-9, angle / np.maximum(sine, 1e-9), 1.0)[:, None])


def nearest_rotations(matrices: np.ndarray) -> np.ndarray:
    """The rotations [...,3,3] closest to any matrices [...,3,3]."""
    u, _, v = np.linalg.svd(matrices)
    u[..., :, 2] *= np.linalg.det(u @ v)[..., None]
    return np.asarray(u @ v)


@dataclass
class Head:
    """What all frames share."""

    shape: np.ndarray
    """float64 [P,3] metres."""
    modes: np.ndarray
    """float64 [E,P,3] metres: how the points move with expressions, one standard deviation each."""
    focal: float
    """Pixels."""

    def points(self, poses: Poses) -> np.ndarray:
        """float64 [T,3,P]: the shape with each frame's expression, turned but not moved."""
        count = len(self.shape)
        bent = self.shape.T.reshape(1, -1)
        if len(self.modes):
            bent = bent + poses.amounts @ self.modes.transpose(0, 2, 1).reshape(len(self.modes), -1)
        return np.asarray(poses.rotations @ bent.reshape(-1, 3, count))


def project(head: Head, poses: Poses, centre: np.ndarray) -> np.ndarray:
    """Pixels [T,2,P] of the head's points; `centre`: the principal point [2] in pixels."""
    points = head.points(poses)
    depth = head.focal * np.exp(poses.offsets[:, 2:]) - points[:, 2]
    xy = points[:, :2] + poses.offsets[:, :2, None]
    return np.asarray(centre[:, None] + head.focal * xy * [[1], [-1]] / depth[:, None])


@dataclass
class Derivatives:
    """Of the projected pixels, at one state; landmarks are the last axis, where numpy is fastest."""

    pixels: np.ndarray
    """[T,2,P]"""
    pose: np.ndarray
    """[T,6+E,2,P], by the step of :meth:`Poses.moved`."""
    point: np.ndarray
    """[T,3,2,P], by the point's position before rotation."""
    focal: np.ndarray
    """[T,2,P], by the logarithm of the focal length."""


def differentiate(head: Head, poses: Poses, centre: np.ndarray) -> Derivatives:
    """:func:`project` with its analytic derivatives."""
    focal, turned = head.focal, head.points(poses)
    px, py, pz = turned[:, 0], turned[:, 1], turned[:, 2]
    distance = focal * np.exp(poses.offsets[:, 2:])
    depth = distance - pz
    gain = focal / depth
    relative = np.stack(
        [gain * (px + poses.offsets[:, :1]), -gain * (py + poses.offsets[:, 1:2])],
        axis=1,
    )
    # u changes by (gain, 0, ux) with the turned point, v by (0, -gain, vx); a . (w x p) = w . (p x a).
    by_z = relative / depth[:, None]
    ux, vx = by_z[:, 0], by_z[:, 1]
    by_pose = np.zeros((len(turned), 6 + len(head.modes), *relative.shape[1:]))
    by_pose[:, 0, 0] = py * ux
    by_pose[:, 1, 0] = pz * gain - px * ux
    by_pose[:, 2, 0] = -py * gain
    by_pose[:, 0, 1] = py * vx + pz * gain
    by_pose[:, 1, 1] = -px * vx
    by_pose[:, 2, 1] = -px * gain
    by_pose[:, 3, 0] = gain
    by_pose[:, 4, 1] = -gain
    by_pose[:, 5] = -relative * (distance / depth)[:, None]
    by_focal = -relative * (pz / depth)[:, None]
    r = poses.rotations[..., None]
    by_point = r[:, 2, :, None] * by_z[:, None]
    by_point[:, :, 0] += r[:, 0] * gain[:, None]
    by_point[:, :, 1] -= r[:, 1] * gain[:, None]
    for axis in range(3):
        by_pose[:, 6:] += head.modes[:, None, :, axis] * by_point[:, axis, None]
    return Derivatives(centre[:, None] + relative, by_pose, by_point, by_focal)


@dataclass
class Jitter:
    """Root mean square of the second difference from frame to frame within clips (of the vector's length)."""

    degrees: float
    millimetres: float


def jitter(rotations: np.ndarray, translations: np.ndarray, clips: np.ndarray) -> Jitter:
    """rotations [T,3,3], translations [T,3] metres, clips [T]: frames of one clip are neighbours in time."""
    inside = (clips[2:] == clips[1:-1]) & (clips[1:-1] == clips[:-2])
    if not inside.any():
        return Jitter(float("nan"), float("nan"))
    turn = rotation_vectors(rotations[1:] @ rotations[:-1].transpose(0, 2, 1))
    angle, shift = np.diff(turn, axis=0)[inside], np.diff(translations, n=2, axis=0)[inside]
    size = [float(np.sqrt((values**2).sum(1).mean())) for values in (angle, shift)]
    return Jitter(float(np.degrees(size[0])), 1000 * size[1])


@dataclass
class HeadMotion:
    """What bundle adjustment found: a person's rigid shape, the camera's lens, and where the head is in each frame."""

    shape: np.ndarray
    """float64 [L,3] metres, canonical axes."""
    focal: float
    """Pixels."""
    centre: np.ndarray
    """float64 [2], the principal point in pixels."""
    rotations: np.ndarray
    """float64 [T,3,3], head to the camera's canonical axes."""
    translations: np.ndarray
    """float64 [T,3] metres: where the head's origin is, the camera being at the origin and looking along -z."""
    interpolated: np.ndarray
    """bool [T]: no usable face; the pose comes from the frame's neighbours."""
    errors: np.ndarray
    """float32 [T] pixels: the median distance from a rigid landmark to the projected shape; NaN without a face."""
    deviation: np.ndarray
    """float64 [P] pixels by which each point strays from the rigid head, as it was weighted."""
    jitter: Jitter
    seconds: float = 0.0
    """How long solving took."""

    def _mean(self) -> tuple[np.ndarray, np.ndarray]:
        seen = ~self.interpolated
        return nearest_rotations(self.rotations[seen].mean(0)), self.translations[seen].mean(0)

    def camera(self, width: int, height: int) -> Camera:
        """The fixed camera, as seen from the head's mean pose, which is the unposed head of :meth:`head_poses`."""
        rotation, translation = self._mean()
        K = np.array([[self.focal, 0, self.centre[0]], [0, self.focal, self.centre[1]], [0, 0, 1.0]])
        world_to_camera = np.eye(4)
        world_to_camera[:3, :3] = CAMERA_AXES @ rotation
        world_to_camera[:3, 3] = CAMERA_AXES @ translation
        return Camera(width, height, K, world_to_camera)

    def head_poses(self, pivot: np.ndarray) -> np.ndarray:
        """float64 [T,6] pitch, yaw, roll (radians), x, y, z (metres) about `pivot` [3], as HeadPose takes them."""
        rotation, translation = self._mean()
        turn = rotation.T @ self.rotations
        shift = (self.translations - translation) @ rotation + turn @ pivot - pivot
        pitch = np.arcsin(np.clip(-turn[:, 1, 2], -1, 1))
        yaw = np.arctan2(turn[:, 0, 2], turn[:, 2, 2])
        roll = np.arctan2(turn[:, 1, 0], turn[:, 1, 1])
        return np.concatenate([np.stack([pitch, yaw, roll], axis=1), shift], axis=1)
