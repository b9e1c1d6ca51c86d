# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of the surroundings lights each vertex (ambient occlusion), and where a lamp's light is blocked.

Both look at the head from the side of the light, as a shadow map does, and ask for each vertex whether it is seen.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numba import njit

from hmtalker.capture.curves.arkit_action_units import ARKIT_NAMES

from .figure import Figure
from .raster import HAIR, draw_opaque, vertex_normals

SIZE = 256
"""Cells along the side of a shadow map."""
RADIUS = 0.21
"""Metres around the middle of the head that cast and catch shadows."""
_DIRECTIONS = 24
_MIDDLE = np.array([0.0, -0.03, -0.07])  # of the head, from the eyes
_RELAXED = {"eyeBlinkLeft": 0.95, "eyeBlinkRight": 0.95, "browInnerUp": 0.6, "jawOpen": 0.3}


@njit(cache=True, nogil=True, fastmath=True)
def _seen(screen, normals, toward, map_, margin, soft, seen):
    """seen [V]: share of the cells around each vertex that nothing nearer covers; off the map all is seen."""
    height, width = map_.shape
    for v in range(screen.shape[0]):
        # a step along the normal, so that a surface does not shade itself
        x, y = int(screen[v, 0]), int(screen[v, 1])
        if x < soft or y < soft or x >= width - soft or y >= height - soft:
            seen[v] = 1.0
            continue
        facing = normals[v, 0] * toward[0] + normals[v, 1] * toward[1] + normals[v, 2] * toward[2]
        z = screen[v, 2] + margin * (2.0 - abs(facing))
        count = 0
        for dy in range(-soft, soft + 1):
            for dx in range(-soft, soft + 1):
                count += map_[y + dy, x + dx] <= z
        seen[v] = count / (2 * soft + 1) ** 2


class ShadowMap:
    """Looks at a figure's points from the direction of a lamp."""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        self._map, self._ids = np.empty((SIZE, SIZE), np.float32), np.empty((SIZE, SIZE), np.int32)
        self._levels = np.zeros(len(figure.triangles), np.uint8)
        hair = np.flatnonzero([look.counts_as == HAIR for look in figure.looks])
        rows = np.flatnonzero(np.isin(figure.material, hair))
        self._hair = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, 0)

    def seen(
        self, points: np.ndarray, normals: np.ndarray, middle: np.ndarray, toward: np.ndarray, soft: int, margin: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """[V] what reaches each vertex past all that is opaque, and past the hair too (taken as opaque)."""
        forward = toward / np.linalg.norm(toward)
        side = np.cross([0.0, 1.0, 0.1], forward)
        side /= np.linalg.norm(side)
        axes = np.stack([side, np.cross(forward, side), forward]).astype(np.float32)
        local = (points - np.asarray(middle, np.float32)) @ axes.T
        screen = np.empty_like(local)
        screen[:, 0] = (local[:, 0] / RADIUS + 1) * (SIZE / 2)
        screen[:, 1] = (1 - local[:, 1] / RADIUS) * (SIZE / 2)
        screen[:, 2] = local[:, 2] + 10.0
        self._map[:] = 0
        f, t = self.figure, self.figure.tables
        results = []
        for first, last in ((0, f.first_card), self._hair):
            draw_opaque(
                screen, f.triangles, first, last, f.uvs, f.material, t["two_sided"], t["textures"], t["table"],
                self._map, self._ids, self._levels,
            )  # fmt: skip
            seen = np.empty(len(points), np.float32)
            _seen(screen, normals, axes[2], self._map, margin, soft, seen)
            results.append(seen)
        return results[0], results[1]


def with_openness(figure: Figure) -> Figure:
    """The figure with its openness found: the mean over directions, the better of two expressions."""
    shadows, is_hair = ShadowMap(figure), hair_vertices(figure)
    best = np.zeros(len(figure.points), np.float32)
    relaxed = np.array([_RELAXED.get(name, 0.0) for name in ARKIT_NAMES], np.float32)
    for weights in (np.zeros_like(relaxed), relaxed):
        points = (figure.points + np.tensordot(weights, figure.deltas, 1)).astype(np.float32)
        normals = vertex_normals(points, figure.triangles)
        total, light = np.full(len(points), 1e-3, np.float32), np.full(len(points), 1e-3, np.float32)
        for index in range(_DIRECTIONS):  # evenly over the sphere (Fibonacci lattice)
            height = 1 - (2 * index + 1) / _DIRECTIONS
            turn = index * math.pi * (3 - math.sqrt(5))
            ring = math.sqrt(1 - height**2)
            toward = np.array([ring * math.cos(turn), height, ring * math.sin(turn)])
            facing = normals @ toward.astype(np.float32)
            facing = np.where(is_hair, np.abs(facing), np.maximum(facing, 0)) * (1.25 + height)
            past_solid, past_hair = shadows.seen(points, normals, _MIDDLE, toward, 1, 0.002)
            total += facing
            light += facing * 0.5 * (past_solid + past_hair)
        best = np.maximum(best, light / total)
    # light bounces: what is hidden is not black
    open_ = np.clip(0.25 + 0.75 * best / 0.85, 0, 1)
    return replace(figure, openness=(open_ * figure.openness).astype(np.float32))


def hair_vertices(figure: Figure) -> np.ndarray:
    """[V] bool."""
    hair = np.zeros(len(figure.points), bool)
    for index, look in enumerate(figure.looks):
        if look.counts_as == HAIR:
            hair[figure.triangles[figure.material == index]] = True
    return hair
