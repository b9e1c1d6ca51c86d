# SPDX-License-Identifier: GPL-3.0-or-later
"""A small random but valid avatar, made in code by numpy alone: about 300 face and 60 mouth Gaussians, like a face.

Its motion weights are random: it moves with its Action Units and its speech, but not as people do.
"""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np

SKIN, LIPS, HAIR, IRIS, CLOTH = (
    (0.80, 0.58, 0.47),
    (0.70, 0.32, 0.32),
    (0.16, 0.10, 0.07),
    (0.1, 0.1, 0.12),
    (0.2, 0.3, 0.5),
)
TEETH, CAVITY = (0.85, 0.83, 0.78), (0.25, 0.08, 0.08)
SH_DC = 0.28209479177387814


class TinyEncoder:
    """Stands in for a speech encoder: 50 times a second, the levels of `dimension` bands of the spectrum."""

    id = "tiny"
    rate = 50.0
    sha256 = ""

    def __init__(self, dimension: int = 8) -> None:
        self.dimension = dimension

    def encode(self, samples: np.ndarray, **_: Any) -> np.ndarray:
        """float32 [n] at 16 kHz -> float32 [T50, dimension]."""
        steps = max(1, math.ceil(len(samples) / 320))
        blocks = np.pad(np.asarray(samples, np.float32), (0, steps * 320 - len(samples))).reshape(steps, 320)
        spectrum = np.abs(np.fft.rfft(blocks, axis=1))[:, 1:]
        bands = np.stack([part.mean(1) for part in np.array_split(spectrum, self.dimension, axis=1)], 1)
        return np.log1p(bands).astype(np.float32)


def make_tiny_avatar(
    engine: str = "hmtalker",
    seed: int = 0,
    size: int = 96,
    encoder: str = "tiny",
    dimension: int = 8,
    sh_degree: int = 2,
    **motion: Any,
) -> Any:
    """An Avatar of the package `engine` (inside Blender: "bl_ext.….engine"), seen in size x size pixels.

    motion: further settings of its MotionConfig.
    """
    avatar = importlib.import_module(f"{engine}.avatar")
    camera = importlib.import_module(f"{engine}.camera").Camera
    config = importlib.import_module(f"{engine}.motion.config").MotionConfig(
        feature_dimension=dimension, projection_dimension=4, grid_levels=3, face_half_extent=(0.15, 0.2, 0.15), **motion
    )
    codes = config.units.codes
    shapes = importlib.import_module(f"{engine}.avatar.motion_shapes").motion_shapes(config)
    rng = np.random.default_rng(seed)
    header = {
        "format": "hmtalker-avatar",
        "version": 2,
        "name": "Tiny",
        "licence": "CC0-1.0",
        "attribution": "made by a program",
        "consent": {"subject": "nobody", "given": True},
        "au_codes": list(codes),
        "au_statistics": {code: {"p05": 0.0, "p50": 0.4, "p95": 2.5, "max": 4.0} for code in codes},
        "camera": camera.in_front(size, size, 0.7, 0.5).to_dict(),
        "pivot": [0.0, -0.08, -0.06],
        "encoder": {"id": encoder, "dim": dimension, "sha256": ""},
        "motion": config.to_dict(),
        "training": {"preset": "none"},
        "metrics": {},
        "template": {"fps": 25, "head": [[0.02 * math.sin(t / 9), 0.0, 0.0, 0.0, 0.0, 0.0] for t in range(50)]},
        "rest": {"implicit": [0.0] * 32, "action_units": [0.0] * len(codes)},
        "thumbnail": "",
    }
    return avatar.Avatar(
        face=_face(engine, rng, sh_degree),
        mouth=_mouth(engine, rng, sh_degree),
        motion=tiny_weights(shapes, config, rng),
        header=header,
    )


