# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a solved head motion is from the true one, with only what no picture can tell taken out.

Not observable, and therefore fitted before errors are taken: the head's own axes and origin (one rotation and one
point, in the head), and the size of the world (one factor). "aligned" takes out, besides, one constant offset in front
of the camera, as is usual for trajectories: a wrong focal length puts the whole motion at another distance while the
pictures stay the same. "at the camera" does not.
"""

from __future__ import annotations

import numpy as np

from hmtalker.capture.head.head_pose_model import jitter, nearest_rotations, rotation_vectors

LIMITS = {"rotation": 0.5, "translation": 3.0, "jitter degrees": 0.1, "jitter mm": 0.3}
"""Degrees and millimetres: medians of the error, and the root mean square of the error's second difference."""

SHOWN = (*LIMITS, "rotation 95 %", "translation 95 %", "at the camera")


def passed(row: dict[str, float]) -> bool:
    return all(row[name] <= limit for name, limit in LIMITS.items())


def table_row(row: dict[str, float]) -> str:
    """One line of text: values over limits are marked."""
    return ", ".join(
        f"{name} {row[name]:.3f}{' (!)' if row[name] > LIMITS.get(name, np.inf) else ''}"
        for name in SHOWN
        if name in row
    )


def scores(
    rotations: np.ndarray, translations: np.ndarray, true_rotations: np.ndarray, true_translations: np.ndarray,
    clips: np.ndarray,
) -> dict[str, float]:  # fmt: skip
    """Rotations [T,3,3] head -> camera, translations [T,3] metres."""
    aligned = rotations @ nearest_rotations((rotations.transpose(0, 2, 1) @ true_rotations).mean(0))
    angle = np.degrees(np.linalg.norm(rotation_vectors(aligned.transpose(0, 2, 1) @ true_rotations), axis=1))
    left = _left(rotations, translations, true_translations, True)
    camera = _left(rotations, translations, true_translations, False)
    shake = jitter(aligned @ true_rotations.transpose(0, 2, 1), left, clips)
    real = jitter(true_rotations, true_translations, clips)
    distance = 1000 * np.linalg.norm(left, axis=1)
    return {
        "rotation": float(np.median(angle)),
        "translation": float(np.median(distance)),
        "jitter degrees": shake.degrees,
        "jitter mm": shake.millimetres,
        "rotation 95 %": float(np.percentile(angle, 95)),
        "translation 95 %": float(np.percentile(distance, 95)),
        "at the camera": 1000 * float(np.median(np.linalg.norm(camera, axis=1))),
        "true jitter degrees": real.degrees,
    }


def _left(rotations: np.ndarray, translations: np.ndarray, true: np.ndarray, offset: bool) -> np.ndarray:
    """[T,3] metres of error: true = factor * solved + rotation @ point (+ offset)."""
    count = len(true)
    rows = np.zeros((count, 3, 7 if offset else 4))
    rows[..., 0], rows[..., 1:4] = translations, rotations
    if offset:
        rows[..., 4:] = np.eye(3)
    flat = rows.reshape(3 * count, -1)
    known = np.linalg.lstsq(flat, true.reshape(-1), rcond=None)[0]
    return true - (flat @ known).reshape(count, 3)
