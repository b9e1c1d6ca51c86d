# SPDX-License-Identifier: GPL-3.0-or-later
"""The upper face as seen from the front: pictures of one face in many poses, made comparable cell by cell.

A weak-perspective camera (an affine map from the canonical face to the picture) is fitted to the landmarks; each cell
of a grid on the canonical face then takes its colour from where that map puts it. Landmarks may be some pixels off:
that shifts the picture on the grid, but the way back, from the grid to the picture, is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from .canonical_face import SOFT_LANDMARKS, SOLVED_LANDMARKS, canonical_face
from .canonical_mesh import canonical_triangles

CELL = 0.001
"""Metres between the grid's cells, about 1.2 cells a pixel for a face 130 px high."""
LOW, HIGH = np.array([-0.088, -0.034]), np.array([0.088, 0.112])
"""Corners of the grid in canonical x and y: the head above the upper lip, with its ears and some hair."""
TOP = 0.078
"""Above this height the head falls back behind the canonical face's upper edge."""
SMALLEST = 0.15
"""Pixels a cell, below which nothing can be followed (a face some 25 px high)."""
BLUR = 6.0
"""Cells over which brightness and contrast are evened out, so that turning in the light does not look like motion."""
CONTRAST_FLOOR = 4.0
"""Grey levels; contrast below is noise, and is not raised to the same level."""
GAIN = 40.0

_ANCHORS = np.array([number for number in SOLVED_LANDMARKS if number not in SOFT_LANDMARKS])


