# SPDX-License-Identifier: GPL-3.0-or-later
"""Comb the fringe of MakeHuman's ``bob02`` out of the face: as it comes, it hangs over one eye."""

from __future__ import annotations

import numpy as np
from makehuman import Mesh

# All in MakeHuman decimetres. The skull is taken as an upright elliptic cylinder; only angles about it are changed.
_CENTRE_Z, _HALF_WIDTH, _HALF_DEPTH = 0.45, 0.93, 1.10
_HEIGHTS = np.array([5.60, 6.03, 6.40, 6.71, 6.85, 7.00, 7.20, 7.40, 7.60])
_EDGE_BEFORE = np.array([-0.62, -0.48, -0.26, -0.06, 0.04, 0.14, 0.26, 0.38, 0.40])
_EDGE_AFTER = np.array([-0.66, -0.72, -0.76, -0.73, -0.66, -0.50, -0.14, 0.28, 0.40])
_NAPE_ANGLE = -1.9
_PARTING_X = 0.30


def comb_fringe_aside(mesh: Mesh) -> Mesh:
    """Fitted hair (MakeHuman space) with the fringe swept to the person's right temple.

    Strands turn about the skull's axis until the inner edge of the fringe lies along `_EDGE_AFTER`.
    """
    points = mesh.vertices
    u = points[:, 0] / _HALF_WIDTH
    v = (points[:, 2] - _CENTRE_Z) / _HALF_DEPTH
    angle, radius = np.arctan2(u, v), np.hypot(u, v)
    before = np.arcsin(np.interp(points[:, 1], _HEIGHTS, _EDGE_BEFORE) / _HALF_WIDTH)
    after = np.arcsin(np.interp(points[:, 1], _HEIGHTS, _EDGE_AFTER) / _HALF_WIDTH)
    squeeze = (after - _NAPE_ANGLE) / (before - _NAPE_ANGLE)
    combed = np.where(
        angle <= before,
        _NAPE_ANGLE + (angle - _NAPE_ANGLE) * squeeze,
        after + 0.3 * (angle - before),
    )
    fringe = (angle > _NAPE_ANGLE) & (angle < np.pi / 2) & (points[:, 0] < _PARTING_X)
    angle = np.where(fringe, combed, angle)
    out = points.copy()
    out[:, 0] = radius * np.sin(angle) * _HALF_WIDTH
    out[:, 2] = radius * np.cos(angle) * _HALF_DEPTH + _CENTRE_Z
    return Mesh(out, mesh.uvs, mesh.faces)
