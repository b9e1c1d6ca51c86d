# SPDX-License-Identifier: GPL-3.0-or-later
"""What all MakeHuman people share: the base mesh, its smooth version, ARKit shapes, parts as read; each read once."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from hair import comb_fringe_aside
from identity import BUNDLED
from makehuman import Fitting, Mesh, read_obj, read_target

from hmtalker.capture.curves.arkit_action_units import ARKIT_NAMES

from .subdivision import Subdivided, subdivide
from .textures import Texture, read_picture

EYE_HELPERS = slice(14598, 14742)
"""Vertices of the base mesh that stand for the eyeballs."""
_BODY_END = 13380  # vertices of the skin come first
_LOWEST, _WIDEST = 1.5, 4.2  # decimetres: what is farther from the face is left out
_STRENGTH = {"browInnerUp": 1.4, "mouthRollLower": 1.25, "mouthRollUpper": 1.25, "noseSneer": 1.2}
"""Shapes that are weaker or stronger than those of other faces, evened out."""
_LINING_LIMIT = 600  # vertices; the mouth bag is the only small texture island on the mid-line


class Base(NamedTuple):
    """What all people share, read once."""

    mesh: Mesh
    quads: np.ndarray
    uvs: np.ndarray
    is_lining: np.ndarray
    shapes: np.ndarray
    """[52,V,3] decimetres, in the order of ARKIT_NAMES."""


@lru_cache(maxsize=2)
def base_head(folder: Path) -> Base:
    mesh = read_obj(folder / "base.obj")
    faces = [face for face in mesh.faces if face.group == "body"]
    quads = np.array([face.vertices for face in faces])
    corners = np.array([face.uvs for face in faces])
    count = len(mesh.vertices)
    targets = folder / "targets" / "faceunits01_arkit"
    strength = [_STRENGTH.get(name.removesuffix("Left").removesuffix("Right"), 1.0) for name in ARKIT_NAMES]
    files = (targets / f"{name}.target" for name in ARKIT_NAMES)
    shapes = np.stack([s * read_target(file, count) for s, file in zip(strength, files, strict=True)])
    return Base(mesh, quads, mesh.uvs[corners], _lining(mesh.vertices, quads, corners), shapes)


def _lining(points: np.ndarray, quads: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """[F] which faces are the inside of the mouth: a small island of the texture layout on the mid-line."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    size = corners.max() + 1
    links = (np.repeat(corners[:, 0], 3), corners[:, 1:].ravel())
    _, island = connected_components(csr_matrix((np.ones(len(links[0])), links), (size, size)), directed=False)
    of_face = island[corners[:, 0]]
    found = np.zeros(len(quads), bool)
    for label in np.unique(of_face):
        members = np.unique(quads[of_face == label])
        if abs(points[members, 0].mean()) < 0.05 and len(members) < _LINING_LIMIT:
            found |= of_face == label
    return found


