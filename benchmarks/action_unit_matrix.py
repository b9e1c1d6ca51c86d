# SPDX-License-Identifier: GPL-3.0-or-later
"""What was raised against what was read, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hmtalker.action_units import CODES

STRONGEST = 3
LEAST_LEAK = 0.1
"""Smaller leaks are not named."""
CELL, MARGIN, TOP = 30, 52, 64
FULL = 1.2
"""Change at which a cell has its full colour."""
MORE, LESS = (27, 94, 140), (178, 69, 40)


def matrix_table(found: Mapping[str, np.ndarray], moved: np.ndarray, codes: Sequence[str] = CODES) -> str:
    """found: base -> [M, M, poses] change of every unit read (second axis) by the unit raised (first). moved: [M, 2]
    millimetres at rest and in speech. codes: [M].

    One row a unit: what it reads of itself by base, over all bases with the deviation over faces, the sum of absolute
    leaks, the strongest of them, and the millimetres.
    """
    lines = [
        "| raised by 1 | " + " | ".join(found) + " | all | leaks, sum | strongest leaks | moves, mm: rest, speech |"
    ]
    lines.append("|---" * (len(found) + 5) + "|")
    everything = np.concatenate(list(found.values()), 2)
    mean = known_mean(everything, 2)
    for unit, code in enumerate(codes):
        by_base = [_number(float(known_mean(values[unit, unit], 0))) for values in found.values()]
        leaks = np.where(np.arange(len(codes)) == unit, 0, mean[unit])
        order = [other for other in np.argsort(-np.abs(leaks)) if abs(leaks[other]) >= LEAST_LEAK][:STRONGEST]
        named = ", ".join(f"{codes[other]} {leaks[other]:+.2f}" for other in order) or "none"
        own = everything[unit, unit]
        spread = float(np.nanstd(own)) if np.isfinite(own).any() else float("nan")
        total = f"{_number(float(mean[unit, unit]))} ± {_number(spread)}"
        cells = [code, *by_base, total, f"{np.abs(leaks).sum():.2f}", named]
        lines.append("| " + " | ".join(cells) + f" | {moved[unit, 0]:.1f}, {moved[unit, 1]:.1f} |")
    own, others, count = np.diag(mean), mean[~np.eye(len(codes), dtype=bool)], len(codes)
    lines.append("")
    lines.append(
        f"Mean of the diagonal {np.nanmean(own):.2f} (median {np.nanmedian(own):.2f}); mean of the sums of leaks "
        f"{np.nansum(np.abs(others)) / count:.2f}; in {int((own > _largest_other(mean)).sum())} of {count} rows the "
        "unit itself is what rises most."
    )
    return "\n".join(lines)


def matrix_svg(mean: np.ndarray, codes: Sequence[str] = CODES) -> str:
    """A picture of [M,M] changes: rows raised, columns read, blue where more is read, red where less."""
    side = len(codes) * CELL
    width, height = MARGIN + side + 8, TOP + side + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{MARGIN + side / 2}" y="18" text-anchor="middle" font-size="13">read by the extractor</text>',
        f'<text x="4" y="{TOP - 8}" font-size="11">raised by 1</text>',
    ]
    for index, code in enumerate(codes):
        x = MARGIN + (index + 0.5) * CELL
        parts.append(f'<text x="{x}" y="{TOP - 24}" text-anchor="middle">{code[2:]}</text>')
        parts.append(f'<text x="{MARGIN - 8}" y="{TOP + (index + 0.5) * CELL + 4}" text-anchor="end">{code}</text>')
        for other in range(len(codes)):
            parts.append(_cell(MARGIN + other * CELL, TOP + index * CELL, float(mean[index, other]), index == other))
    return "\n".join([*parts, "</svg>", ""])


def _cell(x: int, y: int, value: float, own: bool) -> str:
    known = np.isfinite(value)
    strength = min(abs(value) / FULL, 1.0) if known else 0.0
    colour = MORE if value > 0 else LESS
    fill = "#" + "".join(f"{round(255 + (part - 255) * strength):02x}" for part in colour)
    line = ' stroke="#222222" stroke-width="1.5"' if own else ' stroke="#e2e2e2"'
    box = f'<rect x="{x}" y="{y}" width="{CELL}" height="{CELL}" fill="{fill}"{line}/>'
    if not known or abs(value) < 0.05:
        return box
    ink = "#ffffff" if strength > 0.55 else "#222222"
    text = f"{value:.1f}".replace("0.", ".").replace("-", "−")
    return box + f'<text x="{x + CELL / 2}" y="{y + CELL / 2 + 4}" text-anchor="middle" fill="{ink}">{text}</text>'


def known_mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean of what is known; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis)
    return np.asarray(np.where(count > 0, np.where(known, values, 0).sum(axis) / np.maximum(count, 1), np.nan))


def _largest_other(mean: np.ndarray) -> np.ndarray:
    masked = mean.copy()
    np.fill_diagonal(masked, -np.inf)
    return np.asarray(np.nanmax(masked, 1))


def _number(value: float) -> str:
    return "–" if not np.isfinite(value) else f"{value:.2f}"
