# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound of hours in flat memory: encoded ten minutes at a time, of which only what the motion model needs is kept.

An encoder hears :data:`~.seams.CHUNK` steps at once with a second of sound around them, and blends the seams. A stretch
that begins two chunks early and ends a chunk and a second late therefore says about its own steps what the whole would:
the chunk before it has all its sound, and so does the one whose seam reaches back into it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .encoder import Cancelled, Progress, SpeechEncoder
from .loudness import speech_gain
from .seams import CHUNK, CONTEXT

SAMPLE_RATE = 16000
STRETCH = 60 * CHUNK
"""Steps of a stretch: ten minutes."""
BEFORE, AFTER = 2 * CHUNK, CHUNK + CONTEXT
"""Steps that are encoded on either side of a stretch and thrown away."""


def encode_in_stretches(
    encoder: SpeechEncoder,
    samples: np.ndarray,
    keep: Callable[[np.ndarray], np.ndarray],
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    stretch: int = STRETCH,
) -> np.ndarray:
    """keep(features [t,D]) -> [t,K] of all steps, [T,K], as if all of `samples` had been encoded at once.

    samples: [n] float32, mono, 16 kHz. stretch: whole chunks. Raises CancelledError.
    """
    hop = round(SAMPLE_RATE / encoder.rate)
    steps = math.ceil(len(samples) / hop)
    if steps <= stretch:
        return keep(encoder.encode(samples, progress=progress, cancelled=cancelled))
    gain = speech_gain(samples)
    kept: np.ndarray | None = None
    for begin in range(0, steps, stretch):
        end = min(steps, begin + stretch)
        first, last = max(0, begin - BEFORE), min(steps, end + AFTER)

        def part_done(fraction: float, begin: int = begin, end: int = end) -> None:
            if progress is not None:
                progress((begin + fraction * (end - begin)) / steps)

        part = samples[first * hop : last * hop]
        rows = keep(
            encoder.encode(part, gain=gain, progress=part_done, cancelled=cancelled)[begin - first : end - first]
        )
        if kept is None:
            kept = np.empty((steps, rows.shape[1]), rows.dtype)
        kept[begin:end] = rows
    assert kept is not None
    return kept
