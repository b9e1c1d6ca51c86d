# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person's face looks like when it does nothing, from the footage itself.

Rest is what the face shows in silence, lips closed, eyes open. A clip with enough such frames of its own moves the
person's rest most of the way to its own, because a tracker's bias changes with distance and light from clip to clip.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SILENT_MARGIN = 4
"""Frames between rest and speech: lips move before and after the sound."""
FEWEST_FRAMES = 10
"""Fewer frames say nothing about a person."""
FEWEST_IN_CLIP = 5
CLIP_SHARE = 0.7
"""How much of the difference between a clip's rest and the person's is taken for the tracker's bias ..."""
CLIP_DOUBT = 5
"""... where the clip has many frames of rest; so many frames halve it."""
TOUCHING = 0.012
"""Lips closer than this to the person's own closed lips touch (eye distances)."""
CLOSED_PERCENTILE = 2.0
"""Closed lips in a person who speaks: the smallest gaps but for tracking errors."""
QUIET_SHARE = 25.0
"""Percentile of the gap below which frames stand for rest where nothing is silent."""
AWAKE = 0.6
"""Eyes are open above this share of their usual opening."""
PLACES = ("pitch", "yaw", "roll", "log_size")


@dataclass(frozen=True)
class Calibration:
    """A person's rest."""

    rest: np.ndarray
    """float64 [K] feature row of the resting face."""
    clip_offsets: np.ndarray
    """float64 [C,K] what each clip adds to it."""
    frames: np.ndarray
    """bool [T] the frames that were taken for rest."""
    closed_gap: float
    """The lip gap that the tracker shows where lips touch, eye distances."""
    warnings: tuple[str, ...]

    def relative(self, features: np.ndarray, clips: np.ndarray) -> np.ndarray:
        """features [T,K] minus the rest of each frame's clip (clips [T], numbers from 0)."""
        return features - self.rest - self.clip_offsets[clips]


def calibrate(
    features: np.ndarray, names: tuple[str, ...], usable: np.ndarray, silent: np.ndarray, clips: np.ndarray
) -> Calibration:
    """Find rest over all clips. Looks at nothing across a clip's edge.

    features: [T,K], finite where usable; names: [K]. usable, silent: bool [T]; clips: int [T], numbers from 0.
    Without any usable frame rest is 0, with a warning.
    """
    column = {name: index for index, name in enumerate(names)}
    count = int(clips.max()) + 1 if len(clips) else 0
    if not usable.any():
        nothing = np.zeros(len(names)), np.zeros((count, len(names))), np.zeros(len(features), bool)
        return Calibration(*nothing, 0.0, ("No frame shows a face; all Action Units are 0.",))
    gap = features[:, column["lip_gap"]]
    closed = float(np.clip(np.percentile(gap[usable], CLOSED_PERCENTILE), -0.02, 0.04))
    frames, warnings = _rest_frames(features, column, usable, silent, clips, closed)
    rest = np.median(features[frames], 0).astype(np.float64)
    offsets = np.zeros((count, len(names)))
    own_face = np.array([name not in PLACES for name in names])
    for clip in range(count):
        own = features[(clips == clip) & frames]
        if len(own) >= FEWEST_IN_CLIP and count > 1:
            share = CLIP_SHARE * len(own) / (len(own) + CLIP_DOUBT)
            offsets[clip] = share * own_face * (np.median(own, 0) - rest)
    return Calibration(rest, offsets, frames, closed, warnings)


def _rest_frames(
    features: np.ndarray, column: dict[str, int], usable: np.ndarray, silent: np.ndarray, clips: np.ndarray,
    closed: float,
) -> tuple[np.ndarray, tuple[str, ...]]:  # fmt: skip
    gap = features[:, column["lip_gap"]]
    lid = features[:, [column["lidL"], column["lidR"]]].mean(1)
    awake = usable & (lid > AWAKE * np.median(lid[usable]))
    if not awake.any():
        awake = usable
    quiet = awake & far_from(~silent, clips, SILENT_MARGIN)
    shut = quiet & (gap < closed + TOUCHING)
    if shut.sum() >= FEWEST_FRAMES:
        return shut, ()
    if quiet.sum() >= FEWEST_FRAMES:
        parted = quiet & (gap <= np.percentile(gap[quiet], QUIET_SHARE))
        return parted, (
            "The lips stay apart in silence, so the resting face was taken with parted lips; begin a recording with "
            "two seconds of silence and closed lips.",
        )
    still = awake & (gap <= np.percentile(gap[awake], QUIET_SHARE))
    return still, (
        "There is no silence to take the resting face from, so it was taken from the frames with the smallest mouth; "
        "begin a recording with two seconds of silence and closed lips.",
    )


def far_from(busy: np.ndarray, clips: np.ndarray, margin: int) -> np.ndarray:
    """bool [T]: at least `margin` frames from any busy frame of the same clip."""
    near = busy.copy()
    for step in range(1, margin + 1):
        same = clips[step:] == clips[:-step]
        near[step:] |= busy[:-step] & same
        near[:-step] |= busy[step:] & same
    return np.asarray(~near)
