# SPDX-License-Identifier: GPL-3.0-or-later
"""A person ready to be posed: one mesh of many parts, its expression shapes, materials and measures.

Head space: metres, x right in the image, y up, z to the front; the origin is midway between the eyeballs at rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from .raster import FACE, HAIR, SKIN
from .textures import LINEAR, Texture, pack

ARKIT_COUNT = 52


@dataclass(frozen=True)
class Look:
    """A material. tint: factor of the texture, linear light. red_wrap: how far red light spreads through skin."""

    texture: Texture
    counts_as: int = SKIN
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gloss: float = 0.0
    squarings: int = 0
    """The highlight's exponent is 2 to this power; 0: no highlight."""
    red_wrap: float = 0.0
    opacity: float = 1.0
    two_sided: bool = False
    card: bool = False
    sunk: float = 0.0
    """Metres by which it counts as farther away than it is, so that what should lie over it does."""


@dataclass
class Part:
    """A piece of the person before all are put together."""

    points: np.ndarray
    """[V,3] head space."""
    triangles: np.ndarray
    """[T,3]"""
    uvs: np.ndarray
    """[T,3,2] of every corner."""
    look: Look
    deltas: np.ndarray | None = None
    """[52,V,3] in the order of ARKIT_NAMES, or None: does not move."""
    head_weight: np.ndarray | None = None
    """[V] 0..1, how far each vertex follows the head; None: wholly."""
    face_weight: np.ndarray | None = None
    """[V] above a half is face, below is neck; None: all face."""
    openness: np.ndarray | None = None
    """[V] 0..1, how much of the surroundings lights each vertex; None: all."""


@dataclass(frozen=True)
class Figure:
    """All parts of a person in one mesh. Triangles from `first_card` on are alpha cards."""

    points: np.ndarray
    deltas: np.ndarray
    """[52,V,3]"""
    triangles: np.ndarray
    uvs: np.ndarray
    material: np.ndarray
    """[T] uint8 index into `looks`."""
    first_card: int
    head_weight: np.ndarray
    face_weight: np.ndarray
    openness: np.ndarray
    looks: tuple[Look, ...]
    pivot: np.ndarray
    """[3] the head turns about it."""
    eyes: np.ndarray
    """[2,3] centres of the eyeballs: the person's right, left."""
    lips: np.ndarray
    """[2] vertices on the mid-line of the inner lips: upper, lower."""
    is_mouth: np.ndarray
    """[V] bool: teeth, tongue, cavity."""
    rest_weights: np.ndarray = field(default_factory=lambda: np.zeros(ARKIT_COUNT))
    description: str = ""

    @property
    def eye_distance(self) -> float:
        """Metres between the centres of the eyeballs."""
        return float(np.linalg.norm(self.eyes[1] - self.eyes[0]))

    @cached_property
    def gap_row(self) -> np.ndarray:
        """[52] metres by which each shape at 1 parts the mid-line of the inner lips."""
        return np.asarray(self.deltas[:, self.lips[0], 1] - self.deltas[:, self.lips[1], 1], np.float64)

    @cached_property
    def rest_gap(self) -> float:
        """Metres between the lips with all weights zero; negative where they overlap."""
        return float(self.points[self.lips[0], 1] - self.points[self.lips[1], 1])

    @cached_property
    def sunk(self) -> np.ndarray:
        """[V] metres, see `Look.sunk`."""
        sunk = np.zeros(len(self.points), np.float32)
        for index, look in enumerate(self.looks):
            if look.sunk:
                sunk[self.triangles[self.material == index]] = look.sunk
        return sunk

    @cached_property
    def tables(self) -> dict[str, np.ndarray]:
        """What the kernels need to know of the materials."""
        texels, table = pack([look.texture for look in self.looks])
        rows = [[*look.tint, look.gloss, look.red_wrap, look.opacity] for look in self.looks]
        return {
            "textures": np.arange(len(self.looks)),
            "table": table,
            "texels": texels,
            "linear": LINEAR,
            "looks": np.array(rows, np.float32),
            "squarings": np.array([look.squarings for look in self.looks]),
            "classes": np.array([look.counts_as for look in self.looks]),
            "two_sided": np.array([look.two_sided for look in self.looks]),
        }


def assemble(parts: list[Part], mouth_kind: int, **measures: object) -> Figure:
    """Put parts together, cards last. measures: the remaining fields of `Figure`; lips count in the first part."""
    parts = sorted(parts, key=lambda part: part.look.card)
    counts = [len(part.points) for part in parts]
    starts = np.cumsum([0, *counts[:-1]])

    def each(values: str, otherwise: float) -> np.ndarray:
        rows = [getattr(p, values) for p in parts]
        filled = [np.full(n, otherwise) if r is None else r for r, n in zip(rows, counts, strict=True)]
        return np.concatenate(filled).astype(np.float32)

    deltas = np.zeros((ARKIT_COUNT, sum(counts), 3), np.float32)
    for part, start, count in zip(parts, starts, counts, strict=True):
        if part.deltas is not None:
            deltas[:, start : start + count] = part.deltas
    return Figure(
        points=np.concatenate([p.points for p in parts]).astype(np.float32),
        deltas=deltas,
        triangles=np.concatenate([p.triangles + s for p, s in zip(parts, starts, strict=True)]).astype(np.int32),
        uvs=np.concatenate([p.uvs for p in parts]).astype(np.float32),
        material=np.concatenate([np.full(len(p.triangles), i, np.uint8) for i, p in enumerate(parts)]),
        first_card=sum(len(p.triangles) for p in parts if not p.look.card),
        head_weight=each("head_weight", 1.0),
        face_weight=each("face_weight", 1.0),
        openness=each("openness", 1.0),
        looks=tuple(p.look for p in parts),
        is_mouth=np.concatenate(
            [np.full(n, p.look.counts_as == mouth_kind) for p, n in zip(parts, counts, strict=True)]
        ),
        **measures,  # type: ignore[arg-type]
    )


def smoothstep(low: float, high: float, x: np.ndarray) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((np.asarray(x) - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


__all__ = ["ARKIT_COUNT", "FACE", "HAIR", "Figure", "Look", "Part", "assemble", "smoothstep"]
