# SPDX-License-Identifier: GPL-3.0-or-later
"""Cuts: between which frames does the footage jump, so that nothing may look from one into the other?

A cut shows as a picture that differs from the one before far more than its neighbours do, or as a face that jumps
faster than a head can turn.
"""

from __future__ import annotations

import cv2
import numpy as np

THUMBNAIL = (48, 36)
"""Width and height at which pictures are compared: coding noise and hair are gone, a moved person is not."""
PICTURE_JUMP = 0.005
"""Least mean difference of two thumbnails (0..1) across a cut. A person who talks before a fixed camera makes .003 at
most (2,000 frames of GRID s1), joining two takes of that person, framed alike, .012 at the median."""
OUTSTANDING = 3.0
"""A cut differs so many times more than the livelier of the frames around it: a gesture lasts, a cut does not."""
LIVELY_PERCENT = 90.0
FACE_JUMP = 0.45
"""Eye distances by which a face may move between two frames of 25 a second: 0.7 m/s."""
NEIGHBOURS = 12
"""Frames on either side that say what is usual."""
EYES = (33, 263)
"""Outer eye corners."""


def thumbnail(image: np.ndarray) -> np.ndarray:
    """uint8 [H,W,3] RGB -> float32 [36,48], grey 0..1."""
    grey = cv2.cvtColor(cv2.resize(image, THUMBNAIL, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    return cv2.GaussianBlur(grey.astype(np.float32) / 255, (0, 0), 1.0)


def difference(before: np.ndarray | None, after: np.ndarray) -> float:
    """Mean difference of two thumbnails, 0..1; a change of exposure alone does not count. 0 without one before."""
    if before is None:
        return 0.0
    step = after - before
    return float(np.abs(step - np.median(step)).mean())


def find_cuts(differences: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """bool [n]: True where a frame does not continue the one before.

    differences: [n], :func:`difference` to the frame before. landmarks: [n,478,2 or 3] pixels, NaN without a face.
    The first frame is never a cut.
    """
    count = len(differences)
    cuts = np.zeros(count, bool)
    if count < 2:
        return cuts
    moved = _face_motion(landmarks)
    for index in np.flatnonzero((differences > PICTURE_JUMP) | (moved > FACE_JUMP)):
        before, after = differences[max(1, index - NEIGHBOURS) : index], differences[index + 1 :][:NEIGHBOURS]
        around = np.concatenate([before, after])
        lively = float(np.percentile(around, LIVELY_PERCENT)) if len(around) else 0.0
        outstanding = differences[index] > max(PICTURE_JUMP, OUTSTANDING * lively)
        cuts[index] = outstanding or moved[index] > FACE_JUMP
    cuts[0] = False
    # A single flashed frame is one disturbance, not two shots.
    for index in np.flatnonzero(cuts[:-1] & cuts[1:]):
        cuts[index] = False
    return cuts


def _face_motion(landmarks: np.ndarray) -> np.ndarray:
    """[n] eye distances that the face moved since the frame before; 0 where either shows none."""
    eyes = np.asarray(landmarks[:, EYES, :2], np.float64)
    size = np.linalg.norm(eyes[:, 1] - eyes[:, 0], axis=1)
    middle = eyes.mean(1)
    moved = np.zeros(len(landmarks))
    with np.errstate(invalid="ignore", divide="ignore"):
        moved[1:] = np.linalg.norm(np.diff(middle, axis=0), axis=1) / np.minimum(size[1:], size[:-1])
    return np.nan_to_num(moved, nan=0.0, posinf=0.0)
