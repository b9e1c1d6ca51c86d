# SPDX-License-Identifier: GPL-3.0-or-later
"""The vocabulary of the face: FACS Action Units, in the order and range of OpenFace's intensities.

The split into a lower and an upper face is the one by which AUE-L and AUE-U are measured, so that what conditions
the face and what judges it agree.
"""

from __future__ import annotations

import numpy as np

MAXIMUM = 5.0
"""Highest intensity of an Action Unit (FACS E, OpenFace ``_r`` columns)."""

NAMES: dict[str, str] = {
    "AU01": "Inner Brow Raiser",
    "AU02": "Outer Brow Raiser",
    "AU04": "Brow Lowerer",
    "AU05": "Upper Lid Raiser",
    "AU06": "Cheek Raiser",
    "AU07": "Lid Tightener",
    "AU09": "Nose Wrinkler",
    "AU10": "Upper Lip Raiser",
    "AU12": "Lip Corner Puller",
    "AU14": "Dimpler",
    "AU15": "Lip Corner Depressor",
    "AU17": "Chin Raiser",
    "AU20": "Lip Stretcher",
    "AU23": "Lip Tightener",
    "AU25": "Lips Part",
    "AU26": "Jaw Drop",
    "AU45": "Blink",
}
"""FACS code -> FACS name, in OpenFace's column order."""

CODES: tuple[str, ...] = tuple(NAMES)
COUNT = len(CODES)

LOWER: tuple[str, ...] = ("AU10", "AU12", "AU14", "AU15", "AU17", "AU20", "AU23", "AU25", "AU26")
"""The nine Action Units of the lower face, in the order of the condition vector (raw channels 23..31)."""

UPPER: tuple[str, ...] = ("AU01", "AU02", "AU04", "AU05", "AU06", "AU07", "AU09", "AU45")
"""The eight Action Units of the upper face, in the order of the condition vector (raw channels 24..31)."""

LOWER_INDEX: tuple[int, ...] = tuple(CODES.index(code) for code in LOWER)
UPPER_INDEX: tuple[int, ...] = tuple(CODES.index(code) for code in UPPER)

BLINK_CLOSED = 2.0
"""AU45 intensity at which the lids touch; conditioning clips AU45 there."""

CONDITION_MAXIMUM: np.ndarray = np.array([BLINK_CLOSED if code == "AU45" else MAXIMUM for code in CODES], np.float32)
"""[17] upper clip of each Action Unit before it conditions the face."""


def clip(action_units: np.ndarray) -> np.ndarray:
    """Bring intensities into the range that the face was trained on.

    action_units: [..., 17], any finite values. Returns float32 [..., 17] in 0..5 (AU45: 0..2).
    """
    return np.clip(np.asarray(action_units, np.float32), 0.0, CONDITION_MAXIMUM)
