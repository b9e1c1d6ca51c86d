# SPDX-License-Identifier: GPL-3.0-or-later
"""Plots of the report, as SVG: Action Units, lip shapes, visemes, turns of the head, light, sharpness, lip-sync."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...action_unit_sets import EXTENDED
from .coverage import LEVELS, LIP_SHAPES, TRUSTED, Coverage
from .facts import CaptureFacts
from .lip_sync import REACH, LipSync
from .performance_findings import LEAST_SHAPE
from .picture_findings import BLURRED, DARK
from .sound_findings import LATE
from .svg import bar, drawing, line, path, words

NAMES = dict(zip(EXTENDED.codes, EXTENDED.names, strict=True))
CELL = 2.5
"""Degrees of a square of the pose plot."""
POSE_REACH = 40.0


def unit_plot(coverage: Coverage) -> str:
    """A bar for each Action Unit: share of the frames above levels 1, 2, 3, drawn over each other."""
    units, left, width, row = coverage.units, 230.0, 240.0, 20.0
    if not units:
        return ""
    longest = max(0.25, *(unit.shares[0] for unit in units))
    parts = [_scale(left, width, len(units) * row, longest)]
    for index, unit in enumerate(units):
        y = index * row + 4
        trusted = unit.confidence is None or unit.confidence >= TRUSTED
        faint = "" if trusted else " faint"
        parts.append(words(0, y + 11, unit.code, f"code{faint}"))
        parts.append(words(52, y + 11, NAMES.get(unit.code, ""), f"label{faint}"))
        parts.append(bar(left, y, width, row - 7, "trough"))
        for number, (level, part) in enumerate(zip(LEVELS, unit.shares, strict=True)):
            hint = f"{unit.code} above {level:g} in {100 * part:.1f} % of the frames"
            parts.append(bar(left, y, width * part / longest, row - 7, f"level{number}{faint}", hint))
        told = f"{unit.p95:.1f}" if unit.performed else "never"
        parts.append(words(left + width + 8, y + 11, told, "small" if unit.performed else "alarm"))
    return drawing(520, len(units) * row + 24, "Action Units performed", *parts)


def lip_plot(coverage: Coverage) -> str:
    """Share of each lip shape while speaking."""
    shares = {name: coverage.lip_shares[name] for name in LIP_SHAPES}
    if not any(shares.values()):
        return ""
    return _bars("Lip shapes seen while speaking", shares, LEAST_SHAPE, 110.0)


def viseme_plot(coverage: Coverage) -> str:
    """Share of each group of phones among all that were heard; "" where none was."""
    total = sum(coverage.visemes.values())
    if not total:
        return ""
    shares = {name: count / total for name, count in coverage.visemes.items()}
    return _bars("Groups of sounds heard", shares, None, 258.0)


def pose_plot(coverage: Coverage) -> str:
    """How often the head was turned where: small squares, from its usual pose."""
    angles = coverage.angles
    if not len(angles):
        return ""
    side, left, top = 300.0, 44.0, 8.0
    cells = round(2 * POSE_REACH / CELL)
    edges = np.linspace(-POSE_REACH, POSE_REACH, cells + 1)
    inside = np.clip(angles, -POSE_REACH + 1e-3, POSE_REACH - 1e-3)
    counts, _, _ = np.histogram2d(inside[:, 1], inside[:, 0], bins=cells, range=[(-POSE_REACH, POSE_REACH)] * 2)
    cell = side / cells
    parts = [bar(left, top, side, side, "trough")]
    strongest = np.log1p(counts.max())
    for column, row in np.argwhere(counts > 0):
        strength = int(1 + 8 * np.log1p(counts[column, row]) / strongest)
        hint = (
            f"{100 * counts[column, row] / len(angles):.1f} % of the frames around {edges[column] + CELL / 2:.1f} "
            f"degrees sideways, {edges[row] + CELL / 2:.1f} down"
        )
        parts.append(bar(left + column * cell, top + row * cell, cell - 1, cell - 1, f"heat heat{strength}", hint))
    for degrees in (-30, -15, 0, 15, 30):
        x = left + (degrees + POSE_REACH) / (2 * POSE_REACH) * side
        y = top + (degrees + POSE_REACH) / (2 * POSE_REACH) * side
        parts += [line(x, top, x, top + side), line(left, y, left + side, y)]
        parts.append(words(x, top + side + 14, f"{degrees}°", "small", "middle"))
        parts.append(words(left - 6, y + 4, f"{-degrees}°", "small", "end"))
    parts.append(
        words(left + side / 2, top + side + 32, "turned to the left or right in the picture", "label", "middle")
    )
    parts.append(words(left + 5, top + 14, "up", "small"))
    parts.append(words(left + 5, top + side - 6, "down", "small"))
    return drawing(360, side + 48, "Where the head was turned", *parts)


def light_plot(facts: CaptureFacts) -> str:
    """Brightness of the lightest parts of the face, and the light on its two halves."""
    seen = facts.seen
    highlight = facts.column("highlight")[seen]
    halves = [facts.column(name)[seen] ** (1 / 2.2) for name in ("light_left", "light_right")]
    if not len(highlight):
        return ""
    parts = [_histogram([highlight], 0.0, 1.0, 0, ("level1",), DARK)]
    parts.append(words(0, 12, "Lightest parts of the face", "label"))
    parts.append(_histogram(halves, 0.0, 1.0, 128, ("left-half", "right-half")))
    parts.append(words(0, 140, "Halves of the face: left and right in the picture", "label"))
    return drawing(360, 262, "Light", *parts)


def blur_plot(facts: CaptureFacts) -> str:
    """How wide edges are around eyes and mouth."""
    seen = facts.seen
    if not seen.any():
        return ""
    parts = []
    for top, name, text in ((0, "blur", "Edges around the eyes"), (128, "mouth_blur", "Edges around the mouth")):
        values = 100 * facts.column(name)[seen]
        parts.append(_histogram([values], 0.0, 8.0, top, ("level1",), 100 * BLURRED, " %"))
        parts.append(words(0, top + 12, f"{text}, of the eye distance", "label"))
    return drawing(360, 262, "Sharpness", *parts)


def sync_plot(sync: LipSync, fps: float) -> str:
    """Correlation of lips and voice at every shift of the sound; "" where nothing was compared."""
    if not sync.curve:
        return ""
    width, height, left, top = 320.0, 150.0, 30.0, 12.0
    low, high = min(0.0, *sync.curve), 1.0

    def x(frames: float) -> float:
        return left + (frames + REACH) / (2 * REACH) * width

    def y(value: float) -> float:
        return top + height * (1 - (value - low) / (high - low))

    reach = LATE / 1000 * fps
    parts = [bar(left, top, width, height, "trough"), bar(x(-reach), top, x(reach) - x(-reach), height, "fine")]
    parts += [line(left, y(v), left + width, y(v)) for v in (0.0, 0.5)]
    parts.append(path([(x(lag - REACH), y(value)) for lag, value in enumerate(sync.curve)], "trace voice"))
    summit = sync.milliseconds / 1000 * fps
    parts.append(line(x(summit), top, x(summit), top + height, "cut"))
    for milliseconds in (-600, -400, -200, 0, 200, 400, 600):
        parts.append(words(x(milliseconds / 1000 * fps), top + height + 16, milliseconds, "small", "middle"))
    parts.append(words(left + width / 2, top + height + 34, "sound late by, ms", "label", "middle"))
    return drawing(360, height + 52, "Lips against sound", *parts)


def _scale(left: float, width: float, bottom: float, longest: float) -> str:
    step = next(step for step in (0.05, 0.1, 0.2, 0.25) if longest / step <= 5.01 or step == 0.25)
    parts = []
    for number in range(int(longest / step + 0.01) + 1):
        x = left + width * number * step / longest
        parts.append(words(x, bottom + 18, f"{100 * number * step:.0f} %", "small", "middle"))
    return "".join(parts)


def _bars(title: str, shares: Mapping[str, float], least: float | None, left: float) -> str:
    width, row = 470.0 - left, 22.0
    longest = max(0.05, *shares.values())
    parts = []
    for index, (name, part) in enumerate(shares.items()):
        y = index * row
        parts.append(words(left - 8, y + 13, name, anchor="end"))
        parts.append(bar(left, y + 2, width, row - 7, "trough"))
        parts.append(bar(left, y + 2, width * part / longest, row - 7, "level1"))
        rare = least is not None and part < least
        parts.append(words(left + width + 8, y + 13, f"{100 * part:.1f} %", "alarm" if rare else "small"))
    return drawing(530, len(shares) * row + 4, title, *parts)


def _histogram(
    rows: Sequence[np.ndarray],
    low: float,
    high: float,
    top: float,
    kinds: Sequence[str],
    limit: float | None = None,
    unit: str = "",
) -> str:
    """Shares of the values by size, 360 wide and 120 high, one colour for each row of values."""
    width, height, bins = 340.0, 76.0, 40
    upper = top + 20
    counts = []
    for values in rows:
        finite = values[np.isfinite(values)]
        counts.append(np.histogram(np.clip(finite, low, high), bins, (low, high))[0] / max(1, len(finite)))
    tallest = max(1e-6, *(count.max() for count in counts))
    parts = [bar(0, upper, width, height, "trough")]
    for count, kind in zip(counts, kinds, strict=True):
        for index in np.flatnonzero(count):
            tall = height * count[index] / tallest
            parts.append(bar(index * width / bins, upper + height - tall, width / bins - 0.8, tall, kind))
    if limit is not None:
        x = (limit - low) / (high - low) * width
        parts.append(line(x, upper, x, upper + height, "limit"))
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        anchor = "start" if share == 0 else "end" if share == 1 else "middle"
        told = f"{low + share * (high - low):g}{unit}"
        parts.append(words(share * width, upper + height + 14, told, "small", anchor))
    return "".join(parts)
