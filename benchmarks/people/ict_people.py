# SPDX-License-Identifier: GPL-3.0-or-later
"""Random people from the ICT-FaceKit model (MIT): its identities and expressions, skin and eyes painted here.

The model has no textures, no hair and no body: skin, brows, lips and irises are painted (`ict_paint`), hair is a fur of
cards over the scalp, the torso is a plain shirt.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from hmtalker.capture.curves.arkit_action_units import ARKIT_NAMES

from .figure import Figure, Look, Part, assemble, smoothstep
from .ict_paint import (
    Colours,
    cylinder_uvs,
    eye_texture,
    fur_texture,
    lash_texture,
    random_colours,
    scalp_height,
    skin_texture,
)
from .openness import with_openness
from .raster import BODY, FACE, HAIR, MOUTH, SKIN
from .subdivision import compact, triangulate
from .textures import plain_texture

FILE = "ict_face_model_light.npz"
_METRES = 0.01
_SKIN_END, _MOUTH_END, _SOCKET_END = 11248, 13294, 14062  # vertices: skin, mouth bag, eye sockets
_EYES = {"Right": slice(23021, 23791), "Left": slice(21451, 22221)}
_LIDS = {"Left": ((43, 47), (44, 46)), "Right": ((37, 41), (38, 40))}  # of the 68 landmarks: upper, lower
_UPPER_LIP, _LOWER_LIP, _CHIN = 62, 66, 8
_FUR_LAYERS = 6
_STRENGTH = {"eyeSquint": 1.6, "cheekSquint": 0.75, "browDown": 1.25}
"""Shapes that are weaker or stronger than those of other faces, evened out."""


@lru_cache(maxsize=2)
def _model(path: Path) -> dict[str, Any]:
    with np.load(path) as data:
        model: dict[str, Any] = {name: data[name] for name in data.files}
    names = [str(name) for name in model["expr_names"]]
    deltas = np.zeros((len(ARKIT_NAMES), len(model["neutral"]), 3), np.float32)
    for index, name in enumerate(ARKIT_NAMES):
        strength = _STRENGTH.get(name.removesuffix("Left").removesuffix("Right"), 1.0)
        sided = name.replace("Left", "_L").replace("Right", "_R")
        if name in ("mouthLeft", "mouthRight", "jawLeft", "jawRight"):
            sided = name
        for source in (sided, f"{name}_L", f"{name}_R"):  # brows' inner ends and cheeks are one in ARKit
            if source in names:
                deltas[index] += strength * model["expr_deltas"][names.index(source)]
    faces, coordinates = model["faces"].copy(), model["faces_uv"].copy()
    for table in (faces, coordinates):
        triangle = table[:, 3] < 0
        table[triangle, 3] = table[triangle, 2]
    centre = np.stack([model["neutral"][_EYES[side]].mean(0) for side in ("Right", "Left")]).mean(0)
    model |= {
        "deltas": deltas * _METRES,
        "points": (model["neutral"] - centre) * _METRES,
        "quads": faces,
        "quad_uvs": model["uv"][coordinates],
        "material": [str(model["material_names"][i]) for i in model["face_material"]],
    }
    return model


def random_person(folder: str | Path, seed: int, extent: float = 1.0) -> Figure:
    """A new adult for every seed. folder: where `FILE` is; extent: how unusual faces may be, 0..1."""
    rng = np.random.default_rng((seed, 815))
    model = _model(Path(folder) / FILE)
    amounts = np.clip(rng.normal(0, 0.8 * extent, len(model["id_deltas"])), -2, 2)
    moved = np.tensordot(amounts, model["id_deltas"], 1) * _METRES
    points = (model["points"] + moved).astype(np.float64)
    points -= np.stack([points[_EYES[side]].mean(0) for side in ("Right", "Left")]).mean(0)
    return with_openness(_build(model, points, random_colours(rng), rng))


def _build(model: dict[str, Any], points: np.ndarray, colours: Colours, rng: np.random.Generator) -> Figure:
    deltas = _fit_blinks(model, points)
    quads, uvs, material = model["quads"], model["quad_uvs"], np.array(model["material"])
    first = quads.min(1)
    head = smoothstep(-0.155, -0.085, points[:, 1] + 0.35 * points[:, 2])
    marks = model["landmarks68"].astype(int)
    height = points[:, 1] + 0.4 * points[:, 2]  # along a neck that leans forward
    face = 0.5 + (height - height[marks[_CHIN]] + 0.009) / 0.02

    def part(chosen: np.ndarray, look: Look, coordinates: np.ndarray = uvs) -> Part:
        triangles, corners = triangulate(quads[chosen], coordinates[chosen])
        used, triangles = compact(triangles)
        return Part(points[used], triangles, corners, look, deltas[:, used], head[used], face[used])

    around = cylinder_uvs(model["points"], quads)
    skin_look = Look(
        skin_texture(model["points"][marks], colours, rng), SKIN, gloss=0.05, squarings=4, red_wrap=0.35
    )  # fmt: skip
    skin = part(first < _SKIN_END, skin_look, around)
    bag = part(
        (first >= _SKIN_END) & (first < _MOUTH_END),
        Look(plain_texture(0.55, 0.22, 0.22), MOUTH, gloss=0.05, squarings=5, red_wrap=0.2),
    )
    sockets = part((first >= _MOUTH_END) & (first < _SOCKET_END), Look(plain_texture(0.45, 0.25, 0.22), FACE))
    gums = Look(plain_texture(0.74, 0.40, 0.40), MOUTH, gloss=0.10, squarings=5, red_wrap=0.3)
    teeth = Look(plain_texture(*colours.teeth), MOUTH, gloss=0.15, squarings=5, red_wrap=0.2)
    parts = [skin, bag, sockets, part(material == "M_GumsTongue", gums), part(material == "M_Teeth", teeth)]
    for side, vertices in _EYES.items():
        look = Look(
            eye_texture(colours, np.random.default_rng(rng.integers(1 << 31))), FACE, gloss=0.5, squarings=7, sunk=0.001
        )
        directions = model["points"] - model["points"][vertices].mean(0)
        angle = np.arccos(np.clip(directions[:, 2] / np.linalg.norm(directions, axis=1), -1, 1)) / np.pi
        flat = directions[:, :2] / np.maximum(np.linalg.norm(directions[:, :2], axis=1, keepdims=True), 1e-9)
        parts.append(part(material == f"M_Sclera{side}", look, (0.5 + 0.49 * angle[:, None] * flat)[quads]))
    lashes = Look(lash_texture(rng), FACE, card=True, two_sided=True)
    parts.append(part(material == "M_EyeLashes", lashes, _along_lashes(model, uvs)))
    if colours.hair_length > 0:
        parts += _fur(model, points, quads[first < _SKIN_END], around[first < _SKIN_END], colours, rng)
    parts.append(_shirt(points, colours))
    lips = [int(np.argmin(np.linalg.norm(skin.points - points[marks[i]], axis=1))) for i in (_UPPER_LIP, _LOWER_LIP)]
    eyes = np.stack([points[_EYES[side]].mean(0) for side in ("Right", "Left")])
    pivot = np.array([0.0, points[marks[_CHIN], 1] - 0.005, points[marks[0], 2] - 0.035])
    return assemble(
        parts, MOUTH, pivot=pivot, eyes=eyes, lips=np.array(lips), description=f"ICT, hair {colours.hair_length:.3f} m"
    )


def _fit_blinks(model: dict[str, Any], points: np.ndarray) -> np.ndarray:
    """Blinks close as wide an eye as this person has."""
    deltas, marks = model["deltas"].copy(), model["landmarks68"].astype(int)
    for side, lids in _LIDS.items():
        index = ARKIT_NAMES.index(f"eyeBlink{side}")
        scales = []
        for upper, lower in lids:
            a, b = marks[upper], marks[lower]
            was = model["points"][a, 1] - model["points"][b, 1]
            scales.append((points[a, 1] - points[b, 1]) / was)
        deltas[index] *= np.clip(1.05 * np.max(scales), 0.6, 1.7)
    return deltas


def _along_lashes(model: dict[str, Any], uvs: np.ndarray) -> np.ndarray:
    """[F,4,2] along the lid as the model has it, and from root (0) to tip (1) by the distance from the eye."""
    points = model["points"]
    centres = np.stack([points[_EYES[side]].mean(0) for side in ("Right", "Left")])
    far = np.linalg.norm(points[:, None] - centres, axis=2).min(1)
    lashes = model["quads"][np.array(model["material"]) == "M_EyeLashes"]
    low, high = far[lashes].min(), far[lashes].max()
    coordinates = uvs.copy()
    along = (far - low) / (high - low)
    along[points[:, 1] < 0] *= 1.7  # lower lashes are shorter
    coordinates[..., 1] = 0.02 + 0.96 * np.clip(along[model["quads"]], 0, 1)
    return coordinates


def _fur(
    model: dict[str, Any],
    points: np.ndarray,
    quads: np.ndarray,
    around: np.ndarray,
    colours: Colours,
    rng: np.random.Generator,
) -> list[Part]:
    """Layers over the scalp, each farther out and with fewer hairs."""
    above = scalp_height(model["points"], colours.hair_line)
    grows = above[quads].max(1) > -0.004
    scalp, corners = quads[grows], around[grows]
    triangles, corners = triangulate(scalp, corners)
    used, triangles = compact(triangles)
    skull = points[used].mean(0)
    outward = points[used] - skull
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    grown = smoothstep(0.0, 0.025, above[used])[:, None]
    texture = [fur_texture(colours, layer / (_FUR_LAYERS - 1), rng.spawn(1)[0]) for layer in range(_FUR_LAYERS)]
    parts = []
    for layer in range(_FUR_LAYERS):
        height = (layer + 0.5) / _FUR_LAYERS
        lean = np.array([0.0, -0.35, -0.35]) * height**2
        shell = points[used] + colours.hair_length * height * grown * (outward + lean)
        look = Look(texture[layer], HAIR, gloss=0.03, squarings=4, red_wrap=0.3, card=True)
        dim = np.full(len(used), 0.45 + 0.55 * height)
        parts.append(Part(shell, triangles, corners, look, openness=dim))
    return parts


def _shirt(points: np.ndarray, colours: Colours) -> Part:
    """A plain torso: rings from the neck over the shoulders down."""
    low = points[:_SKIN_END, 1].min()
    # height above the bust's lower edge, half width, half depth, middle's depth (metres)
    rings = np.array(
        [
            [0.062, 0.082, 0.080, -0.060], [0.060, 0.090, 0.083, -0.060], [0.052, 0.118, 0.092, -0.060],
            [0.040, 0.150, 0.098, -0.062], [0.015, 0.195, 0.108, -0.062], [-0.06, 0.222, 0.115, -0.062],
            [-0.15, 0.225, 0.125, -0.060], [-0.50, 0.225, 0.130, -0.060],
        ]
    )  # fmt: skip
    turns = np.linspace(0, 2 * np.pi, 49)[:-1]
    rows = []
    for height, wide, deep, middle in rings:
        x = np.sign(np.cos(turns)) * np.abs(np.cos(turns)) ** 0.85 * wide
        z = np.sin(turns) * deep + middle
        tilt = -0.25 * (z - middle) if height > 0 else 0.0  # the collar is lower in front
        rows.append(np.stack([x, low + height + tilt + 0 * x, z], 1))
    n = len(turns)
    at = np.arange(n)
    quads = np.concatenate(
        [np.stack([i * n + at, i * n + (at + 1) % n, (i + 1) * n + (at + 1) % n, (i + 1) * n + at], 1)
         for i in range(len(rings) - 1)]
    )  # fmt: skip
    triangles, _ = triangulate(quads, np.zeros((*quads.shape, 2)))
    look = Look(plain_texture(*colours.shirt), BODY, two_sided=True)
    count = len(rings) * n
    return Part(
        np.concatenate(rows), triangles, np.full((len(triangles), 3, 2), 0.5), look, head_weight=np.zeros(count)
    )
