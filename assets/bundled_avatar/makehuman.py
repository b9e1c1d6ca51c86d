# SPDX-License-Identifier: GPL-3.0-or-later
"""MakeHuman's open file formats: Wavefront meshes, ``.target`` morphs and ``.mhclo`` fittings.

Everything stays in MakeHuman's own space (decimetres, y up, +z to the front) until `to_blender`.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np

METRES_PER_UNIT = 0.1


@dataclass(frozen=True)
class Face:
    """One polygon: indices of its vertices and of its texture coordinates, and the group it was listed under."""

    vertices: tuple[int, ...]
    uvs: tuple[int, ...]
    group: str


@dataclass(frozen=True)
class Mesh:
    """A polygon mesh as read: vertices [V, 3], uvs [T, 2] and faces that index both."""

    vertices: np.ndarray
    uvs: np.ndarray
    faces: list[Face]


def read_obj(path: Path) -> Mesh:
    """Read a Wavefront OBJ; quads are kept."""
    vertices: list[list[float]] = []
    uvs: list[list[float]] = []
    faces: list[Face] = []
    group = ""
    with open(path) as lines:
        for line in lines:
            word, *rest = line.split() or [""]
            if word == "v":
                vertices.append([float(x) for x in rest[:3]])
            elif word == "vt":
                uvs.append([float(x) for x in rest[:2]])
            elif word == "g":
                group = rest[0] if rest else ""
            elif word == "f":
                corners = [x.split("/") for x in rest]
                faces.append(
                    Face(
                        tuple(int(c[0]) - 1 for c in corners),
                        tuple(int(c[1]) - 1 if len(c) > 1 and c[1] else 0 for c in corners),
                        group,
                    )
                )
    return Mesh(np.array(vertices), np.array(uvs or [[0.0, 0.0]]), faces)


def read_target(path: Path, count: int) -> np.ndarray:
    """Read a morph (plain or gzipped) as displacements [count, 3] of the base mesh."""
    displacement = np.zeros((count, 3))
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as lines:
        for line in lines:
            words = line.split()
            if len(words) == 4 and words[0].isdigit():
                displacement[int(words[0])] = [float(x) for x in words[1:]]
    return displacement


class Fitting:
    """A ``.mhclo``: every vertex of the part is a fixed affine combination of base vertices plus a scaled offset.

    The offset scale is taken once, from the neutral morph. Teeth measure their scale between the two jaws, so a
    fitting that were scaled anew for every expression would stretch them when the jaw opens.
    """

    def __init__(self, path: Path, base: np.ndarray) -> None:
        """path: the ``.mhclo``; base [V, 3]: the identity's neutral base mesh."""
        scale = np.ones(3)
        rows: list[list[float]] = []
        hidden: set[int] = set()
        section = ""
        with open(path) as lines:
            for line in lines:
                words = line.split()
                if not words:
                    continue
                if words[0] in ("x_scale", "y_scale", "z_scale"):
                    axis = "xyz".index(words[0][0])
                    extent = base[int(words[1])][axis] - base[int(words[2])][axis]
                    scale[axis] = abs(extent) / float(words[3])
                elif words[0] in ("verts", "delete_verts"):
                    section = words[0]
                elif section == "delete_verts":
                    hidden.update(_index_ranges(words))
                elif section == "verts" and words[0].lstrip("-").isdigit():
                    rows.append([float(x) for x in words])
        table = np.array([[r[0], r[0], r[0], 1, 0, 0, 0, 0, 0] if len(r) == 1 else r[:9] for r in rows])
        self.anchors = table[:, :3].astype(int)
        self.weights = table[:, 3:6]
        self.offsets = table[:, 6:9] * scale
        self.hidden_base_vertices = frozenset(hidden)

    def position(self, base: np.ndarray) -> np.ndarray:
        """Vertices [N, 3] of the part on the base mesh [V, 3]."""
        return self.displacement(base) + self.offsets

    def displacement(self, delta: np.ndarray) -> np.ndarray:
        """How the part follows a displacement [V, 3] of the base mesh: [N, 3]."""
        return (delta[self.anchors] * self.weights[..., None]).sum(1)


def _index_ranges(words: list[str]) -> list[int]:
    """Parse ``3 7 - 9`` as 3, 7, 8, 9."""
    found: list[int] = []
    at = 0
    while at < len(words):
        if at + 2 < len(words) and words[at + 1] == "-":
            found.extend(range(int(words[at]), int(words[at + 2]) + 1))
            at += 3
        else:
            found.append(int(words[at]))
            at += 1
    return found


def to_blender(points: np.ndarray) -> np.ndarray:
    """MakeHuman space [N, 3] to Blender metres (z up, the face looks down -y)."""
    return np.stack([points[:, 0], -points[:, 2], points[:, 1]], 1) * METRES_PER_UNIT
