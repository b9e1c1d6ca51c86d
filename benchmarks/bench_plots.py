# SPDX-License-Identifier: GPL-3.0-or-later
"""Cost against size as plain SVG: panels with logarithmic axes; dashed where cost would be in proportion."""

from __future__ import annotations

import math
from collections.abc import Mapping
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 330, 270, 52, 44, 30, 14
INKS = ("#1f5fa8", "#c2572b", "#3a8f4d", "#7a4fa3")

Series = Mapping[str, list[tuple[float, float]]]


def panels(parts: list[tuple[str, str, str, Series]]) -> str:
    """SVG of the panels (title, x label, y label, name -> points) beside each other."""
    body = "".join(
        f'<g transform="translate({WIDTH * index},0)">{_panel(*part)}</g>' for index, part in enumerate(parts)
    )
    size = f'width="{WIDTH * len(parts)}" height="{HEIGHT}" viewBox="0 0 {WIDTH * len(parts)} {HEIGHT}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{body}</svg>\n'
    )


def _panel(title: str, x_label: str, y_label: str, series: Series) -> str:
    points = [point for line in series.values() for point in line]
    x_from, x_to = _range([x for x, _ in points])
    y_from, y_to = _range([y for _, y in points])

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log(x) - math.log(x_from)) / (math.log(x_to) - math.log(x_from))
        up = (math.log(y) - math.log(y_from)) / (math.log(y_to) - math.log(y_from))
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - BOTTOM - TOP)

    out = [f'<text x="{LEFT}" y="18" font-weight="bold">{escape(title)}</text>']
    for value in sorted({x for x, _ in points}):
        x, y = place(value, y_from)
        out.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{y:.1f}" stroke="#e4e4e4"/>')
        out.append(f'<text x="{x:.1f}" y="{y + 14:.1f}" text-anchor="middle">{_short(value)}</text>')
    for value in _ticks(y_from, y_to):
        x, y = place(x_from, value)
        out.append(f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#e4e4e4"/>')
        out.append(f'<text x="{x - 5:.1f}" y="{y + 4:.1f}" text-anchor="end">{_short(value)}</text>')
    for index, (name, line) in enumerate(series.items()):
        ink = INKS[index % len(INKS)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in line))
        out.append(f'<polyline points="{path}" fill="none" stroke="{ink}" stroke-width="2"/>')
        out += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{ink}"/>' for x, y in (place(*point) for point in line)
        ]
        (first, cost), (last, _) = line[-1], line[0]
        low = max(last, first * y_from / cost)
        ends = (place(first, cost), place(low, cost * low / first))
        out.append(
            '<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" stroke-dasharray="3 3" opacity="0.5" '.format(
                *ends[0], *ends[1]
            )
            + f'stroke="{ink}"/>'
        )
        label = HEIGHT - BOTTOM - 6 - 14 * (len(series) - 1 - index)
        out.append(f'<text x="{WIDTH - RIGHT - 6}" y="{label}" text-anchor="end" fill="{ink}">{escape(name)}</text>')
    out.append(f'<text x="{(WIDTH + LEFT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x_label)}</text>')
    middle = (HEIGHT - BOTTOM + TOP) / 2
    out.append(
        f'<text x="12" y="{middle}" text-anchor="middle" transform="rotate(-90 12 {middle})">{escape(y_label)}</text>'
    )
    return "".join(out)


def _range(values: list[float]) -> tuple[float, float]:
    return min(values) / 1.15, max(values) * 1.15


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [value for power in powers for step in (1, 2, 5) if low <= (value := step * 10.0**power) <= high]


def _short(value: float) -> str:
    if value >= 1_000_000:
        return f"{value / 1_000_000:.2g}M"
    return f"{value / 1000:.0f}k" if value >= 10_000 else f"{value:g}"
