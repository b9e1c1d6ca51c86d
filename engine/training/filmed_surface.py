# SPDX-License-Identifier: GPL-3.0-or-later
"""A filmed person's surface, guessed from one good frame: where Gaussians start.

The face takes its depth from the head's solved mesh; hair, ears, neck and clothes are rounded off toward their
silhouettes. Pictures then move what was guessed wrongly; a start near the truth spares most of the iterations that a
cloud of random points needs.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..camera import Camera
from ..capture.head.canonical_mesh import canonical_triangles
from ..capture.matte.smooth_fill import extend
from ..head_pose import HeadPose
from .surface import CLOTH, FACE, HAIR, NECK

HEAD_RADIUS = 0.085
"""Metres from the front of the skull to the silhouette, in depth."""
BODY_RADIUS = 0.05
NECK_BEHIND_CHIN = 0.055
"""Metres that the front of the neck lies behind the tip of the chin."""
NECK_BLEND = 0.05
"""Metres below the jaw over which the skin stops turning with the head."""
TUCK = 0.035
"""Metres that neck and clothes go on behind the jaw, for a head that turns or lifts."""
COVERED = 0.5
CHIN = 152


@dataclass(frozen=True)
class Reference:
    """One frame to start from."""

    rgba: np.ndarray
    """uint8 [H,W,4] straight alpha."""
    masks: np.ndarray
    """uint8 [H,W,3] coverage of mouth interior, hair, face; what else alpha covers is neck and clothes."""
    head: np.ndarray
    """[6] HeadPose."""


@dataclass(frozen=True)
class FilmedSurface:
    """P samples in canonical space (metres), as ``surface.Surface`` has them, before any shape is known."""

    positions: np.ndarray
    normals: np.ndarray
    areas: np.ndarray
    regions: np.ndarray
    head_weights: np.ndarray
    colors: np.ndarray


def choose_reference(head: np.ndarray, action_units: np.ndarray, rows: np.ndarray) -> int:
    """The row whose face rests most and whose head is nearest to its mean. head [T,6], action_units [T,17]."""
    angles = np.degrees(head[rows, :3])
    shift = 1000 * (head[rows, 3:] - np.median(head[rows, 3:], 0))
    unrest = np.abs(angles).sum(1) + 0.2 * np.abs(shift).sum(1) + 3 * action_units[rows].sum(1)
    return int(rows[np.argmin(unrest)])


def filmed_surface(
    reference: Reference, mesh: np.ndarray, camera: Camera, pivot: np.ndarray, stride: int = 1
) -> FilmedSurface:
    """mesh: [478,3] metres, the face at rest. stride: pixels between two samples."""
    pose = HeadPose.from_array(reference.head)
    rotation, shift = np.asarray(pose.matrix(), np.float64), np.asarray(reference.head[3:], np.float64)
    posed = (mesh - pivot) @ rotation.T + pivot + shift
    depth, inside = mesh_depth(posed, camera)
    coverage = reference.rgba[..., 3] / 255
    part = reference.masks / 255
    on_head = (part[..., 1] + part[..., 2] + part[..., 0] > COVERED) & (coverage > COVERED)
    on_body = (coverage > COVERED) & ~on_head
    focal = float(camera.K[0, 0])
    metres = float(np.median(depth[inside])) / focal  # a pixel's, at the face

    head_depth = extend(depth, inside.astype(np.float32))
    away = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 5) * metres
    round_off = rounding(cv2.distanceTransform(on_head.astype(np.uint8), cv2.DIST_L2, 5) * metres, HEAD_RADIUS)
    head_depth = head_depth + np.where(inside, 0, round_off * np.clip(away / 0.02, 0, 1))

    chin = camera.world_to_camera[:3, :3] @ posed[CHIN] + camera.world_to_camera[:3, 3]
    body_all = tucked(on_body, on_head, round(TUCK / metres))
    body_depth = (
        chin[2]
        + NECK_BEHIND_CHIN
        + rounding(cv2.distanceTransform((coverage > COVERED).astype(np.uint8), cv2.DIST_L2, 5) * metres, BODY_RADIUS)
    )
    below = cv2.distanceTransform((~on_head).astype(np.uint8), cv2.DIST_L2, 5) * metres
    weight = 1 - smoothstep(below / NECK_BLEND)

    colour = reference.rgba[..., :3].astype(np.float32) / 255
    body_colour = np.where(on_body[..., None], colour, extend(colour, on_body.astype(np.float32)))
    layers = [
        (on_head, head_depth, np.ones_like(head_depth), colour, np.where(part[..., 1] > 0.5, HAIR, FACE)),
        (body_all, body_depth, weight, body_colour, np.where(below < NECK_BLEND, NECK, CLOTH)),
    ]
    samples = [
        _lift(mask, z, share, shade, kind, camera, rotation, shift, pivot, stride)
        for mask, z, share, shade, kind in layers
    ]
    return FilmedSurface(*(np.concatenate(values) for values in zip(*samples, strict=True)))


def mesh_depth(posed: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Depth [H,W] metres of the face mesh (posed [478,3]) and where it is, bool [H,W]."""
    view = posed @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]
    pixels = view @ camera.K.T
    pixels = pixels[:, :2] / pixels[:, 2:]
    depth = np.full((camera.height, camera.width), np.inf)
    for corners in canonical_triangles():
        a, b, c = pixels[corners]
        low = np.maximum(np.floor(np.minimum(np.minimum(a, b), c) - 0.5).astype(int), 0)
        high = np.minimum(np.ceil(np.maximum(np.maximum(a, b), c)).astype(int) + 1, [camera.width, camera.height])
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if (high <= low).any() or area >= 0:  # turned away: y goes down here
            continue
        y, x = np.mgrid[low[1] : high[1], low[0] : high[0]] + 0.5
        v = ((x - a[0]) * (c[1] - a[1]) - (y - a[1]) * (c[0] - a[0])) / area
        w = ((b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])) / area
        hit = (v >= -1e-6) & (w >= -1e-6) & (v + w <= 1 + 1e-6)
        z = view[corners[0], 2] * (1 - v - w) + view[corners[1], 2] * v + view[corners[2], 2] * w
        part = depth[low[1] : high[1], low[0] : high[0]]
        np.minimum(part, np.where(hit, z, np.inf), out=part)
    inside = np.isfinite(depth)
    return np.where(inside, depth, 0).astype(np.float32), inside


