# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the sync scorer find shifts that were put in on purpose, and does it tell a voice from a stranger's?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .sync import REACH, STEPS_A_FRAME, SyncScorer, judge, shifted_similarity

SHIFTS = tuple(range(-10, 11))
SECOND = 25
"""Frames."""
STEP = 5
"""Frames between two windows of a second."""
NEAR = 1.5
"""Frames, from the interpolated summit: within one frame of the truth, rounded."""


@dataclass(frozen=True)
class SyncTrial:
    """What came of it."""

    shifts: tuple[int, ...]
    clips_found: tuple[float, ...]
    """For each shift the share of whole clips whose best shift is at most one frame off."""
    seconds_found: tuple[float, ...]
    """The same for windows of one second that know nothing beyond themselves of the lips."""
    seconds: int
    """Windows a shift."""
    own: np.ndarray
    """[C] confidence with each clip's own sound."""
    strangers: np.ndarray
    """[C (C - 1)] confidence with each other clip's sound."""
    own_offsets: np.ndarray
    """[C] offset found with each clip's own sound, frames."""


def try_shifts(
    scorer: SyncScorer, clips: Sequence[tuple[np.ndarray, np.ndarray]], shifts: Sequence[int] = SHIFTS
) -> SyncTrial:
    """clips: (landmarks [n,478,3], speech features [T50,D]) that match, of clips that were not trained on."""
    heard = [scorer.hear(encoded) for _, encoded in clips]
    seen = [scorer.watch(landmarks) for landmarks, _ in clips]
    windows = [
        (clip, begin, scorer.watch(landmarks[begin : begin + SECOND]))
        for clip, (landmarks, _) in enumerate(clips)
        for begin in range(0, len(landmarks) - SECOND + 1, STEP)
    ]
    whole, seconds = [], []
    for shift in shifts:
        late = [scorer.hear(_late(encoded, shift, scorer.feature_dimension)) for _, encoded in clips]
        found = [judge(shifted_similarity(s, h)).offset for s, h in zip(seen, late, strict=True)]
        whole.append(_share(found, shift))
        found = [judge(shifted_similarity(s, late[clip], begin)).offset for clip, begin, s in windows]
        seconds.append(_share(found, shift))
    own = [judge(shifted_similarity(s, h)) for s, h in zip(seen, heard, strict=True)]
    strangers = [
        judge(shifted_similarity(s, h)).confidence for i, s in enumerate(seen) for j, h in enumerate(heard) if i != j
    ]
    return SyncTrial(
        shifts=tuple(shifts),
        clips_found=tuple(whole),
        seconds_found=tuple(seconds),
        seconds=len(windows),
        own=np.array([score.confidence for score in own]),
        strangers=np.array(strangers),
        own_offsets=np.array([score.offset for score in own]),
    )


def _late(encoded: np.ndarray, shift: int, dimension: int) -> np.ndarray:
    """The features of a sound that comes `shift` frames late, as long as before; its ends repeat."""
    if abs(shift) > REACH:
        raise ValueError(f"a shift of {shift} frames is beyond what is searched")
    steps = np.arange(len(encoded)) - shift * STEPS_A_FRAME
    return np.asarray(encoded, np.float32).reshape(-1, dimension)[np.clip(steps, 0, len(encoded) - 1)]


def _share(found: Sequence[float], shift: int) -> float:
    return float(np.mean([abs(offset - shift) < NEAR for offset in found])) if found else float("nan")


def trial_text(trial: SyncTrial) -> str:
    """A few lines."""
    lines = ["shift  " + " ".join(f"{shift:5d}" for shift in trial.shifts)]
    lines.append("clips  " + " ".join(f"{share:5.2f}" for share in trial.clips_found))
    lines.append("1 s    " + " ".join(f"{share:5.2f}" for share in trial.seconds_found))
    lines.append(
        f"within one frame: clips {np.mean(trial.clips_found):.3f}, seconds {np.mean(trial.seconds_found):.3f} "
        f"({len(trial.own)} clips, {trial.seconds} windows, {len(trial.shifts)} shifts)"
    )
    overlap = np.mean(trial.strangers[None] >= trial.own[:, None]) if trial.strangers.size else float("nan")
    lines.append(
        f"confidence: own voice {trial.own.mean():.3f} (sd {trial.own.std():.3f}, least {trial.own.min():.3f}), other "
        f"clips' voice {np.mean(trial.strangers):.3f} (sd {np.std(trial.strangers):.3f}, most "
        f"{np.max(trial.strangers, initial=-1):.3f}); a stranger's beats the own in {100 * overlap:.2f} % of pairs"
    )
    return "\n".join(lines)
