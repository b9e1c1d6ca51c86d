# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawing in text: elements of SVG and HTML whose attributes and words are escaped."""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape
from itertools import pairwise

import numpy as np


def clean(words: object) -> str:
    """`words` for the inside of an element or attribute; what no page may hold is replaced."""
    text = str(words).encode("utf-8", "replace").decode("utf-8")
    return escape("".join(c if c.isprintable() or c == " " else "\N{REPLACEMENT CHARACTER}" for c in text), quote=True)


def tag(name: str, *inside: str, **attributes: object) -> str:
    """An element. inside: markup, already escaped. A trailing _ and each _ in attribute names are for Python."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{clean(_short(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{told}>{''.join(inside)}</{name}>"


def words(x: float, y: float, text: object, kind: str = "label", anchor: str = "start") -> str:
    return tag("text", clean(text), x=x, y=y, class_=kind, text_anchor=anchor)


def bar(x: float, y: float, width: float, height: float, kind: str, hint: str = "") -> str:
    """A rectangle, with a hint that appears when it is pointed at."""
    inside = tag("title", clean(hint)) if hint else ""
    return tag("rect", inside, x=x, y=y, width=max(width, 0.0), height=max(height, 0.0), class_=kind)


def line(x1: float, y1: float, x2: float, y2: float, kind: str = "grid") -> str:
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)


def path(points: Iterable[tuple[float, float]], kind: str) -> str:
    """A line through points; those that are not finite interrupt it."""
    parts, pen = [], "M"
    for x, y in points:
        if math.isfinite(x) and math.isfinite(y):
            parts.append(f"{pen}{x:.1f} {y:.1f}")
            pen = "L"
        else:
            pen = "M"
    return tag("path", d="".join(parts) or "M0 0", class_=kind)


def drawing(width: float, height: float, title: str, *inside: str) -> str:
    return tag(
        "svg",
        tag("title", clean(title)),
        *inside,
        viewBox=f"0 0 {_short(width)} {_short(height)}",
        style=f"max-width:{_short(width)}px",
        role="img",
        xmlns="http://www.w3.org/2000/svg",
    )


def envelope(values: np.ndarray, left: float, width: float, low: float, high: float, top: float, height: float) -> str:
    """Path data of [T] values drawn low..high as one upright stroke a column: nothing short is lost in a long row."""
    columns = max(1, min(len(values), round(width)))
    edges = np.linspace(0, len(values), columns + 1).astype(int)
    parts = []
    for column, (begin, end) in enumerate(pairwise(edges)):
        part = values[max(0, begin - 1) : end]  # with the one before, so that strokes join
        part = part[np.isfinite(part)]
        if len(part):
            x = left + (column + 0.5) * width / columns
            ends = np.clip((np.array([part.max(), part.min()]) - low) / (high - low), 0, 1)
            upper, lower = (top + height * (1 - ends)).tolist()
            parts.append(f"M{x:.1f} {upper:.1f}V{max(lower, upper + 0.8):.1f}")
    return "".join(parts) or "M0 0"


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Start and stop of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _short(value: object) -> object:
    return f"{value:.1f}".rstrip("0").rstrip(".") if isinstance(value, float | np.floating) else value