def rounding(from_edge: np.ndarray, radius: float) -> np.ndarray:
    """How far a ball's surface lies behind its front, at a distance `from_edge` (metres) inside its silhouette."""
    inward = np.clip(from_edge, 0, radius)
    return np.asarray(radius - np.sqrt(np.maximum(radius**2 - (radius - inward) ** 2, 0)))


def tucked(body: np.ndarray, head: np.ndarray, pixels: int) -> np.ndarray:
    """The body with what of it goes on behind the head: bool [H,W]."""
    reach = np.ones((2 * pixels + 1, 1), np.uint8)
    reach[:pixels] = 0  # only what lies below a pixel is looked at: the neck grows upward
    up = cv2.dilate(body.astype(np.uint8), reach) > 0
    return np.asarray(body | (up & head))


def smoothstep(x: np.ndarray) -> np.ndarray:
    """0 up to 0, 1 from 1 on."""
    x = np.clip(x, 0, 1)
    return np.asarray(x * x * (3 - 2 * x))


def _lift(
    mask: np.ndarray,
    depth: np.ndarray,
    weight: np.ndarray,
    colour: np.ndarray,
    kind: np.ndarray,
    camera: Camera,
    rotation: np.ndarray,
    shift: np.ndarray,
    pivot: np.ndarray,
    stride: int,
) -> tuple[np.ndarray, ...]:
    """Pixels of one layer, brought back from the reference frame's pose to canonical space."""
    pick = np.zeros_like(mask)
    pick[stride // 2 :: stride, stride // 2 :: stride] = True
    rows, columns = np.nonzero(mask & pick)
    focal = float(camera.K[0, 0])
    smooth = cv2.GaussianBlur(depth.astype(np.float32), (0, 0), 1.5)
    z = smooth[rows, columns].astype(np.float64)
    x = (columns + 0.5 - camera.K[0, 2]) / focal * z
    y = (rows + 0.5 - camera.K[1, 2]) / float(camera.K[1, 1]) * z
    # The slope of the depth, in metres a metre, gives the normal.
    slope_x = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=3)[rows, columns] / 8 / (z / focal)
    slope_y = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=3)[rows, columns] / 8 / (z / focal)
    normal = np.stack([slope_x, slope_y, -np.ones_like(slope_x)], 1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    to_world = camera.world_to_camera[:3, :3].T
    world = (np.stack([x, y, z], 1) - camera.world_to_camera[:3, 3]) @ to_world.T
    share = weight[rows, columns].astype(np.float64)
    # posed = (w R + (1 - w) I) (X - pivot) + pivot + w t
    turn = share[:, None, None] * rotation + (1 - share)[:, None, None] * np.eye(3)
    canonical = np.linalg.solve(turn, (world - pivot - share[:, None] * shift)[..., None])[..., 0] + pivot
    facing = np.maximum(-normal[:, 2], 0.3)
    area = (z / focal * stride) ** 2 / facing
    normal = np.linalg.solve(turn, (normal @ to_world.T)[..., None])[..., 0]
    return (
        canonical.astype(np.float32),
        (normal / np.linalg.norm(normal, axis=1, keepdims=True)).astype(np.float32),
        area.astype(np.float32),
        kind[rows, columns].astype(np.uint8),
        share.astype(np.float32),
        colour[rows, columns].astype(np.float32),
    )
