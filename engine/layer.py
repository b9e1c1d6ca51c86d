# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist's sliders make of a generated curve: strength about rest, offset, smoothing. From the take each time,
so that no slider wears anything out and zero strength, turned up again, is what it was.
"""

from __future__ import annotations

import numpy as np

from .prosody import smooth

SMOOTHING_FPS = 25.0
"""Smoothing is given in frames at this rate, so that it means the same in every scene."""


def adjusted(
    values: np.ndarray,
    fps: float,
    rest: float,
    maximum: float,
    strength: float = 1.0,
    offset: float = 0.0,
    smoothing: float = 0.0,
) -> np.ndarray:
    """float32 [T] within 0..maximum.

    values: [T] one Action Unit as generated. rest: its value in the resting face, about which `strength` works.
    offset: added everywhere. smoothing: standard deviation of a Gaussian filter in frames at `SMOOTHING_FPS`.
    """
    calmed = smooth(values, smoothing * fps / SMOOTHING_FPS)
    return np.clip(rest + strength * (calmed - rest) + offset, 0.0, maximum).astype(np.float32)


def heard_units(mutes: dict[str, bool], solos: dict[str, bool]) -> set[str]:
    """Codes that are performed: those that are solo if any is, else all; of these, those that are not muted."""
    chosen = {code for code, solo in solos.items() if solo} or set(mutes)
    return {code for code in chosen if not mutes[code]}
