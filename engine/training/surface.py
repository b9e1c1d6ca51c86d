# SPDX-License-Identifier: GPL-3.0-or-later
"""A surface with linear shapes: where Gaussians start, and how far each of their places moves.

Only synthetic people have one. It starts the Gaussians on the skin instead of in a cloud, and supervises the motion
field in metres before the first picture is looked at; people filmed with a camera go without.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

FACE, HAIR, MOUTH, EYES, NECK, CLOTH, BROW = range(7)
"""Regions of surface samples."""


@dataclass
class Surface:
    """P samples of a surface with S linear shapes; canonical space, metres."""

    positions: np.ndarray  # [P,3] with every shape at zero
    normals: np.ndarray  # [P,3]
    areas: np.ndarray  # [P] square metres that the sample stands for
    regions: np.ndarray  # [P] uint8
    head_weights: np.ndarray  # [P] 0..1
    colors: np.ndarray  # [P,3] rough sRGB 0..1
    shape_deltas: np.ndarray  # [S,P,3] metres at weight 1, float16
    shape_names: list[str]

    @classmethod
    def load(cls, path: Path) -> Surface:
        with np.load(path) as data:
            return cls(
                positions=data["position"].astype(np.float32),
                normals=data["normal"].astype(np.float32),
                areas=data["area_per_sample"].astype(np.float32),
                regions=data["region"],
                head_weights=data["head_weight"].astype(np.float32),
                colors=data["albedo"].astype(np.float32),
                shape_deltas=data["shape_delta"],
                shape_names=[str(name) for name in data["shape_names"]],
            )

    def select(self, rows: np.ndarray) -> Surface:
        """The surface made of the samples `rows` [n] alone."""
        return Surface(
            self.positions[rows],
            self.normals[rows],
            self.areas[rows],
            self.regions[rows],
            self.head_weights[rows],
            self.colors[rows],
            self.shape_deltas[:, rows],
            self.shape_names,
        )

    def thin(self, shares: dict[int, float], rng: np.random.Generator) -> Surface:
        """Keep a share of each region's samples; the ones kept stand for the area of those left out.

        shares: region -> 0..1; regions not named are kept whole.
        """
        share = np.ones(len(self.regions))
        for region, value in shares.items():
            share[self.regions == region] = value
        thinned = self.select(np.flatnonzero(rng.random(len(share)) < share))
        for region, value in shares.items():
            thinned.areas[thinned.regions == region] /= value
        return thinned
