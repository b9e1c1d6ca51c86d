# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound of any length through a network that hears some seconds at once: windows with context, blended seams."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..errors import CancelledError

RATE = 50
"""Steps per second."""
CHUNK = 10 * RATE
"""Steps kept of each window."""
CONTEXT = RATE
"""Steps of neighbouring sound the network hears on either side of a chunk."""
FADE = RATE // 5
"""Steps on either side of a seam over which one chunk's features are blended into the next one's."""
WINDOW = CHUNK + 2 * CONTEXT


def hear_in_windows(
    steps: int,
    dimension: int,
    hear: Callable[[int, int], np.ndarray],
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> np.ndarray:  # [steps, dimension] float32
    """Features of all steps, put together from windows of at most :data:`WINDOW` steps.

    hear: given the steps low .. high (which may lie outside 0 .. steps), their features [high - low, dimension]. The
    outer second on each side is thrown away, and seams are blended over 0.4 s. Raises :class:`CancelledError`.
    """
    out = np.empty((steps, dimension), np.float32)
    tail = out[:0]  # what the window before said about the first steps of this one
    for begin in range(0, steps, CHUNK):
        if cancelled is not None and cancelled():
            raise CancelledError("Reading the speech was cancelled.")
        end = min(begin + CHUNK, steps)
        # the context on the right doubles as this window's side of the next seam
        window = hear(begin - CONTEXT, end + CONTEXT)
        if begin == 0:
            out[:end] = window[CONTEXT : CONTEXT + end]
        else:
            fade = min(FADE, end - begin)
            weight = ((np.arange(-FADE, fade) + 0.5 + FADE) / (2 * FADE))[:, None].astype(np.float32)
            fresh = window[CONTEXT - FADE : CONTEXT + end - begin]
            out[begin : begin + fade] = tail[:fade]
            seam = out[begin - FADE : begin + fade]  # a view
            seam += (fresh[: FADE + fade] - seam) * weight
            out[begin + fade : end] = fresh[FADE + fade :]
        tail = window[CONTEXT + end - begin : CONTEXT + end - begin + FADE]
        if progress is not None:
            progress(end / steps)
    return out
