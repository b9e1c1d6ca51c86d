# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole head as one set of Gaussians with its spherical harmonics, for programs that draw Gaussians themselves.

A frame of this engine evaluates colours for its own camera; another program needs the harmonics, turned as the head has
turned. Colours of degree 2 turned by any rotation are colours of degree 2 again, so they are found exactly by looking
at each Gaussian from a few directions.
"""

from __future__ import annotations

import numpy as np

from .gaussians import sh as spherical_harmonics
from .gaussians.gaussian_set import SH_COEFFICIENTS, GaussianSet
from .head_pose import HeadPose, quaternion_from_matrix
from .motion.state import MotionState
from .rasterize import Splats
from .render import Renderer

UPRIGHT = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""From canonical axes (y up, z toward the viewer) to Blender's (z up, the face looks along -y)."""
CHUNK = 8192

_DIRECTIONS = np.array(
    [(x, y, z) for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1) if (x, y, z) > (0, 0, 0)], np.float64
)
_DIRECTIONS /= np.linalg.norm(_DIRECTIONS, axis=1, keepdims=True)


def posed_gaussians(
    renderer: Renderer, state: MotionState, axes: np.ndarray | None = None
) -> tuple[Splats, np.ndarray]:
    """Face and mouth Gaussians as `state` moves them, in metres, and their SH [N,K,3] as they have turned.

    axes: [3,3] rotation that the whole head is turned by in the end; None: canonical axes. Colours of the Splats are
    what the avatar's camera sees.
    """
    axes = np.eye(3) if axes is None else np.asarray(axes, np.float64)
    avatar = renderer.avatar
    layers = renderer.posed(state)
    degree = max(avatar.face.sh_degree, avatar.mouth.sh_degree)
    turned = [
        _turned_sh(gaussians, state.head, axes, degree) for gaussians in (avatar.face, avatar.mouth) if gaussians.count
    ]
    joined = {
        name: np.concatenate([getattr(layer, name) for layer in layers])
        for name in ("means", "quaternions", "scales", "opacities", "colors")
    }
    joined["means"] = joined["means"] @ axes.T
    joined["quaternions"] = _turned(quaternion_from_matrix(axes), joined["quaternions"])
    splats = Splats(**{name: np.ascontiguousarray(values, np.float32) for name, values in joined.items()})
    return splats, np.concatenate(turned)


def _turned_sh(gaussians: GaussianSet, head: HeadPose, axes: np.ndarray, degree: int) -> np.ndarray:
    """float32 [N,K,3]: harmonics that show in direction d what the Gaussian's own show in R^T d."""
    x, y, z = _DIRECTIONS.T
    world = np.stack(spherical_harmonics.basis(x, y, z, degree), axis=1)  # [m,K]
    fit = np.linalg.pinv(world)
    own = SH_COEFFICIENTS.index(gaussians.sh.shape[1])
    lead = head.quaternion()
    result = np.empty((gaussians.count, SH_COEFFICIENTS[degree], 3), np.float32)
    for begin in range(0, gaussians.count, CHUNK):
        rows = slice(begin, begin + CHUNK)
        weight = gaussians.head_weights[rows, None].astype(np.float64)
        quaternions = (1 - weight) * np.array([1.0, 0, 0, 0]) + weight * lead  # as posing turns the Gaussian itself
        rotations = axes @ _matrices(quaternions)
        seen = np.einsum("nji,mj->nmi", rotations, _DIRECTIONS)  # R^T d
        basis = np.stack(spherical_harmonics.basis(seen[..., 0], seen[..., 1], seen[..., 2], own), axis=-1)
        colours = np.einsum("nmk,nkc->nmc", basis, gaussians.sh[rows].astype(np.float64))
        result[rows] = np.einsum("km,nmc->nkc", fit, colours)
    return result


def _matrices(quaternions: np.ndarray) -> np.ndarray:
    """[n,3,3] rotation matrices of quaternions [n,4] w, x, y, z of any length."""
    w, x, y, z = (quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), 2, 0)


def _turned(lead: np.ndarray, quaternions: np.ndarray) -> np.ndarray:
    """Hamilton products [n,4]: first each of `quaternions` [n,4], then `lead` [4]."""
    w, x, y, z = lead
    left = np.array([[w, -x, -y, -z], [x, w, -z, y], [y, z, w, -x], [z, -y, x, w]])
    return np.asarray(quaternions @ left.T)