@dataclass
class FrontalView:
    """One frame's upper face on the grid."""

    grey: np.ndarray
    """uint8 [rows, columns], brightness and contrast evened out."""
    affine: np.ndarray
    """float64 [2,4]: canonical x, y, z (metres) and 1 -> pixels of the picture."""
    direction: np.ndarray
    """[3] unit vector to the camera in the head's axes, roughly."""

    def to_picture(self, cells: np.ndarray) -> np.ndarray:
        """float64 [n,2]: grid positions (column, row) -> pixels."""
        x, y = LOW[0] + CELL * cells[:, 0], HIGH[1] - CELL * cells[:, 1]
        z = _bilinear(depth_grid(), cells)
        return np.stack([x, y, z, np.ones_like(x)], axis=1) @ self.affine.T

    def to_cells(self, pixels: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """float64 [n,2]: where landmarks `numbers` at `pixels` [n,2] lie on the grid, at the canonical depth."""
        depth = canonical_face()[numbers, 2:]
        flat = pixels - depth * self.affine[:, 2] - self.affine[:, 3]
        return cells_of(np.linalg.solve(self.affine[:, :2], flat.T).T)


def frontal_view(image: np.ndarray, landmarks: np.ndarray) -> FrontalView | None:
    """image: uint8 [H,W,3] RGB; landmarks: [478, 2 or more] pixels (0, 0 is the middle of the first pixel). None where
    the face is too small, or lies outside the picture."""
    affine = _fit() @ np.asarray(landmarks, np.float64)[_ANCHORS, :2]
    affine = affine.T
    if not np.isfinite(affine).all():
        return None
    right, up = affine[0, :3], -affine[1, :3]
    size = np.sqrt(np.linalg.norm(right) * np.linalg.norm(up))
    if size * CELL < SMALLEST:
        return None
    direction = np.cross(right, up)
    direction /= np.linalg.norm(direction) + 1e-12
    x, y = _grid()
    depth = depth_grid()
    across, down = (row[0] * x + row[1] * y + row[2] * depth + row[3] for row in affine.astype(np.float32))
    height, width = image.shape[:2]
    left, top = int(np.floor(across.min())) - 2, int(np.floor(down.min())) - 2
    right_edge, bottom = int(np.ceil(across.max())) + 3, int(np.ceil(down.max())) + 3
    left, top = max(left, 0), max(top, 0)
    right_edge, bottom = min(right_edge, width), min(bottom, height)
    # Large faces are averaged down first; a whole number keeps the way back simple.
    shrink = max(1, int(size * CELL))
    columns, rows = (right_edge - left) // shrink, (bottom - top) // shrink
    if columns < 8 or rows < 8:
        return None
    part = cv2.cvtColor(image[top : top + rows * shrink, left : left + columns * shrink], cv2.COLOR_RGB2GRAY)
    if shrink > 1:
        part = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    middle = (shrink - 1) / 2
    across, down = (across - (left + middle)) / shrink, (down - (top + middle)) / shrink
    grey = cv2.remap(part, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return FrontalView(_evened(grey), affine, direction)


@cache
def depth_grid() -> np.ndarray:
    """float32 [rows, columns]: z of the canonical face on the grid, in metres; beyond its edge as at the edge."""
    face, triangles = canonical_face(), canonical_triangles()
    columns, rows = np.round((HIGH - LOW) / CELL).astype(int) + 1
    depth = np.full((rows, columns), -np.inf)
    places = np.stack([(face[:, 0] - LOW[0]) / CELL, (HIGH[1] - face[:, 1]) / CELL], axis=1)
    for triangle in triangles:
        corners, height = places[triangle], face[triangle, 2]
        first = np.maximum(np.floor(corners.min(0)).astype(int), 0)
        last = np.minimum(np.ceil(corners.max(0)).astype(int) + 1, [columns, rows])
        if (last <= first).any():
            continue
        edges = np.array([corners[1] - corners[0], corners[2] - corners[0]]).T
        if abs(np.linalg.det(edges)) < 1e-9:
            continue
        u, v = np.meshgrid(np.arange(first[0], last[0]), np.arange(first[1], last[1]))
        share = np.linalg.inv(edges) @ (np.stack([u.ravel(), v.ravel()]) - corners[0][:, None])
        inside = (share >= -1e-6).all(0) & (share.sum(0) <= 1 + 1e-6)
        z = height[0] + share[0] * (height[1] - height[0]) + share[1] * (height[2] - height[0])
        u, v, z = u.ravel()[inside], v.ravel()[inside], z[inside]
        depth[v, u] = np.maximum(depth[v, u], z)
    outside = ~np.isfinite(depth)
    seen = (~outside).astype(np.uint8)
    # Each outside cell takes the depth of the nearest one inside.
    _, labels = cv2.distanceTransformWithLabels(1 - seen, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    by_label = np.zeros(labels.max() + 1)
    by_label[labels[seen > 0]] = depth[seen > 0]
    depth = np.where(outside, by_label[labels], depth)
    above = np.maximum(HIGH[1] - CELL * np.arange(rows) - TOP, 0)[:, None]
    depth = depth - 0.35 * above - 12 * above**2
    return cv2.GaussianBlur(depth.astype(np.float32), (0, 0), 1.5)


def cells_of(points: np.ndarray) -> np.ndarray:
    """Canonical points [n,3] -> their columns and rows [n,2]."""
    return np.stack([(points[:, 0] - LOW[0]) / CELL, (HIGH[1] - points[:, 1]) / CELL], axis=1)


@cache
def _grid() -> tuple[np.ndarray, np.ndarray]:
    rows, columns = depth_grid().shape
    x, y = LOW[0] + CELL * np.arange(columns), HIGH[1] - CELL * np.arange(rows)
    return x.astype(np.float32)[None], y.astype(np.float32)[:, None]


@cache
def _fit() -> np.ndarray:
    """[4, n] from landmarks to the affine map's columns, by least squares."""
    face = canonical_face()[_ANCHORS]
    return np.linalg.pinv(np.concatenate([face, np.ones((len(face), 1))], axis=1))


def _evened(grey: np.ndarray) -> np.ndarray:
    values = grey.astype(np.float32)
    values -= cv2.GaussianBlur(values, (0, 0), BLUR)
    contrast = np.sqrt(cv2.GaussianBlur(values * values, (0, 0), BLUR))
    return np.clip(values * (GAIN / (contrast + CONTRAST_FLOOR)) + 128, 0, 255).astype(np.uint8)


def _bilinear(values: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """values [rows, columns] at positions (column, row) [n,2]; beyond the edge as at the edge."""
    rows, columns = values.shape
    u, v = np.clip(cells[:, 0], 0, columns - 1), np.clip(cells[:, 1], 0, rows - 1)
    u0, v0 = np.minimum(u.astype(int), columns - 2), np.minimum(v.astype(int), rows - 2)
    a, b = u - u0, v - v0
    upper = (1 - a) * values[v0, u0] + a * values[v0, u0 + 1]
    lower = (1 - a) * values[v0 + 1, u0] + a * values[v0 + 1, u0 + 1]
    return np.asarray((1 - b) * upper + b * lower)
