# SPDX-License-Identifier: GPL-3.0-or-later
"""A z-buffer rasterizer for heads: what is seen at `SAMPLES` x `SAMPLES` points of every pixel. Light is in `shading`.

Everything runs on one core, without the interpreter lock.

Axes are the camera's canonical ones (x right, y up, z toward the camera), so depth is -z. `screen` holds, per vertex,
x and y in samples (the picture's corner is 0, 0) and 1 / depth, which is linear on the screen.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

SAMPLES = 2
"""Points along each side of a pixel at which it is decided what is seen."""
SKIN, HAIR, MOUTH, BODY, FACE = range(5)
"""What a material counts as in the masks. SKIN is face or neck, by the vertex's face weight."""
CLASSES = 4
"""Channels of the masks: face, hair, mouth interior, neck and torso."""


@njit(cache=True, nogil=True, fastmath=True)
def vertex_normals(points, triangles):
    """Unit normals [V,3], mean of the triangles around a vertex by area."""
    normals = np.zeros_like(points)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ux, uy, uz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
        vx, vy, vz = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1], points[c, 2] - points[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for v in (a, b, c):
            normals[v, 0] += nx
            normals[v, 1] += ny
            normals[v, 2] += nz
    for v in range(points.shape[0]):
        x, y, z = normals[v, 0], normals[v, 1], normals[v, 2]
        scale = 1.0 / max(math.sqrt(x * x + y * y + z * z), 1e-20)
        normals[v, 0] = x * scale
        normals[v, 1] = y * scale
        normals[v, 2] = z * scale
    return normals


@njit(cache=True, nogil=True, fastmath=True)
def project(points, sunk, focal_x, focal_y, centre_x, centre_y):
    """Camera points [V,3] to `screen` [V,3]; 1 / depth is 0 for points less than 2 cm before the camera.

    sunk [V]: metres by which a point counts as farther away than it is.
    """
    screen = np.empty_like(points)
    for v in range(points.shape[0]):
        depth = -points[v, 2]
        if depth < 0.02:
            screen[v, 0] = screen[v, 1] = screen[v, 2] = 0.0
            continue
        near = 1.0 / depth
        screen[v, 0] = (focal_x * points[v, 0] * near + centre_x) * SAMPLES
        screen[v, 1] = (centre_y - focal_y * points[v, 1] * near) * SAMPLES
        screen[v, 2] = 1.0 / (depth + sunk[v])
    return screen


@njit(cache=True, nogil=True, fastmath=True)
def mip_level(area, uvs, t, table, texture, per):
    """Mip level at which a texel is about one sample of the shading."""
    du1, dv1 = uvs[t, 1, 0] - uvs[t, 0, 0], uvs[t, 1, 1] - uvs[t, 0, 1]
    du2, dv2 = uvs[t, 2, 0] - uvs[t, 0, 0], uvs[t, 2, 1] - uvs[t, 0, 1]
    texels = abs(du1 * dv2 - du2 * dv1) * table[texture, 0, 1] * table[texture, 0, 2]
    ratio = texels * per / max(abs(area), 1e-9)
    level = 0
    while ratio > 2.0 and level + 1 < table.shape[1] and table[texture, level + 1, 1] > 0:
        ratio *= 0.25
        level += 1
    return level


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def row_span(wbx, wby, wcx, wcy, py, ax, x0, x1):
    """First and last sample of a row within a triangle whose barycentrics grow by (wbx, wby) and (wcx, wcy)."""
    low, high = x0 + 0.5 - ax, x1 + 0.5 - ax
    slack = 1e-4  # samples; neighbours leave no crack between them
    for side in range(3):
        if side == 0:
            slope, base = wbx, wby * py
        elif side == 1:
            slope, base = wcx, wcy * py
        else:
            slope, base = -wbx - wcx, 1.0 - (wby + wcy) * py
        if slope > 1e-12:
            low = max(low, -base / slope - slack)
        elif slope < -1e-12:
            high = min(high, -base / slope + slack)
        elif base < 0:
            high = low - 2
    return math.ceil(low + ax - 0.5), math.floor(high + ax - 0.5)


@njit(cache=True, nogil=True, fastmath=True)
def draw_opaque(screen, triangles, first, last, uvs, material, two_sided, textures, table, nearest, ids, levels):
    """Triangles first..last into `nearest` (1 / depth, 0 where nothing is) and `ids` (-1 where nothing is)."""
    height, width = nearest.shape
    for t in range(first, last):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        za, zb, zc = screen[a, 2], screen[b, 2], screen[c, 2]
        if za <= 0 or zb <= 0 or zc <= 0:
            continue
        ax, ay, bx, by, cx, cy = screen[a, 0], screen[a, 1], screen[b, 0], screen[b, 1], screen[c, 0], screen[c, 1]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if area >= -1e-7:
            if area <= 1e-7 or not two_sided[material[t]]:
                continue
            bx, by, zb, cx, cy, zc = cx, cy, zc, bx, by, zb
            area = -area
        x0 = max(math.ceil(min(ax, bx, cx) - 0.5), 0)
        x1 = min(math.floor(max(ax, bx, cx) - 0.5), width - 1)
        y0 = max(math.ceil(min(ay, by, cy) - 0.5), 0)
        y1 = min(math.floor(max(ay, by, cy) - 0.5), height - 1)
        if x0 > x1 or y0 > y1:
            continue
        levels[t] = mip_level(area, uvs, t, table, textures[material[t]], SAMPLES * SAMPLES)
        scale = 1.0 / area
        # barycentrics of b and c are linear on the screen
        wbx, wby = (cy - ay) * scale, -(cx - ax) * scale
        wcx, wcy = -(by - ay) * scale, (bx - ax) * scale
        zx, zy = wbx * (zb - za) + wcx * (zc - za), wby * (zb - za) + wcy * (zc - za)
        for y in range(y0, y1 + 1):
            py = y + 0.5 - ay
            first_x, last_x = row_span(wbx, wby, wcx, wcy, py, ax, x0, x1)
            z = za + (first_x + 0.5 - ax) * zx + py * zy - zx
            for x in range(first_x, last_x + 1):
                z += zx
                if z > nearest[y, x]:
                    nearest[y, x] = z
                    ids[y, x] = t
