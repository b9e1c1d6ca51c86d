# SPDX-License-Identifier: GPL-3.0-or-later
"""A mark that people see: the letters AI on a plate in a corner of the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CORNERS = ("BOTTOM_RIGHT", "BOTTOM_LEFT", "TOP_RIGHT", "TOP_LEFT")
PLATE = (1.5, 1.0)
"""Width and height of the plate, in plates' heights, as everything below; (0, 0) is its upper left corner."""
ROUND = 0.22
MARGIN = 0.5
"""From the plate to the edges of the picture."""
STROKE = 0.055
"""Half the width of a stroke."""
STROKES = (
    ((0.30, 0.78), (0.56, 0.22)),
    ((0.56, 0.22), (0.82, 0.78)),
    ((0.41, 0.60), (0.71, 0.60)),
    ((1.17, 0.22), (1.17, 0.78)),
)
"""A, of three, and I."""
PLATE_LIGHT, STROKE_LIGHT = 0.0, 1.0
SMALLEST = 6
"""Pixels of a plate's height below which nothing could be read."""


@dataclass(frozen=True)
class VisibleMark:
    """How the mark looks."""

    corner: str = CORNERS[0]
    size: float = 0.06
    """Height of the plate, as a share of the picture's shorter side; it is never lower than SMALLEST pixels."""
    opacity: float = 0.8
    """0..1"""


def lay_over(
    rgba: np.ndarray, mark: VisibleMark, picture: tuple[int, int] | None = None, place: tuple[int, int] = (0, 0)
) -> None:
    """Lay the mark over rgba float32 [H,W,4], premultiplied and linear, in place.

    picture: width and height of the whole picture, where rgba is a piece of it with its upper left corner at `place`
    (column, row).
    """
    width, height = picture or (rgba.shape[1], rgba.shape[0])
    tall = max(float(SMALLEST), mark.size * min(width, height))
    wide = tall * PLATE[0]
    left = MARGIN * tall if mark.corner.endswith("LEFT") else width - MARGIN * tall - wide
    top = MARGIN * tall if mark.corner.startswith("TOP") else height - MARGIN * tall - tall
    rows = _pixels(top, tall, place[1], rgba.shape[0])
    columns = _pixels(left, wide, place[0], rgba.shape[1])
    if not len(rows) or not len(columns):
        return
    x = (columns + place[0] + 0.5 - left)[None, :] / tall
    y = (rows + place[1] + 0.5 - top)[:, None] / tall
    plate = _covered(_outside_plate(x, y), tall)
    strokes = _covered(np.min([_from_stroke(x, y, *stroke) for stroke in STROKES], 0) - STROKE, tall) * plate
    alpha = (mark.opacity * plate)[..., None].astype(np.float32)
    light = (PLATE_LIGHT + (STROKE_LIGHT - PLATE_LIGHT) * strokes)[..., None].astype(np.float32)
    part = rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    part *= 1.0 - alpha
    part[..., :3] += mark.opacity * light
    part[..., 3:] += alpha


def _pixels(start: float, length: float, offset: int, count: int) -> np.ndarray:
    """The numbers of the pixels of a piece that a stretch of the picture touches."""
    first, last = int(np.floor(start - 1)) - offset, int(np.ceil(start + length + 1)) - offset
    return np.arange(max(0, first), min(count, last))


def _covered(distance: np.ndarray, tall: float) -> np.ndarray:
    """How much of a pixel lies inside an edge at this signed distance from its middle, 0..1."""
    return np.clip(0.5 - distance * tall, 0.0, 1.0)


def _outside_plate(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Signed distance to the edge of the plate; below 0 inside."""
    beyond_x = abs(x - PLATE[0] / 2) - PLATE[0] / 2 + ROUND
    beyond_y = abs(y - PLATE[1] / 2) - PLATE[1] / 2 + ROUND
    outside = np.hypot(np.maximum(beyond_x, 0.0), np.maximum(beyond_y, 0.0))
    return outside + np.minimum(np.maximum(beyond_x, beyond_y), 0.0) - ROUND


def _from_stroke(x: np.ndarray, y: np.ndarray, start: tuple[float, float], end: tuple[float, float]) -> np.ndarray:
    """Distance to the line between two points."""
    along_x, along_y = end[0] - start[0], end[1] - start[1]
    share = ((x - start[0]) * along_x + (y - start[1]) * along_y) / (along_x**2 + along_y**2)
    share = np.clip(share, 0.0, 1.0)
    return np.hypot(x - start[0] - share * along_x, y - start[1] - share * along_y)
