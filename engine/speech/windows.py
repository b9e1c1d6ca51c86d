# SPDX-License-Identifier: GPL-3.0-or-later
"""From features at 50 steps per second to one window of 16 steps (320 ms) per video frame."""

from __future__ import annotations

import numpy as np

STEPS = 16
RATE = 50.0


def window_starts(fps: float, frames: int, rate: float = RATE, steps: int = STEPS) -> np.ndarray:
    """First step of each frame's window, int64 [frames]; may be negative or lie past the end.

    Step ``t`` of an encoder is centred on ``t / rate`` seconds, frame ``j`` on ``(j + 0.5) / fps``. The middle of the
    window is the step boundary nearest the frame's centre, the earlier one where two are equally near: at 25 fps frame
    ``j`` gets the steps ``2j-7 .. 2j+8``, whose middle pair ``2j, 2j+1`` are the two steps that begin within the frame.
    """
    if fps <= 0 or rate <= 0:
        raise ValueError(f"fps and rate must be positive, not {fps} and {rate}")
    centre = (np.arange(frames, dtype=np.float64) + 0.5) * (rate / fps)
    return np.ceil(centre - steps / 2 - 1e-6).astype(np.int64)


def window_features(
    encoded: np.ndarray,  # [T, D] float32
    fps: float,
    frames: int,
    *,
    rate: float = RATE,
    steps: int = STEPS,
) -> np.ndarray:  # [frames, steps, D] float32
    """Cut the window of every video frame out of `encoded`; steps before the start and after the end are zero."""
    encoded = np.asarray(encoded, np.float32)
    if encoded.ndim != 2:
        raise ValueError(f"encoded must be [steps, dimension], not {encoded.shape}")
    if frames <= 0:
        return np.zeros((0, steps, encoded.shape[1]), np.float32)
    starts = window_starts(fps, frames, rate, steps)
    before = max(0, -int(starts[0]))
    after = max(0, int(starts[-1]) + steps - len(encoded))
    padded = np.pad(encoded, ((before, after), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, steps, axis=0)  # [T', D, steps], a view
    return np.ascontiguousarray(windows[starts + before].transpose(0, 2, 1))
