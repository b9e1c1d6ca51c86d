# SPDX-License-Identifier: GPL-3.0-or-later
"""Pose the synthetic head's 52 ARKit shapes from FACS Action Units, so that its footage obeys its own labels.

Two things make the labels mean what FACS says (Ekman, Friesen, Hager 2002). Lips part by AU25 alone: whatever gap the
jaw and the other muscles would open is closed or widened to what AU25 asks for. And AU45 closes the lids fully at 2.
"""

from __future__ import annotations

import numpy as np

from hmtalker.action_units import BLINK_CLOSED, MAXIMUM
from hmtalker.action_units import CODES as ACTION_UNITS
from hmtalker.capture.curves.arkit_action_units import ARKIT_NAMES

WEIGHT_LIMIT = 1.6
"""Highest weight given out. Above one a shape is exaggerated: some of the set are too weak for intensity 5."""

_RECIPE: dict[str, dict[str, float]] = {
    # weights at intensity 5; both sides where there are two
    "AU01": {"browInnerUp": 1.5},
    "AU02": {"browOuterUp": 1.2},
    "AU04": {"browDown": 1.2},
    "AU05": {"eyeWide": 1.1},
    "AU06": {"cheekSquint": 1.5, "eyeSquint": 0.45},
    "AU07": {"eyeSquint": 1.1, "eyeBlink": 0.10},
    "AU09": {"noseSneer": 1.5, "browDown": 0.25},
    "AU10": {"mouthUpperUp": 1.0, "noseSneer": 0.25},
    "AU12": {"mouthSmile": 1.0, "cheekSquint": 0.15},
    "AU14": {"mouthDimple": 1.5},
    "AU15": {"mouthFrown": 1.2},
    "AU17": {"mouthShrugLower": 1.0, "mouthShrugUpper": 0.4},
    "AU20": {"mouthStretch": 1.5},
    "AU23": {"mouthRollLower": 0.55, "mouthRollUpper": 0.50, "mouthPress": 0.35},
    "AU25": {"jawOpen": 0.16},
    "AU26": {"jawOpen": 0.58},
    "AU45": {"eyeBlink": 1.0},  # at BLINK_CLOSED
    "pucker": {"mouthPucker": 1.0},
    "funnel": {"mouthFunnel": 1.0},
}

_GAP_PER_WEIGHT: dict[str, float] = {
    # metres by which each shape parts the mid-line of the inner lips: base mesh vertices 474 (upper) and 493 (lower)
    "cheekPuff": -0.00110,
    "jawForward": 0.00140,
    "jawOpen": 0.03450,
    "mouthClose": -0.03450,
    "mouthDimple": 0.00010,
    "mouthFrown": 0.00010,
    "mouthFunnel": 0.01400,
    "mouthLeft": -0.00110,
    "mouthLowerDown": 0.00190,
    "mouthPress": -0.00140,
    "mouthPucker": -0.00090,
    "mouthRight": -0.00110,
    "mouthRollLower": -0.00380,
    "mouthRollUpper": -0.00280,
    "mouthShrugLower": -0.00490,
    "mouthShrugUpper": 0.00410,
    "mouthSmile": -0.00127,
    "mouthStretch": 0.00020,
    "mouthUpperUp": 0.00240,
    "noseSneer": 0.00010,
}
_LIPS = {"mouthUpperUp": 0.8, "mouthLowerDown": 1.2}  # how the lips share a gap that the jaw leaves open
_GAP_AT_5, _GAP_WITH_JAW = 0.016, 0.012  # metres: at AU25 = 5, and how much more a full jaw drop allows


def _sides(name: str) -> tuple[str, ...]:
    return (name,) if name in ARKIT_NAMES else (name + "Left", name + "Right")


def _row(weights: dict[str, float]) -> np.ndarray:
    row = np.zeros(len(ARKIT_NAMES))
    for name, weight in weights.items():
        for side in _sides(name):
            row[ARKIT_NAMES.index(side)] += weight
    return row


