# SPDX-License-Identifier: GPL-3.0-or-later
"""The inside of a filmed person's mouth, guessed: two rows of teeth and a dark cavity, where its Gaussians start.

Upper teeth belong to the skull and stay; lower teeth and tongue go with the chin. Pictures give them their colours.
"""

from __future__ import annotations

import numpy as np

from .filmed_motion import FaceShapes
from .surface import MOUTH, Surface

UPPER_LIP, LOWER_LIP, CORNERS, CHIN = 13, 14, (78, 308), 152
WIDTH = 1.15
"""Of the row of teeth, in widths of the mouth."""
BEHIND = 0.006
"""Metres from the lips to the teeth in the middle ..."""
ARCH = 0.016
"""... and how much farther back they lie at the corners."""
UPPER_ROW = (-0.003, 0.010)
"""Metres that the upper teeth reach below and above the line of the lips."""
LOWER_ROW = (-0.014, -0.001)
CAVITY_BEHIND = 0.022
CAVITY_HEIGHT = (-0.030, 0.016)
TEETH, TONGUE, DARK = (0.62, 0.55, 0.50), (0.45, 0.22, 0.20), (0.16, 0.07, 0.06)
CHIN_SHARE = 0.9
"""Of the chin's way that the lower teeth go."""


def mouth_interior(shapes: FaceShapes, samples: int, seed: int = 0) -> Surface:
    """About `samples` samples; shapes as ``filmed_motion.with_motion`` has them."""
    rng = np.random.default_rng(seed)
    mesh = shapes.mesh
    middle = mesh[[UPPER_LIP, LOWER_LIP]].mean(0)
    width = WIDTH * float(np.linalg.norm(mesh[CORNERS[1]] - mesh[CORNERS[0]]))
    parts = []
    for row, shade, share, back, arch, goes in (
        (UPPER_ROW, TEETH, 0.3, BEHIND, ARCH, 0.0),
        (LOWER_ROW, TEETH, 0.3, BEHIND + 0.002, ARCH, 1.0),
        (CAVITY_HEIGHT, DARK, 0.25, CAVITY_BEHIND, 0.008, 0.5),
        ((-0.022, -0.008), TONGUE, 0.15, BEHIND + 0.008, 0.012, 1.0),
    ):
        count = max(4, round(samples * share))
        x = rng.uniform(-0.5, 0.5, count) * width
        y = rng.uniform(*row, count)
        z = -back - arch * (2 * x / width) ** 2
        area = np.full(count, width * (row[1] - row[0]) / count)
        parts.append((middle + np.stack([x, y, z], 1), area, np.tile(shade, (count, 1)), np.full(count, goes)))
    positions, areas, colors, going = (np.concatenate(values) for values in zip(*parts, strict=True))
    chin = np.concatenate([shapes.units, shapes.details])[:, CHIN]
    deltas = CHIN_SHARE * going[None, :, None] * chin[:, None]
    names = [*shapes.channels, *(f"detail{index}" for index in range(len(shapes.details)))]
    count = len(positions)
    return Surface(
        positions.astype(np.float32),
        np.tile(np.array([0, 0, 1], np.float32), (count, 1)),
        areas.astype(np.float32),
        np.full(count, MOUTH, np.uint8),
        np.ones(count, np.float32),
        colors.astype(np.float32),
        deltas.astype(np.float16),
        names,
    )
