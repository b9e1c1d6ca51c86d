# SPDX-License-Identifier: GPL-3.0-or-later
"""One step of Catmull-Clark subdivision (Catmull, Clark 1978) as a matrix, so that shapes are subdivided with it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix, diags, vstack


class Subdivided(NamedTuple):
    """matrix [new, old] takes old vertices to new ones; quads [4F,4] index new ones; uvs [4F,4,2] of every corner."""

    matrix: csr_matrix
    quads: np.ndarray
    uvs: np.ndarray


def _incidence(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> csr_matrix:
    return csr_matrix((np.ones(rows.size), (rows.ravel(), columns.ravel())), shape)


def subdivide(quads: np.ndarray, uvs: np.ndarray, count: int) -> Subdivided:
    """quads [F,4] indices of `count` vertices, uvs [F,4,2]. Borders keep to themselves; unused vertices stay."""
    faces = len(quads)
    ends = np.sort(np.stack([quads, np.roll(quads, -1, 1)], 2).reshape(-1, 2), 1)
    keys, edge_of = np.unique(ends @ np.array([count, 1]), return_inverse=True)
    edge_of = edge_of.reshape(faces, 4)
    low_high = np.stack([keys // count, keys % count], 1)
    every = np.repeat(np.arange(len(keys))[:, None], 2, 1)
    every_face = np.repeat(np.arange(faces)[:, None], 4, 1)
    sharing = np.bincount(edge_of.ravel(), minlength=len(keys))

    centres = _incidence(every_face, quads, (faces, count)) / 4
    middles = _incidence(every, low_high, (len(keys), count)) / 2
    around = diags(1 / sharing) @ _incidence(edge_of, every_face, (len(keys), faces)) @ centres
    inner = np.where(sharing == 2, 0.5, 0.0)
    edge_points = diags(1 - inner) @ middles + diags(inner) @ around

    valence = np.bincount(quads.ravel(), minlength=count)
    n = np.maximum(valence, 1)
    of_faces = diags(1 / n) @ _incidence(quads, every_face, (count, faces)) @ centres
    of_edges = _incidence(low_high, every, (count, len(keys)))
    of_edges = diags(1 / np.maximum(np.asarray(of_edges.sum(1)).ravel(), 1)) @ of_edges @ middles
    border = sharing == 1
    of_border = _incidence(low_high[border], every[border], (count, len(keys)))
    borders = np.asarray(of_border.sum(1)).ravel()
    along = diags(0.5 / np.maximum(borders, 1)) @ of_border @ middles
    # inside: (faces + 2 edges + (n - 3) itself) / n; on a border: half its neighbours' middles, half itself
    is_border, used = borders > 0, valence > 0
    smooth = (used & ~is_border).astype(float)
    itself = np.where(used, np.where(is_border, 0.5, (n - 3) / n), 1.0)
    vertex_points = (
        diags(smooth / n) @ of_faces + diags(2 * smooth / n) @ of_edges + diags(is_border * 1.0) @ along + diags(itself)
    )
    matrix = vstack([vertex_points, edge_points, centres]).tocsr().astype(np.float32)

    edge_ids = count + edge_of
    centre_ids = np.repeat((count + len(keys) + np.arange(faces))[:, None], 4, 1)
    new = np.stack([quads, edge_ids, centre_ids, np.roll(edge_ids, 1, 1)], 2)
    uv_middle = 0.5 * (uvs + np.roll(uvs, -1, 1))
    uv_centre = np.repeat(uvs.mean(1, keepdims=True), 4, 1)
    new_uvs = np.stack([uvs, uv_middle, uv_centre, np.roll(uv_middle, 1, 1)], 2)
    return Subdivided(matrix, new.reshape(-1, 4), new_uvs.reshape(-1, 4, 2))


def triangulate(quads: np.ndarray, uvs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangles [T,3] and their uvs [T,3,2] of quads [F,4]; empty ones are left out."""
    corners = np.array([[0, 1, 2], [0, 2, 3]])
    triangles, coordinates = quads[:, corners].reshape(-1, 3), uvs[:, corners].reshape(-1, 3, 2)
    a, b, c = triangles.T
    solid = (a != b) & (b != c) & (a != c)
    return triangles[solid], coordinates[solid]


def compact(triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The vertices that triangles [T,3] use, and the triangles that index those."""
    used, inverse = np.unique(triangles, return_inverse=True)
    return used, inverse.reshape(triangles.shape)
