# SPDX-License-Identifier: GPL-3.0-or-later
"""The tri-plane encoding and its gradient in Numba, for training: some rows at a time, without the GIL.

The readable statement of the maths is triplane.TriPlane. A position outside the box has zeros, and no gradient.
"""

from __future__ import annotations

import numpy as np

from ..rasterize.compiled import inlined, kernel
from .config import GridShape

F = np.float32
ZERO, ONE, TWO, HALF = F(0), F(1), F(2), F(0.5)


def table_layout(shape: GridShape) -> np.ndarray:
    """float64 [levels,3] of each level: resolution - 1, entries a side, start in a plane's flat table."""
    return np.array(list(zip(shape.resolutions - 1.0, shape.sides, shape.offsets, strict=False)))


@inlined
def _unit(position, center, half_extent):  # type: ignore[no-untyped-def]
    return (position - center) / (TWO * half_extent) + HALF


@kernel
def encode_rows(positions, center, half_extent, grid, layout, features):  # type: ignore[no-untyped-def]
    """features [n, 3 * levels] of positions [n,3] metres; grid [3,T]; layout: table_layout."""
    levels = layout.shape[0]
    for row in range(positions.shape[0]):
        x = _unit(positions[row, 0], center[0], half_extent[0])
        y = _unit(positions[row, 1], center[1], half_extent[1])
        z = _unit(positions[row, 2], center[2], half_extent[2])
        if not (x >= ZERO and x <= ONE and y >= ZERO and y <= ONE and z >= ZERO and z <= ONE):
            features[row] = ZERO
            continue
        for level in range(levels):
            span, side, start = F(layout[level, 0]), int(layout[level, 1]), int(layout[level, 2])
            ax, ay, az = x * span + HALF, y * span + HALF, z * span + HALF
            ix, iy, iz = int(ax), int(ay), int(az)
            fx, fy, fz = ax - F(ix), ay - F(iy), az - F(iz)
            for plane in range(3):
                # Planes xy, yz, xz: the first axis runs along a table's rows, the second across them.
                column, along = (iy, fy) if plane == 1 else (ix, fx)
                line, across = (iy, fy) if plane == 0 else (iz, fz)
                at = start + line * side + column
                low = grid[plane, at] + (grid[plane, at + 1] - grid[plane, at]) * along
                high = grid[plane, at + side] + (grid[plane, at + side + 1] - grid[plane, at + side]) * along
                features[row, plane * levels + level] = low + (high - low) * across


@kernel
def encode_gradient_rows(positions, center, half_extent, grid, layout, upstream, d_grid, d_positions):  # type: ignore[no-untyped-def]
    """Add to d_grid [3,T], and fill d_positions [n,3], from upstream [n, 3 * levels]. An empty d_grid is left alone."""
    levels = layout.shape[0]
    tables = d_grid.shape[1] > 0
    for row in range(positions.shape[0]):
        x = _unit(positions[row, 0], center[0], half_extent[0])
        y = _unit(positions[row, 1], center[1], half_extent[1])
        z = _unit(positions[row, 2], center[2], half_extent[2])
        dx, dy, dz = ZERO, ZERO, ZERO
        if x >= ZERO and x <= ONE and y >= ZERO and y <= ONE and z >= ZERO and z <= ONE:
            for level in range(levels):
                span, side, start = F(layout[level, 0]), int(layout[level, 1]), int(layout[level, 2])
                ax, ay, az = x * span + HALF, y * span + HALF, z * span + HALF
                ix, iy, iz = int(ax), int(ay), int(az)
                fx, fy, fz = ax - F(ix), ay - F(iy), az - F(iz)
                for plane in range(3):
                    column, along = (iy, fy) if plane == 1 else (ix, fx)
                    line, across = (iy, fy) if plane == 0 else (iz, fz)
                    at = start + line * side + column
                    v00, v01 = grid[plane, at], grid[plane, at + 1]
                    v10, v11 = grid[plane, at + side], grid[plane, at + side + 1]
                    g = upstream[row, plane * levels + level]
                    if tables:
                        lower, upper = g * (ONE - across), g * across
                        d_grid[plane, at] += lower * (ONE - along)
                        d_grid[plane, at + 1] += lower * along
                        d_grid[plane, at + side] += upper * (ONE - along)
                        d_grid[plane, at + side + 1] += upper * along
                    d_along = g * span * ((v01 - v00) * (ONE - across) + (v11 - v10) * across)
                    d_across = g * span * ((v10 - v00) * (ONE - along) + (v11 - v01) * along)
                    if plane == 0:
                        dx += d_along
                        dy += d_across
                    elif plane == 1:
                        dy += d_along
                        dz += d_across
                    else:
                        dx += d_along
                        dz += d_across
        d_positions[row, 0] = dx / (TWO * half_extent[0])
        d_positions[row, 1] = dy / (TWO * half_extent[1])
        d_positions[row, 2] = dz / (TWO * half_extent[2])
