# SPDX-License-Identifier: GPL-3.0-or-later
"""How late is the sound? The mouth opening that the voice asks for, laid against the one that was filmed.

The voice's part comes from a network that heard another speaker, so only its timing is used: it is correlated with the
gap between the lips, block by block, at every shift of the sound. Where the blocks agree, the summit is the offset.
Correlation with a predicted opening finds the offset as well as a trained synchronisation network does on such video
(1.5 s windows of five groups of GRID speakers), and far better than loudness, which does not know B from AH.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

REACH = 15
"""Frames by which the sound is shifted either way: 0.6 s."""
BLOCK = 75
"""Frames of a block: three seconds, in which one shift is told from its neighbours."""
SHORTEST = 30
"""Frames of the shortest block."""
FEWEST_BLOCKS = 4
"""Blocks with speech and a visible mouth that are needed to tell anything."""
KNOWN = 0.9
"""Share of a block's frames that must show the mouth."""
SPEECH = 0.25
"""Share of a block's frames that must hold speech."""
LEAST_CORRELATION = 0.4
"""At the summit. Swapping the sound for that of another clip gives .33 to .39 on GRID, whose sentences
are timed alike."""
LEAST_LEAD = 0.08
"""By which the summit must rise above everything further away than SUMMIT frames."""
SUMMIT = 4
LARGEST_SPREAD = 20.0
"""Milliseconds: with a larger standard error the offset is not told."""
DRAWS = 200
EXTREME = 99.0
"""Percentile above which a gap is a mistake of the tracker."""


@dataclass(frozen=True)
class LipSync:
    """Offset of the sound against the lips."""

    known: bool
    """Whether the offset can be relied on."""
    milliseconds: float
    """Positive where the sound comes too late; NaN where nothing could be compared."""
    error: float
    """Its standard error in milliseconds, by drawing blocks anew."""
    correlation: float
    """At the summit."""
    drift: float
    """Milliseconds by which the offset of the last third is later than that of the first; NaN if it cannot be told."""
    blocks: int
    """How many blocks were compared."""
    curve: tuple[float, ...] = ()
    """Correlation at the shifts -REACH..REACH."""
    reason: str = ""
    """Why the offset is not known."""


def measure_lip_sync(
    gap: np.ndarray, opening: np.ndarray, clips: np.ndarray, speaking: np.ndarray, fps: float = 25.0
) -> LipSync:
    """gap: [T] between the lips, any unit, NaN where not seen. opening: [T] that the voice asks for, NaN where not
    heard. clips: [T] which clip a frame belongs to. speaking: bool [T]."""
    sums = _blocks(np.asarray(gap, np.float64), np.asarray(opening, np.float64), clips, np.asarray(speaking, bool))
    count = len(sums)
    if count < FEWEST_BLOCKS:
        return _unknown(count, "there is too little speech with the mouth in view")
    curve = _curve(sums)
    summit, top, lead = _summit(curve)
    rng = np.random.default_rng(0)
    draws = [_summit(_curve(sums[rng.integers(0, count, count)]))[0] for _ in range(DRAWS)]
    milliseconds = 1000.0 / fps
    error = float(np.std(draws) * milliseconds)
    reason = ""
    if abs(summit) > REACH - 1:
        reason = f"sound and lips do not meet within {REACH / fps:.1f} seconds"
    elif top < LEAST_CORRELATION or lead < LEAST_LEAD:
        reason = "the lips do not follow the sound clearly at any shift"
    elif error > LARGEST_SPREAD:
        reason = "parts of the footage disagree"
    return LipSync(
        known=not reason,
        milliseconds=summit * milliseconds,
        error=error,
        correlation=top,
        drift=_drift(sums) * milliseconds,
        blocks=count,
        curve=tuple(round(float(value), 4) for value in curve),
        reason=reason,
    )


def _unknown(blocks: int, reason: str) -> LipSync:
    nan = float("nan")
    return LipSync(False, nan, nan, nan, nan, blocks, (), reason)


def _blocks(gap: np.ndarray, opening: np.ndarray, clips: np.ndarray, speaking: np.ndarray) -> np.ndarray:
    """float64 [blocks, 3, 2 REACH + 1]: products, squares of the gap, squares of the opening, at every shift."""
    found: list[np.ndarray] = []
    if np.isfinite(gap).any():
        # from above only: a mouth that the tracker tears open must not outweigh a minute of speech
        gap = np.minimum(gap, 1.2 * np.nanpercentile(gap, EXTREME))
    edges = np.flatnonzero(np.diff(clips)) + 1
    for begin, end in zip([0, *edges], [*edges, len(gap)], strict=True):
        inside = end - begin - 2 * REACH
        if inside < SHORTEST:
            continue
        parts = max(1, round(inside / BLOCK))
        bounds = begin + REACH + np.linspace(0, inside, parts + 1).astype(int)
        for first, last in pairwise(bounds):
            wide = slice(first - REACH, last + REACH)
            seen = np.isfinite(gap[first:last])
            heard = np.isfinite(opening[wide])
            if seen.mean() < KNOWN or not heard.all() or speaking[wide].mean() < SPEECH:
                continue
            places = np.arange(last - first)
            lips = np.interp(places, places[seen], gap[first:last][seen])
            lips = lips - lips.mean()
            windows = np.lib.stride_tricks.sliding_window_view(opening[wide], last - first)
            windows = windows - windows.mean(1, keepdims=True)
            own = np.full(2 * REACH + 1, lips @ lips)
            if own[0] > 0 and (windows**2).sum() > 0:
                found.append(np.stack([windows @ lips, own, (windows**2).sum(1)]))
    return np.array(found).reshape(-1, 3, 2 * REACH + 1)


def _curve(sums: np.ndarray) -> np.ndarray:
    """Correlation at every shift over all blocks."""
    product, gaps, openings = sums.sum(0)
    return np.asarray(product / np.sqrt(np.maximum(gaps * openings, 1e-30)))


def _summit(curve: np.ndarray) -> tuple[float, float, float]:
    """Shift in frames, between frames by a parabola through the three highest; the height there; and by how much it
    rises above everything further away."""
    best = int(np.argmax(curve))
    lead = float(curve[best] - curve[np.abs(np.arange(len(curve)) - best) > SUMMIT].max())
    if not 0 < best < len(curve) - 1:
        return float(best - REACH), float(curve[best]), lead
    before, at, after = curve[best - 1 : best + 2]
    bend = before - 2 * at + after
    part = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float(best - REACH + part), float(at - 0.25 * (before - after) * part), lead


def _drift(sums: np.ndarray) -> float:
    """Frames by which the summit of the last third lies later than that of the first."""
    third = len(sums) // 3
    if third < FEWEST_BLOCKS:
        return float("nan")
    first, last = _summit(_curve(sums[:third])), _summit(_curve(sums[-third:]))
    clear = all(top >= LEAST_CORRELATION and lead >= LEAST_LEAD for _, top, lead in (first, last))
    return last[0] - first[0] if clear else float("nan")
