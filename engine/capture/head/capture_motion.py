# SPDX-License-Identifier: GPL-3.0-or-later
"""The head's motion through a whole capture, from what was kept of each frame while the videos were read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .bundle_adjustment import FEWEST_LANDMARKS, BundleSettings, solve_head_motion
from .bundle_equations import Points
from .canonical_face import EYE_CORNERS, SOLVED_LANDMARKS, fitted_mesh
from .head_population import population
from .head_pose_model import HeadMotion
from .one_person import other_people

GOOD, NO_FACE, BAD_FIT, ANOTHER_PERSON = range(4)
MOST_SETS = 3
"""Sets of skin points that are solved for, the ones seen longest."""
FEWEST_ROWS = 25
"""Frames that a set must be seen in."""


@dataclass
class CaptureHead:
    """Head shape, lens and poses of a capture, and which frames do not belong to it."""

    motion: HeadMotion
    reasons: np.ndarray
    """uint8 [T]: GOOD, NO_FACE, BAD_FIT or ANOTHER_PERSON."""

    @property
    def outliers(self) -> np.ndarray:
        """bool [T]: a face was found, but it is not this person's, or it fits badly."""
        return np.asarray(self.reasons >= BAD_FIT)

    @property
    def errors(self) -> np.ndarray:
        """float32 [T] pixels: median distance of the rigid landmarks from the solved head; NaN without a face."""
        return self.motion.errors

    def mesh(self) -> np.ndarray:
        """float64 [478,3] metres: the person's whole face in the head's axes, mouth as it is on average."""
        return fitted_mesh(self.motion.shape[: len(SOLVED_LANDMARKS)])


def solve_capture(
    landmarks: np.ndarray,
    flow: np.ndarray | None,
    tracks: np.ndarray | None,
    clips: np.ndarray,
    size: tuple[int, int],
    settings: BundleSettings | None = None,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> CaptureHead:
    """landmarks: float32 [T,80,2], SOLVED_LANDMARKS in pixels (0, 0 is the middle of the first pixel), NaN where there
    is no face. flow [T,56,2] and tracks [T]: rows and set numbers of RigidFlow, or None. clips: [T] int. size: width
    and height of the picture. progress: called with 0..1.

    Raises CaptureError where fewer than 3 frames show a face, CancelledError when `cancelled` says so.
    """
    landmarks, clips = np.asarray(landmarks), np.asarray(clips)
    tracks = np.zeros(len(clips), int) if tracks is None else np.asarray(tracks)
    people, marks = population(), len(SOLVED_LANDMARKS)
    seen = np.isfinite(landmarks).all(-1).sum(1) >= FEWEST_LANDMARKS
    others = other_people(landmarks, clips, tracks)
    sets = []
    if flow is not None:
        own = tracks[seen & ~others & np.isfinite(flow[:, :, 0]).any(1)]
        numbers, frames = np.unique(own[own >= 0], return_counts=True)
        longest = np.argsort(-frames, kind="stable")[:MOST_SETS]
        sets = [Points(flow, tracks == numbers[i]) for i in longest if frames[i] >= FEWEST_ROWS]
    motion = solve_head_motion(
        landmarks,
        people.mean[:marks],
        _eyes(),
        (size[0] - 1, size[1] - 1),  # the picture's middle, counted from the middle of the first pixel
        clips,
        sets,
        people.mean[marks:],
        people.modes,
        people,
        others,
        settings,
        progress,
        cancelled,
    )
    motion.centre = np.array(size, np.float64) / 2
    reasons = np.where(motion.interpolated, BAD_FIT, GOOD).astype(np.uint8)
    reasons[others] = ANOTHER_PERSON
    reasons[~seen] = NO_FACE
    return CaptureHead(motion, reasons)


def _eyes() -> tuple[list[int], list[int]]:
    first, second = ([SOLVED_LANDMARKS.index(number) for number in side] for side in EYE_CORNERS)
    return first, second