def tiny_weights(shapes: dict[str, tuple[int, ...]], config: Any, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Random weights of the given shapes that move a face by a few millimetres."""
    weights = {}
    for name, shape in shapes.items():
        bound = 1 / math.sqrt(max(1, math.prod(shape[1:])))
        value = rng.uniform(-bound, bound, shape)
        if name.endswith("encoding.grid"):
            value = rng.uniform(-1.0, 1.0, shape)
        elif name.endswith("deformation.2.weight"):
            value[:3] *= 3.0
            value[3:] *= 0.3
        elif name.endswith("projection.mean"):
            value = np.full(shape, 1.0)
        elif name.endswith("projection.scale"):
            value = np.full(shape, 0.7)
        elif name.endswith("null_implicit"):
            value = np.zeros(shape)
        elif name.endswith((".center", ".half_extent")):
            value = np.array(getattr(config, name.split("_")[0] + "_" + name.rpartition(".")[2]))
        weights[name] = value.astype(np.float32)
    return weights


def _face(engine: str, rng: np.random.Generator, sh_degree: int) -> Any:
    places, colours, sizes, follow = [], [], [], []

    def add(x: float, y: float, z: float, colour: tuple[float, float, float], size: float, weight: float = 1.0) -> None:
        places.append((x, y, z))
        colours.append(colour)
        sizes.append(size)
        follow.append(weight)

    # Skin and hair on the front of an ellipsoid, in a sunflower pattern; no skin where the mouth opens.
    for index in range(220):
        radius = math.sqrt((index + 0.5) / 220)
        angle = index * 2.399963
        x, y = 0.075 * radius * math.cos(angle), 0.105 * radius * math.sin(angle)
        if abs(x) < 0.024 and abs(y + 0.045) < 0.008:
            continue
        z = 0.07 * math.sqrt(max(0.0, 1 - radius**2))
        add(x, y, z, HAIR if y > 0.06 else SKIN, 0.007)
    for side in (-1, 1):
        add(side * 0.03, 0.025, 0.067, (0.95, 0.95, 0.93), 0.006)
        add(side * 0.03, 0.025, 0.074, IRIS, 0.003)
        for step in range(4):
            add(side * (0.02 + 0.007 * step), 0.043, 0.066, HAIR, 0.003)
    for step in range(12):
        x = -0.0225 + 0.045 * step / 11
        add(x, -0.035, 0.064, LIPS, 0.003)
        add(x, -0.055, 0.063, LIPS, 0.003)
    for row in range(6):
        for column in range(8):
            y = -0.11 - 0.012 * row
            width = 0.045 if row < 3 else 0.13
            add(width * (column - 3.5) / 3.5, y, -0.01, SKIN if row < 3 else CLOTH, 0.011, max(0.0, 1 - (row + 1) / 4))
    return _set(engine, rng, sh_degree, places, colours, sizes, follow)


def _mouth(engine: str, rng: np.random.Generator, sh_degree: int) -> Any:
    places, colours = [], []
    for row in range(5):
        for column in range(12):
            places.append((-0.022 + 0.044 * column / 11, -0.035 - 0.005 * row, 0.048 + 0.002 * (row in (1, 3))))
            colours.append(TEETH if row in (1, 3) else CAVITY)
    return _set(engine, rng, sh_degree, places, colours, [0.003] * len(places), [1.0] * len(places))


def _set(
    engine: str, rng: np.random.Generator, sh_degree: int, places: Any, colours: Any, sizes: Any, follow: Any
) -> Any:
    count = len(places)
    scales = np.array(sizes)[:, None] * np.array([1.0, 1.0, 0.4]) * rng.uniform(0.9, 1.1, (count, 3))
    sh = rng.normal(0, 0.02, (count, (sh_degree + 1) ** 2, 3))
    sh[:, 0] = (np.array(colours) - 0.5) / SH_DC
    gaussian_set = importlib.import_module(f"{engine}.gaussians.gaussian_set").GaussianSet
    return gaussian_set.validate(
        means=np.array(places) + rng.normal(0, 0.0003, (count, 3)),
        raw_scales=np.log(np.expm1(scales)),
        quaternions=np.array([1.0, 0, 0, 0]) + rng.normal(0, 0.05, (count, 4)),
        raw_opacities=rng.uniform(1.5, 4.0, count),
        sh=sh,
        head_weights=np.array(follow),
    )