_TABLE = np.stack([_row(weights) for weights in _RECIPE.values()])  # [19, 52]
_GAP = _row(_GAP_PER_WEIGHT)
_LIPS_ROW, _CLOSE_ROW = _row(_LIPS), _row({"mouthClose": 1.0})
_BLINK, _WIDE, _SQUINT, _FROWN = (_row({n: 1.0}) > 0 for n in ("eyeBlink", "eyeWide", "eyeSquint", "browDown"))
_FROWN_LIMIT = 1.25  # beyond, the brows sink behind the lids


def to_arkit(
    action_units: np.ndarray, pucker: np.ndarray | float = 0.0, funnel: np.ndarray | float = 0.0
) -> np.ndarray:
    """Shape weights of a performance.

    action_units: [F, 17] intensities in OpenFace's order, clipped to 0..5. pucker, funnel: [F] or scalar intensities
    0..5 of AU18 and AU22, which are not among the 17: speech needs round lips. Returns float32 [F, 52] in the order
    of `ARKIT_NAMES`, each within 0..`WEIGHT_LIMIT`; continuous in every input.
    """
    units = np.clip(np.asarray(action_units, np.float64), 0, MAXIMUM)
    frames = len(units)
    rounding = [np.clip(np.broadcast_to(np.asarray(x, np.float64), frames), 0, MAXIMUM) for x in (pucker, funnel)]
    strength = np.concatenate([units, np.stack(rounding, 1)], 1) / MAXIMUM
    blink_column = ACTION_UNITS.index("AU45")
    strength[:, blink_column] = np.minimum(units[:, blink_column] / BLINK_CLOSED, 1)
    weights = _soft_limit(strength @ _TABLE)
    weights[:, _FROWN] = _soft_limit(weights[:, _FROWN], 0.8, _FROWN_LIMIT)
    weights[:, _BLINK] = np.minimum(weights[:, _BLINK], 1)
    shut = weights[:, _BLINK].mean(1, keepdims=True)
    weights[:, _WIDE] *= 1 - shut
    weights[:, _SQUINT] *= 1 - 0.5 * shut
    part, drop = strength[:, ACTION_UNITS.index("AU25")], strength[:, ACTION_UNITS.index("AU26")]
    return _part_lips(weights, part, drop).astype(np.float32)


def _part_lips(weights: np.ndarray, part: np.ndarray, drop: np.ndarray) -> np.ndarray:
    """Add what opens or closes the lips to the gap that AU25 asks for. part, drop: AU25 and AU26 over 5, [F]."""
    gap = weights @ _GAP
    # Lips pressed together by other muscles stay pressed at AU25 = 0, and let go as it rises.
    release = np.clip(part * MAXIMUM, 0, 1)
    release = release * release * (3 - 2 * release)
    needed = wanted_gap(part, drop) - np.maximum(gap, 0) - np.minimum(gap, 0) * release
    opening = np.maximum(needed, 0) / (_LIPS_ROW @ _GAP)
    closing = np.minimum(needed, 0) / (_CLOSE_ROW @ _GAP)
    opened = weights + opening[:, None] * _LIPS_ROW
    lips = _LIPS_ROW > 0
    opened[:, lips] = _soft_limit(opened[:, lips])
    return opened + closing[:, None] * _CLOSE_ROW


def _soft_limit(weights: np.ndarray, knee: float = 1.2, limit: float = WEIGHT_LIMIT) -> np.ndarray:
    """Identity up to the knee, then bending smoothly towards the limit."""
    room = limit - knee
    return np.where(weights > knee, knee + room * np.tanh((weights - knee) / room), weights)


def wanted_gap(part: np.ndarray, drop: np.ndarray) -> np.ndarray:
    """Inner-lip gap in metres asked for by AU25 and AU26, both given over 5: proportional to AU25."""
    return part * (_GAP_AT_5 + _GAP_WITH_JAW * drop)


def lip_gap(weights: np.ndarray) -> np.ndarray:
    """Inner-lip gap in metres [F] that shape weights [F, 52] open on the mid-line; 0 where the lips touch."""
    return np.maximum(np.asarray(weights, np.float64) @ _GAP, 0)