@lru_cache(maxsize=600)
def morph(path: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Which vertices a morph moves, and how far [N,3]."""
    moved = read_target(path, count)
    rows = np.flatnonzero(np.abs(moved).max(1))
    return rows, moved[rows]


@lru_cache(maxsize=32)
def read_part(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Quads [F,4] of an OBJ (a triangle repeats its third corner) and their uvs [F,4,2]."""
    mesh = read_obj(path)
    quads = np.array([f.vertices if len(f.vertices) == 4 else (*f.vertices, f.vertices[2]) for f in mesh.faces])
    corners = np.array([f.uvs if len(f.uvs) == 4 else (*f.uvs, f.uvs[2]) for f in mesh.faces])
    return quads, mesh.uvs[corners]


def lid_pairs(points: np.ndarray, blink: np.ndarray, sign: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertices of the upper lid's edge, and those of the lower one that they meet when the eye is shut."""
    skin = np.arange(_BODY_END)
    skin = skin[np.sign(points[skin, 0]) == sign]
    upper = skin[np.argsort(blink[skin, 1])[:12]]
    eye = points[EYE_HELPERS][np.sign(points[EYE_HELPERS, 0]) == sign].mean(0)
    still = skin[(points[skin, 1] < eye[1]) & (blink[skin, 1] > -0.2 * np.abs(blink[:, 1]).max())]
    shut = points + blink
    distance = np.linalg.norm(shut[upper][:, None] - shut[still][None], axis=2)
    return upper, still[np.argmin(distance, 1)]


@lru_cache(maxsize=2)
def _lip_contact(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Vertices of the upper and the lower lip that touch at rest; then those near the mouth and how far each follows
    the jaw, 0..1."""
    base = base_head(folder)
    points = base.mesh.vertices
    drop = -base.shapes[ARKIT_NAMES.index("jawOpen"), :, 1]
    drop = np.clip(drop / drop[:_BODY_END].max(), 0, 1)
    mouth = points[[474, 493]].mean(0)
    near = np.flatnonzero(np.linalg.norm(points - mouth, axis=1) < 0.55)
    skin = near[(near < _BODY_END) & (points[near, 2] > mouth[2] - 0.35)]
    upper, lower = skin[drop[skin] < 0.3], skin[drop[skin] > 0.5]
    distance = np.linalg.norm(points[upper][:, None] - points[lower][None], axis=2)
    touching = distance.min(1) < 0.035
    upper, lower = upper[touching], lower[distance[touching].argmin(1)]
    beside = np.abs(points[upper, 0][:, None] - points[upper, 0][None]) < 0.025
    foremost = points[upper, 2] > np.where(beside, points[upper, 2][None], -9).max(1) - 0.012
    return upper[foremost], lower[foremost], near, drop[near]


def close_lips(folder: Path, points: np.ndarray) -> np.ndarray:
    """A person's base mesh [V,3] with lips that meet along their whole width."""
    upper, lower, near, drop = _lip_contact(folder)
    points = points.copy()
    for _ in range(6):
        gap = points[upper, 1] - points[lower, 1]
        middle = 0.5 * (points[upper] + points[lower])
        distance = np.linalg.norm(points[near][:, None] - middle[None], axis=2)
        weight = np.exp(-((distance / 0.04) ** 2)) + 1e-12
        fade = np.exp(-((distance.min(1) / 0.12) ** 2))
        # the upper lip comes down by half the gap, the lower one up by the other half
        points[near, 1] += 0.5 * (weight @ gap) / weight.sum(1) * fade * (2 * drop - 1)
    return points


def in_sight(points: np.ndarray, quads: np.ndarray) -> np.ndarray:
    return (points[quads, 1].min(1) > _LOWEST) & (np.abs(points[quads, 0]).max(1) < _WIDEST)


@lru_cache(maxsize=2)
def combed(assets: Path, folder: Path) -> np.ndarray:
    """[N,3] how far the fringe moves out of the face; combed on the head that the comb was made for."""
    base = base_head(assets).mesh.vertices.copy()
    weights = {f"macrodetails/{name}": weight for name, weight in BUNDLED.macro.items()}
    for name, weight in BUNDLED.details.items():
        place, _, stem = name.removeprefix("both:").partition("/")
        sides = ("l-", "r-") if name.startswith("both:") else ("",)
        weights |= {f"{place}/{side}{stem}": weight for side in sides}
    for name, weight in weights.items():
        rows, moved = morph(assets / "targets" / f"{name}.target.gz", len(base))
        base[rows] += weight * moved
    points = Fitting(folder / f"{folder.name}.mhclo", base).position(base)
    return comb_fringe_aside(Mesh(points, np.zeros((1, 2)), [])).vertices - points


@lru_cache(maxsize=8)
def eye_texture(path: Path) -> Texture:
    """The asset's brown is red: its irises get less red and more green."""
    picture = read_picture(path)
    values = picture[..., :3].astype(np.float32)
    red = np.clip((values[..., 0] / np.maximum(values[..., 1], 1) - 1.3) / 0.5, 0, 1)[..., None]
    values += red * (values[..., :1] * [0.80, 0.52, 0.32] - values)
    picture[..., :3] = np.clip(values, 0, 255)
    return Texture(picture)


@lru_cache(maxsize=4)
def _kept_faces(folder: Path, hidden: frozenset[int]) -> np.ndarray:
    base = base_head(folder)
    covered = np.isin(base.quads, list(hidden)).all(1)
    return np.flatnonzero(in_sight(base.mesh.vertices, base.quads) & ~covered)


@lru_cache(maxsize=4)
def smooth_body(folder: Path, hidden: frozenset[int]) -> Subdivided:
    base, kept = base_head(folder), _kept_faces(folder, hidden)
    return subdivide(base.quads[kept], base.uvs[kept], len(base.mesh.vertices))


@lru_cache(maxsize=4)
def smooth_shapes(folder: Path, hidden: frozenset[int]) -> np.ndarray:
    matrix, shapes = smooth_body(folder, hidden).matrix, base_head(folder).shapes
    return np.stack([matrix @ shape for shape in shapes]).astype(np.float32)


def base_lining(folder: Path, hidden: frozenset[int]) -> np.ndarray:
    return base_head(folder).is_lining[_kept_faces(folder, hidden)]


def rigid_motion(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """source [N,3] moved by the rigid motion that best takes it to target (Kabsch 1976)."""
    a, b = source.mean(0), target.mean(0)
    u, _, vt = np.linalg.svd((source - a).T @ (target - b))
    turn = vt.T @ np.diag([1, 1, np.sign(np.linalg.det(vt.T @ u.T))]) @ u.T
    return (source - a) @ turn.T + b
