# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin, brows, lips, irises and hair painted for the ICT model, which comes without textures.

Skin is painted on a cylinder around the mean face, so that every identity's features lie at the same texels.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .textures import Texture

WIDTH, HEIGHT = 2048, 1024
_LOW, _HIGH = -0.235, 0.115  # metres above the eyes at the lower and upper edge of the texture
_AXIS_Z = -0.07  # the cylinder's axis, metres behind the eyes


@dataclass(frozen=True)
class Colours:
    """sRGB 0..1 each; lengths in metres."""

    skin: np.ndarray
    lips: np.ndarray
    hair: np.ndarray
    iris: np.ndarray
    teeth: tuple[float, float, float]
    shirt: tuple[float, float, float]
    hair_length: float
    hair_line: float
    """How far the hair line is moved up (metres)."""
    brow_width: float
    brow_strength: float
    stubble: float
    blotches: float


def random_colours(rng: np.random.Generator) -> Colours:
    """From very light to very dark skin, with hair and eyes that go with it."""
    dark = rng.beta(0.9, 1.3)
    ramp = np.array(
        [[0.93, 0.77, 0.69], [0.85, 0.66, 0.54], [0.70, 0.50, 0.38], [0.50, 0.34, 0.25], [0.33, 0.22, 0.17]]
    )
    at = dark * (len(ramp) - 1)
    skin = np.array([np.interp(at, range(len(ramp)), ramp[:, c]) for c in range(3)]) + rng.normal(0, 0.015, 3)
    hues = np.array([[0.09, 0.07, 0.06], [0.20, 0.13, 0.09], [0.33, 0.21, 0.13], [0.60, 0.46, 0.28], [0.45, 0.20, 0.10],
                     [0.62, 0.61, 0.60]])  # fmt: skip
    chances = np.array([4, 2, 0.3, 0, 0, 0.6]) if dark > 0.45 else np.array([1, 2, 2, 1.5, 0.4, 0.8])
    hair = hues[rng.choice(len(hues), p=chances / chances.sum())] * rng.uniform(0.8, 1.2)
    irises = np.array(
        [[0.25, 0.14, 0.08], [0.40, 0.25, 0.12], [0.35, 0.40, 0.24], [0.35, 0.50, 0.62], [0.45, 0.48, 0.50]]
    )
    chances = np.array([6, 2, 0.3, 0.1, 0.1]) if dark > 0.45 else np.array([2, 2, 1.5, 2, 1])
    male = rng.random() < 0.5
    pale = skin * [0.92, 0.66, 0.66]
    painted = np.array([0.72, 0.25, 0.28])
    made_up = 0 if male else rng.uniform(0, 0.7)
    return Colours(
        skin=skin,
        lips=np.clip((1 - made_up) * pale + made_up * painted * (0.55 + 0.5 * skin[0]), 0, 1),
        hair=np.clip(hair, 0, 1),
        iris=irises[rng.choice(len(irises), p=chances / chances.sum())],
        teeth=tuple(float(c) for c in np.array([0.95, 0.92, 0.84]) * rng.uniform(0.88, 1.0)),
        shirt=tuple(float(c) for c in rng.uniform(0.05, 0.85, 3)),
        hair_length=0.0 if rng.random() < 0.1 else float(rng.uniform(0.005, 0.022)),
        hair_line=float(rng.uniform(-0.008, 0.015)),
        brow_width=float(rng.uniform(0.0035, 0.006) if male else rng.uniform(0.002, 0.0045)),
        brow_strength=float(rng.uniform(0.55, 1.0)),
        stubble=float(rng.uniform(0, 0.5)) if male and rng.random() < 0.6 else 0.0,
        blotches=float(rng.uniform(0.01, 0.05)),
    )


