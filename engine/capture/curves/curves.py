# SPDX-License-Identifier: GPL-3.0-or-later
"""What an importer hands on: curves of a face, one row a frame, each row with what is known about it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..errors import CurvesError as CurvesError  # raised by every reader of curves


@dataclass(frozen=True)
class Curves:
    """Named curves at a constant frame rate. Frame i is shown from i / fps seconds on."""

    fps: float
    codes: tuple[str, ...]
    """Name of each column: Action Unit codes, or ARKit shapes."""
    values: np.ndarray
    """float32 [T, len(codes)]; Action Units 0..5, ARKit weights 0..1."""
    confidence: np.ndarray
    """float32 [T], 0..1, as the tracker wrote it; 0 where there is no row."""
    success: np.ndarray
    """bool [T]: False where no face was found or no row was written, so that the values are interpolated."""
    head: np.ndarray | None = None
    """float32 [T,6] pitch, yaw, roll (radians) and translation (metres from `head_origin`), in the convention of
    `HeadPose`; None if the file says nothing about the head."""
    head_origin: np.ndarray | None = None
    """float64 [3] where the head is on average, in metres from the camera, canonical axes; None if not known."""
    missing: tuple[str, ...] = ()
    """Names of `codes` that the file has no column for; their curves are 0."""
    warnings: tuple[str, ...] = field(default=())
    """One sentence each."""

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.values)


def fill_gaps(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Interpolate linearly over rows that are not known; before the first and after the last, hold.

    values: [T,n]. known: bool [T] or [T,n]; a column without any known row becomes 0. Returns a copy.
    """
    filled = np.array(values, copy=True)
    known = np.broadcast_to(known[:, None] if known.ndim == 1 else known, filled.shape)
    rows = np.arange(len(filled))
    for column in range(filled.shape[1]):
        sure = known[:, column]
        if sure.all():
            continue
        if not sure.any():
            filled[:, column] = 0
            continue
        filled[~sure, column] = np.interp(rows[~sure], rows[sure], filled[sure, column])
    return filled


def resample(times: np.ndarray, values: np.ndarray, moments: np.ndarray, width: float) -> np.ndarray:
    """Mean of a curve over a window around each moment: what a slower camera would have seen, free of aliases.

    times: [n] seconds, strictly rising. values: [n,m], taken as straight lines between times and held beyond them.
    moments: [T] seconds. width: of the window, seconds; 0 takes the curve as it is at each moment. Returns float64
    [T,m]: a constant stays itself exactly, and so does a ramp away from its ends.
    """
    if values.shape[1] > 8:  # bounds the temporary arrays for an hour of a face
        parts = [
            resample(times, values[:, begin : begin + 8], moments, width) for begin in range(0, values.shape[1], 8)
        ]
        return np.concatenate(parts, 1)
    values = np.asarray(values, np.float64)
    if len(times) == 1:
        return np.repeat(values, len(moments), 0)
    if width <= 0:
        return np.stack([np.interp(moments, times, column) for column in values.T], 1)
    low, high = moments - width / 2, moments + width / 2
    # The integral of straight lines is exact: trapezia up to the knot before, and a partial one beyond it.
    steps = np.diff(times)[:, None]
    slopes = np.diff(values, axis=0) / steps
    areas = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(0.5 * steps * (values[1:] + values[:-1]), 0)])

    def integral(at: np.ndarray) -> np.ndarray:
        inside = np.clip(at, times[0], times[-1])
        knot = np.clip(np.searchsorted(times, inside, "right") - 1, 0, len(times) - 2)
        past = (inside - times[knot])[:, None]
        whole = areas[knot] + past * (values[knot] + 0.5 * past * slopes[knot])
        beyond = (at - inside)[:, None]
        return np.asarray(whole + beyond * np.where(beyond < 0, values[0], values[-1]))

    return (integral(high) - integral(low)) / width
