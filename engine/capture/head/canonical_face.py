# SPDX-License-Identifier: GPL-3.0-or-later
"""The generic face that a person's head is solved from: 478 landmarks in metres, and which of them are solved for."""

from __future__ import annotations

from functools import cache

import numpy as np

from .canonical_mesh import canonical_points

LANDMARKS = 478
MESH = 468
"""Landmarks of the skin; the others are the irises'."""
EYE_CORNERS = ((33, 133), (362, 263))
"""Outer and inner corner of the eye on the left and on the right of the picture."""
IRIS_RADIUS = 0.0059
"""Metres (adults' irises are 11.7 mm wide, give or take 0.5 mm)."""

_MIDDLE = (10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 2, 152, 199)
_LEFT = (
    *(109, 67, 103, 54, 21, 162, 127, 234, 93, 132, 58, 172, 150),
    *(69, 104, 68, 107, 139, 143, 33, 133, 122, 196, 114, 198, 49, 98, 100, 50, 101, 117, 123, 61),
)
_RIGHT = (
    *(338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 379),
    *(299, 333, 298, 336, 368, 372, 263, 362, 351, 419, 343, 420, 279, 327, 329, 280, 330, 346, 352, 291),
)
SOLVED_LANDMARKS = (*_MIDDLE, *_LEFT, *_RIGHT)
"""Landmarks that head tracking uses: bone-backed ones, and enough of jaw and mouth to give the mesh its shape."""
SOFT_LANDMARKS = frozenset((152, 199, 2, 61, 291, 172, 397, 150, 379, 58, 288, 132, 361, 98, 327))
"""Those of them that the jaw, the lips or the nostrils move."""

FLOW_LANDMARKS = (
    *(151, 9, 8, 168, 6, 197, 195, 4),
    *(108, 69, 104, 122, 236, 198, 47, 100, 36, 50, 117, 116, 123, 143),
    *(337, 299, 333, 351, 456, 420, 277, 329, 266, 280, 346, 345, 352, 372),
)
"""Landmarks near which optical flow follows points of the skin: forehead, nose, cheekbones."""
_HAIR = tuple((0.001 * x, y) for y in (0.087, 0.097, 0.106) for x in (-36, -12, 12, 36))
_EARS = tuple((side * 0.001 * x, y) for x, y in ((79, 0.03), (79, 0.015), (78, 0.0), (83, 0.022)) for side in (-1, 1))


@cache
def canonical_face() -> np.ndarray:
    """float64 [478,3] metres: x right in the image, y up, z toward the camera. The irises are ours: in the middle of
    the eye, as deep as its inner corner."""
    skin = canonical_points()
    face = np.concatenate([skin, np.zeros((LANDMARKS - MESH, 3))])
    for first, (outer, inner), (upper, lower) in ((468, EYE_CORNERS[0], (159, 145)), (473, (263, 362), (386, 374))):
        middle = skin[[outer, inner, upper, lower]].mean(0)
        middle[2] = skin[[upper, lower], 2].mean()
        face[first : first + 5] = middle
        # centre, right, top, left, bottom, as seen in the picture
        face[first + 1 : first + 5, :2] += IRIS_RADIUS * np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    face.setflags(write=False)
    return face


@cache
def flow_places() -> np.ndarray:
    """float64 [56,3] metres: where optical flow follows the head: FLOW_LANDMARKS, 12 places of the hair above the
    forehead and 8 of the ears, which no expression moves, at a typical depth."""
    face = canonical_face()[list(FLOW_LANDMARKS)]
    hair = [(x, y, depth_above(y)) for x, y in _HAIR]
    ears = [(x, y, -0.025) for x, y in _EARS]
    places = np.concatenate([face, hair, ears])
    places.setflags(write=False)
    return places


def outward(places: np.ndarray) -> np.ndarray:
    """Unit vectors [n,3] that point out of the head at places [n,3], taking the head for an ellipsoid."""
    normals = (places - [0.0, 0.02, -0.04]) / np.square([0.08, 0.13, 0.12])
    return np.asarray(normals / np.linalg.norm(normals, axis=1, keepdims=True))


def depth_above(y: float) -> float:
    """How deep a head's front lies above the top of the canonical face, at height `y` (0.083 on), in metres."""
    return 0.0448 - 0.35 * (y - 0.078) - 12 * (y - 0.078) ** 2


def fitted_mesh(solved: np.ndarray) -> np.ndarray:
    """The whole face of a person, float64 [478,3] metres, from the `solved` places of SOLVED_LANDMARKS [80,3].

    The canonical face, bent smoothly (biharmonic splines) so that those landmarks lie where they were solved.
    """
    from scipy.interpolate import RBFInterpolator

    face = canonical_face()
    known = face[list(SOLVED_LANDMARKS)]
    bend = RBFInterpolator(known, solved - known, kernel="linear", smoothing=1e-4, degree=1)
    return np.asarray(face + bend(face))
