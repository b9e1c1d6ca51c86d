# SPDX-License-Identifier: GPL-3.0-or-later
"""Breath: about fifteen times a minute, drawn in the pauses of speech; it lifts the shoulders and, less, the head."""

from __future__ import annotations

import math

import numpy as np

MEAN_SECONDS = 4.0
"""Between two breaths at rest: 15 a minute, in the middle of the 12 to 20 of adults at rest."""
SPREAD = 0.2
"""Standard deviation of the logarithm of that time."""
SHORTEST, LONGEST = 1.5, 8.0
"""Seconds between two breaths, while a pause is looked for."""
IN_SECONDS, QUICK_SECONDS = 1.0, 0.5
"""How long a breath is drawn at rest, and at most before something is said."""
PAUSE_SECONDS = 0.2
"""Shorter pauses are not breathed in."""

BODY = np.array([0.0, 0.0035, 0.0015], np.float32)
"""Metres that neck and clothes have moved when the breath is in: up, and toward the camera."""
HEAD = np.array([-0.008, 0.0, 0.0, 0.0, 0.0015, 0.0], np.float32)
"""What the head does then: pitch, yaw, roll in radians; x, y, z in metres."""


def breaths(speaking: np.ndarray, fps: float, rng: np.random.Generator) -> list[tuple[float, float]]:
    """(start, seconds that it is drawn) of every breath from before the first frame to after the last.

    speaking: [T] 0..1, more than half where somebody speaks. A breath that would fall into speech is drawn in the pause
    nearest to it, so that it is in when the voice begins.
    """
    pauses = _pauses(speaking, fps)
    centre = math.log(MEAN_SECONDS) - SPREAD**2 / 2
    time = -MEAN_SECONDS * rng.random()
    found = [(time, IN_SECONDS)]
    while time * fps < len(speaking):
        wanted = time + max(SHORTEST, float(rng.lognormal(centre, SPREAD)))
        drawn = IN_SECONDS
        frame = int(wanted * fps)
        if 0 <= frame < len(speaking) and speaking[frame] > 0.5:
            near = [pause for pause in pauses if SHORTEST <= pause[0] - time <= LONGEST]
            wanted, drawn = min(near, key=lambda pause: abs(pause[0] - wanted), default=(wanted, drawn))
        time = wanted
        found.append((time, drawn))
    return found


def _pauses(speaking: np.ndarray, fps: float) -> list[tuple[float, float]]:
    """(start, seconds) of a breath for every pause: to be in when the voice begins, or drawn after its end."""
    busy = np.concatenate([[False], np.asarray(speaking) > 0.5, [False]])
    edges = np.flatnonzero(np.diff(busy)) / fps
    begins, ends = edges[::2].tolist(), edges[1::2].tolist()
    if not begins:
        return []
    found = []
    for end, begin in zip([-math.inf, *ends[:-1]], begins, strict=True):
        if begin - end >= PAUSE_SECONDS:
            drawn = min(begin - end, QUICK_SECONDS)
            found.append((begin - drawn, drawn))
    return [*found, (ends[-1], IN_SECONDS)]


def breath_curve(speaking: np.ndarray, fps: float, rng: np.random.Generator) -> np.ndarray:
    """float32 [T]: how much breath is in, 0..1, in the middle of every frame. speaking: [T] 0..1."""
    moments = (np.arange(len(speaking)) + 0.5) / fps
    every = breaths(speaking, fps, rng)
    starts = np.array([start for start, _ in every])
    drawn = np.array([length for _, length in every])
    index = np.clip(np.searchsorted(starts, moments, "right") - 1, 0, len(starts) - 1)
    following = np.append(starts[1:], starts[-1] + MEAN_SECONDS)[index]
    since, length = moments - starts[index], drawn[index]
    rise = np.clip(since / length, 0.0, 1.0)
    fall = np.clip((since - length) / np.maximum(following - starts[index] - length, 1e-6), 0.0, 1.0)
    # Drawn in smoothly; let out fast at first, then ever more slowly, until nothing is left when the next one begins.
    return np.asarray(rise * rise * (3 - 2 * rise) * (1 - fall) ** 2, np.float32)
