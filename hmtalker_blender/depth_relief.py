# SPDX-License-Identifier: GPL-3.0-or-later
"""A frame as a surface: one vertex a pixel, on the ray through the pixel's centre, as far away as the frame says.

Seen from the camera of the frame the surface is the frame, pixel for pixel; other objects cut through it where they
would cut through the head.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from ..engine.render import Frame
    from .camera_view import View

SMOOTHING = 2
"""Pixels around each over which depth is averaged, by coverage: at the edge of hair it is known only roughly."""


class Relief(NamedTuple):
    """A mesh of quads with a colour at every vertex."""

    vertices: np.ndarray
    """float32 [V,3], in the space of the avatar's object."""
    colours: np.ndarray
    """float32 [V,4], premultiplied and linear; alpha is 0 along the rim."""
    quads: np.ndarray
    """int32 [Q,4] vertices, counter-clockwise as the camera sees them."""


def of_frame(frame: Frame, view: View, strength: float = 1.0) -> Relief | None:
    """Return the surface of a frame that `view` was rendered to, or None where nothing was drawn.

    strength: 1 for the depth of the frame, 0 for a flat card at its average depth.
    """
    alpha = frame.rgba[..., 3]
    if not (alpha > 0.0).any():
        return None
    covered = _grown(alpha > 0.0)
    weight = _blurred(alpha)
    depth = np.divide(_blurred(alpha * frame.depth), weight, out=np.zeros_like(weight), where=weight > 0.0)
    rows, columns = np.nonzero(covered)
    distance = depth[rows, columns].astype(np.float64)
    if strength < 1.0:
        middle = float((alpha * frame.depth).sum(dtype=np.float64) / alpha.sum(dtype=np.float64))
        distance = middle + strength * (distance - middle)
    K, matrix = view.camera.K, view.object_from_camera
    x = (columns + 0.5 - K[0, 2]) / K[0, 0] * distance
    y = (rows + 0.5 - K[1, 2]) / K[1, 1] * distance
    vertices = np.stack([x, y, distance], 1) @ matrix[:3, :3].T + matrix[:3, 3]
    return Relief(vertices.astype(np.float32), frame.rgba[rows, columns], _quads(covered))


def _grown(mask: np.ndarray) -> np.ndarray:
    """One pixel more on all sides, so that the picture fades out as it does between pixels of an image."""
    wide = mask.copy()
    wide[1:] |= mask[:-1]
    wide[:-1] |= mask[1:]
    grown = wide.copy()
    grown[:, 1:] |= wide[:, :-1]
    grown[:, :-1] |= wide[:, 1:]
    return grown


def _blurred(values: np.ndarray) -> np.ndarray:
    """Sum over a square of 2 SMOOTHING + 1 pixels; outside of the picture there is nothing."""
    for axis in (0, 1):
        padding = [(SMOOTHING, SMOOTHING) if axis == other else (0, 0) for other in (0, 1)]
        padded = np.pad(values, padding)
        length = values.shape[axis]
        windows = [slice(k, k + length) for k in range(2 * SMOOTHING + 1)]
        values = sum(padded[window] if axis == 0 else padded[:, window] for window in windows)
    return np.asarray(values)


def _quads(covered: np.ndarray) -> np.ndarray:
    number = np.full(covered.shape, -1, np.int32)
    number[covered] = np.arange(np.count_nonzero(covered), dtype=np.int32)
    whole = covered[:-1, :-1] & covered[1:, :-1] & covered[:-1, 1:] & covered[1:, 1:]
    corners = number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]
    return np.stack([corner[whole] for corner in corners], 1)