def _around(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    u = 0.5 + np.arctan2(points[..., 0], points[..., 2] - _AXIS_Z) / (2 * np.pi)
    return u, (points[..., 1] - _LOW) / (_HIGH - _LOW)


def cylinder_uvs(points: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """[F,4,2] texture coordinates of the mean face's vertices; faces over the seam behind run past 1."""
    u, v = _around(points)
    corners = np.stack([u, v], 1)[quads]
    seam = np.ptp(corners[..., 0], axis=1) > 0.5
    corners[..., 0] += seam[:, None] & (corners[..., 0] < 0.5)
    return corners


def scalp_height(points: np.ndarray, hair_line: float) -> np.ndarray:
    """[V] metres above the hair line: over the brow, around the ears, down the nape."""
    azimuth = np.abs(np.arctan2(points[:, 0], points[:, 2] - _AXIS_Z))
    line = np.interp(azimuth, np.radians([0, 35, 55, 70, 84, 100, 112, 130, 180]),
                     np.array([62, 58, 40, 5, 10, 30, -5, -45, -55]) / 1000)  # fmt: skip
    return points[:, 1] - line - hair_line * (azimuth < np.radians(60))


def _texels(points: np.ndarray) -> np.ndarray:
    u, v = _around(points)
    return np.stack([u * WIDTH, (1 - v) * HEIGHT], -1)


def _noise(rng: np.random.Generator, cells: tuple[int, int]) -> np.ndarray:
    return cv2.resize(rng.standard_normal(cells).astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


def _mix(picture: np.ndarray, colour: np.ndarray, mask: np.ndarray) -> None:
    rows, columns = np.flatnonzero(mask.max(1) > 1e-3), np.flatnonzero(mask.max(0) > 1e-3)
    if len(rows):
        box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        picture[box] += mask[box][..., None] * (np.asarray(colour, np.float32) - picture[box])


def _area(polygon: np.ndarray, blur: float) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.fillPoly(mask, [np.round(polygon * 16).astype(np.int32)], 1.0, cv2.LINE_8, 4)
    return cv2.GaussianBlur(mask, (0, 0), blur)


def _spot(centre: np.ndarray, radius: float) -> np.ndarray:
    x = np.exp(-((np.arange(WIDTH, dtype=np.float32) - centre[0]) ** 2) / (2 * radius**2))
    y = np.exp(-((np.arange(HEIGHT, dtype=np.float32) - centre[1]) ** 2) / (2 * radius**2))
    return np.asarray(y[:, None] * x)


def skin_texture(marks: np.ndarray, colours: Colours, rng: np.random.Generator) -> Texture:
    """marks [68,3]: the mean face's landmarks in metres."""
    at = _texels(marks)
    picture = np.tile(colours.skin.astype(np.float32), (HEIGHT, WIDTH, 1))
    picture *= (1 + colours.blotches * (0.6 * _noise(rng, (24, 48)) + 0.5 * _noise(rng, (120, 240))))[..., None]
    picture += 0.012 * _noise(rng, (512, 1024))[..., None]
    red = colours.skin * [1.03, 0.86, 0.84]
    for side in (31, 35):
        _mix(picture, red, 0.5 * _spot(at[side] + [70 if side == 35 else -70, -10], 55))
    _mix(picture, red, 0.6 * _spot(at[30], 40))
    for lids in (slice(36, 42), slice(42, 48)):
        _mix(picture, colours.skin * [0.86, 0.76, 0.76], 0.55 * _spot(at[lids].mean(0), 38))
        ring = np.zeros((HEIGHT, WIDTH), np.float32)
        cv2.polylines(ring, [np.round(at[lids]).astype(np.int32)], True, 1.0, 4)
        _mix(picture, 0.35 * colours.skin, 0.45 * np.clip(cv2.GaussianBlur(ring, (0, 0), 2.2), 0, 1))
    if colours.stubble > 0:
        jaw = np.concatenate([at[2:15], at[[35, 33, 31]]])
        specks = np.clip(0.6 + 0.4 * rng.standard_normal((HEIGHT, WIDTH), np.float32), 0, 1)
        _mix(picture, 0.5 * colours.skin * [0.85, 0.9, 1.0], colours.stubble * specks * _area(jaw, 14))
    lips = at[48:60] + (at[48:60] - at[48:60].mean(0)) * [0.03, 0.02]
    _mix(picture, colours.lips, 0.9 * _area(lips, 2.5))
    seam = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.polylines(seam, [np.round(at[[60, 61, 62, 63, 64]]).astype(np.int32)], False, 1.0, 3)
    _mix(picture, 0.45 * colours.lips, 0.6 * np.clip(cv2.GaussianBlur(seam, (0, 0), 1.5), 0, 1))
    _paint_scalp(picture, colours)
    for brow in (at[17:22], at[22:27][::-1]):
        _paint_brow(picture, brow, colours, rng)
    bytes_ = np.clip(255 * picture + 0.5, 0, 255).astype(np.uint8)
    return Texture(np.dstack([bytes_, np.full((HEIGHT, WIDTH), 255, np.uint8)]))


def _paint_scalp(picture: np.ndarray, colours: Colours) -> None:
    """The skin under the hair is dark, or shows close-cut hair."""
    if colours.hair_length <= 0:
        return
    above = _above_hair_line((HEIGHT, WIDTH), colours)
    _mix(picture, colours.hair, np.clip((above - 0.002) / 0.012, 0, 0.95))


def _above_hair_line(shape: tuple[int, int], colours: Colours) -> np.ndarray:
    """[h,w] metres above the hair line of each texel."""
    height, width = shape
    azimuth = ((np.arange(width) + 0.5) / width - 0.5) * 2 * np.pi
    unit = np.stack([np.sin(azimuth), np.zeros(width), np.cos(azimuth) + _AXIS_Z], 1)
    rows = _HIGH - (np.arange(height) + 0.5) / height * (_HIGH - _LOW)
    return (rows[:, None] + scalp_height(unit, colours.hair_line)).astype(np.float32)


def _paint_brow(picture: np.ndarray, brow: np.ndarray, colours: Colours, rng: np.random.Generator) -> None:
    """Hairs along the arch, outer end first in `brow` [5,2]; they lean outwards."""
    scale = HEIGHT / (_HIGH - _LOW)
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    t = np.linspace(0, 1, len(brow))
    outwards = np.sign(brow[0, 0] - brow[-1, 0])
    for _ in range(420):
        s = rng.random()
        x, y = np.interp(s, t, brow[:, 0]), np.interp(s, t, brow[:, 1])
        thick = colours.brow_width * scale * (0.35 + 0.65 * min(1.0, 2.2 * s)) * min(1.0, 6 * (1.04 - s))
        y += 8 + rng.normal(0, 0.5) * thick
        length = rng.uniform(8, 16)
        angle = np.radians(rng.normal(75 * s - 5, 14))  # upright near the nose
        end = x + outwards * length * np.cos(angle), y - length * np.sin(angle) * 0.8
        start = (round(16 * x), round(16 * y))
        cv2.line(mask, start, (round(16 * end[0]), round(16 * end[1])), 1.0, 1, cv2.LINE_AA, 4)
    soft = np.clip(0.65 * mask + 0.9 * cv2.GaussianBlur(mask, (0, 0), 2.5), 0, 1)
    _mix(picture, 0.75 * colours.hair, colours.brow_strength * soft)


def eye_texture(colours: Colours, rng: np.random.Generator) -> Texture:
    """The front of the eyeball in the middle; the distance from the middle is the angle, half a turn at the edge."""
    size = 512
    y, x = (np.mgrid[0:size, 0:size].astype(np.float32) + 0.5 - size / 2) / (0.49 * size)
    angle, turn = np.degrees(np.hypot(x, y) * np.pi), np.arctan2(y, x)
    picture = np.empty((size, size, 3), np.float32)
    picture[:] = (0.90, 0.87, 0.85)
    _mix(picture, np.array([0.85, 0.62, 0.58]), np.clip((angle - 38) / 50, 0, 0.6))
    rays = np.interp(turn, np.linspace(-np.pi, np.pi, 90), rng.uniform(0.7, 1.25, 90)).astype(np.float32)
    iris = np.clip(colours.iris[None, None] * rays[..., None], 0, 1).astype(np.float32)
    iris *= (1.0 - 0.65 * np.clip((angle - 21) / 5, 0, 1) + 0.35 * np.clip((16 - angle) / 6, 0, 1))[..., None]
    inside = np.clip((27.5 - angle) / 2.5, 0, 1)[..., None]
    picture += inside * (iris - picture)
    _mix(picture, np.zeros(3), np.clip((rng.uniform(9, 13) - angle) / 1.5, 0, 1))
    return Texture(np.dstack([np.clip(255 * picture, 0, 255).astype(np.uint8), np.full((size, size), 255, np.uint8)]))


def fur_texture(colours: Colours, height: float, rng: np.random.Generator) -> Texture:
    """Hairs cut through at a height 0..1: many near the skin, few at the tips."""
    shape = (512, 1024)
    strands = np.random.default_rng(17).standard_normal(shape).astype(np.float32)  # the same hairs in every layer
    strands = cv2.GaussianBlur(strands, (0, 0), 0.8, sigmaY=3.0)
    strands /= strands.std()
    alpha = np.clip((strands - 1.9 * height + 1.2) / 0.8, 0, 1)
    if height == 0:
        alpha[:] = 1
    ragged = 0.004 * cv2.GaussianBlur(strands, (0, 0), 2.0, sigmaY=6.0) / 0.3
    alpha *= np.clip((_above_hair_line(shape, colours) + ragged) / 0.006 + 0.3, 0, 1)
    shade = colours.hair * (0.75 + 0.35 * height) * (1 + 0.16 * strands[..., None])
    shade = np.clip(shade + 0.01 * rng.standard_normal(shape)[..., None], 0, 1)
    return Texture(np.dstack([255 * shade, 255 * alpha]).astype(np.uint8))


def lash_texture(rng: np.random.Generator) -> Texture:
    """Lashes side by side, thick below and pointed above."""
    width, height = 1024, 64
    alpha = np.zeros((height, width), np.float32)
    for _ in range(150):
        x, lean, length = rng.uniform(0, width), rng.normal(0, 6), rng.uniform(0.5, 0.95) * height
        for part in np.linspace(0, 1, 12):
            at = (round(16 * (x + lean * part**2)), round(16 * (height - 1 - length * part)))
            cv2.circle(alpha, at, 16 if part < 0.6 else 8, 1.0 - 0.7 * part, -1, cv2.LINE_AA, 4)
    picture = np.zeros((height, width, 4), np.uint8)
    picture[..., :3] = (28, 20, 18)
    picture[..., 3] = np.clip(200 * alpha, 0, 255)
    return Texture(picture)
