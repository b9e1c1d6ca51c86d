# SPDX-License-Identifier: GPL-3.0-or-later
"""Action Units with a left and a right side, and the ARKit shapes that show them.

Intensities are 0..5 (AU45 0..2, where 2 is closed). FACS (Ekman, Friesen, Hager 2002) scores left and right where the
muscles allow it; `SIDED` are those here, the others act on both sides alike. AU01 counts as one because ARKit has one
shape for both inner brows, AU09 because people hardly wrinkle one side of the nose.

Where units want the same shape these rules hold. AU25 alone sets the gap between the lips: whatever the jaw and other
muscles would open is closed or widened to what AU25 asks for. AU26 and AU27 both open the jaw, AU27 (mouth stretch)
farther; a performance uses one of them. AU45 wins over AU05.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmtalker.action_units import BLINK_CLOSED, CODES, MAXIMUM
from hmtalker.capture.curves.arkit_action_units import ARKIT_NAMES

from .figure import Figure

RECIPE: dict[str, dict[str, float]] = {
    # weights at intensity 5 (AU45: at 2)
    "AU01": {"browInnerUp": 1.2},
    "AU02": {"browOuterUp": 1.1},
    "AU04": {"browDown": 1.1},
    "AU05": {"eyeWide": 1.1},
    "AU06": {"cheekSquint": 1.3, "eyeSquint": 0.40},
    "AU07": {"eyeSquint": 1.1, "eyeBlink": 0.10},
    "AU09": {"noseSneer": 1.3, "browDown": 0.25},
    "AU10": {"mouthUpperUp": 1.0, "noseSneer": 0.20},
    "AU12": {"mouthSmile": 1.0, "cheekSquint": 0.15},
    "AU14": {"mouthDimple": 1.4},
    "AU15": {"mouthFrown": 1.2},
    "AU17": {"mouthShrugLower": 1.0, "mouthShrugUpper": 0.4},
    "AU20": {"mouthStretch": 1.4},
    "AU23": {"mouthRollLower": 0.40, "mouthRollUpper": 0.35, "mouthPucker": 0.20},
    "AU25": {},
    "AU26": {"jawOpen": 0.55},
    "AU45": {"eyeBlink": 1.0},
    "AU16": {"mouthLowerDown": 1.1},
    "AU18": {"mouthPucker": 1.0},
    "AU22": {"mouthFunnel": 1.0},
    "AU24": {"mouthPress": 1.2},
    "AU27": {"jawOpen": 1.0},
    "AU28": {"mouthRollLower": 1.1, "mouthRollUpper": 1.1},
}
UNITS: tuple[str, ...] = tuple(RECIPE)
"""The 17 in the order of CODES, then AU16, AU18, AU22, AU24, AU27, AU28."""
SIDED: tuple[str, ...] = (
    "AU02", "AU04", "AU05", "AU06", "AU07", "AU10", "AU12", "AU14", "AU15", "AU20", "AU45", "AU16", "AU24",
)  # fmt: skip
"""Units that may be stronger on one side."""
CEILING = np.array([BLINK_CLOSED if code == "AU45" else MAXIMUM for code in UNITS])
"""[23] highest intensity."""
WEIGHT_LIMIT = 1.4
_LIPS = {"mouthUpperUp": 0.5, "mouthLowerDown": 1.2}  # how the lips share a gap that the jaw leaves open
_GAP_AT_5, _GAP_WITH_JAW = 0.009, 0.013  # metres: at AU25 = 5, and how much more a full jaw drop allows
_STRETCH = 1.5  # AU27 at 5 lowers the jaw as much as this many times AU26 at 5

assert UNITS[: len(CODES)] == CODES


@dataclass(frozen=True)
class UnitLabels:
    """sides: float32 [23,2], the person's left and right, in the order of `UNITS`."""

    sides: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """float32 [23]: mean of both sides, as OpenFace's 17 and the capture count them."""
        return self.sides.mean(1)

    @property
    def action_units(self) -> np.ndarray:
        """float32 [17] in the order of CODES, mean of both sides."""
        return self.mean[: len(CODES)]


def labels(**units: float | tuple[float, float]) -> UnitLabels:
    """Labels by name: ``labels(AU12=3, AU02=(4, 0))``; a pair is left, right. Raises ValueError for other names."""
    sides = np.zeros((len(UNITS), 2), np.float32)
    for code, value in units.items():
        if code not in UNITS:
            raise ValueError(f"no unit '{code}'; there are {', '.join(UNITS)}")
        sides[UNITS.index(code)] = value
    return UnitLabels(np.clip(sides, 0, CEILING[:, None]).astype(np.float32))


def _table() -> np.ndarray:
    table = np.zeros((len(UNITS), 2, len(ARKIT_NAMES)))
    for row, shapes in zip(table, RECIPE.values(), strict=True):
        for name, weight in shapes.items():
            if name in ARKIT_NAMES:  # one shape for both sides: half from each
                row[:, ARKIT_NAMES.index(name)] += weight / 2
            else:
                row[0, ARKIT_NAMES.index(name + "Left")] += weight
                row[1, ARKIT_NAMES.index(name + "Right")] += weight
    return table


def _mask(*names: str) -> np.ndarray:
    return np.array([name.startswith(names) for name in ARKIT_NAMES])


_TABLE = _table()
_LIPS_ROW = np.array([_LIPS.get(name.removesuffix("Left").removesuffix("Right"), 0.0) for name in ARKIT_NAMES])
_CLOSE_ROW = (np.array(ARKIT_NAMES) == "mouthClose").astype(float)
_BLINKS = [ARKIT_NAMES.index(f"eyeBlink{side}") for side in ("Left", "Right")]
_WIDES = [ARKIT_NAMES.index(f"eyeWide{side}") for side in ("Left", "Right")]
_SQUINTS = [ARKIT_NAMES.index(f"eyeSquint{side}") for side in ("Left", "Right")]


def to_arkit(units: UnitLabels, figure: Figure, gaze: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Shape weights float64 [52] that show these units on this figure.

    gaze: where the eyes look, -1..1 to the person's left and up; no Action Unit, but lids follow it a little.
    """
    strength = units.sides / CEILING[:, None]
    weights = np.einsum("us,usk->k", strength, _TABLE)
    weights = _soft_limit(weights)
    for blink, wide, squint in zip(_BLINKS, _WIDES, _SQUINTS, strict=True):
        shut = weights[blink] = min(weights[blink], 1.0)
        weights[wide] *= 1 - shut
        # the squint raises the lower lid, to which the blink then comes down
        weights[squint] *= 1 - 0.5 * shut
    part, drop = strength[UNITS.index("AU25")].mean(), strength[UNITS.index("AU26")].mean()
    drop = min(drop + _STRETCH * strength[UNITS.index("AU27")].mean(), _STRETCH)
    return _look(_part_lips(weights, part, drop, figure), gaze)


def wanted_gap(part: float, drop: float) -> float:
    """Metres between the inner lips asked for by AU25 and by AU26 or AU27, each 0..1 (drop: up to 1.5)."""
    return float(part * (_GAP_AT_5 + _GAP_WITH_JAW * drop))


def lip_gap(weights: np.ndarray, figure: Figure) -> float:
    """Metres between the inner lips on the mid-line; negative where they press on each other."""
    return float(figure.rest_gap + weights @ figure.gap_row)


def _part_lips(weights: np.ndarray, part: float, drop: float, figure: Figure) -> np.ndarray:
    """Bring the gap between the lips to what AU25 asks for."""
    row, gap = figure.gap_row, lip_gap(weights, figure)
    # lips pressed together by other muscles stay pressed at AU25 = 0, and let go as it rises
    release = np.clip(part * MAXIMUM, 0, 1)
    release = release * release * (3 - 2 * release)
    needed = wanted_gap(part, drop) - max(gap, 0) - min(gap, 0) * release
    if needed >= 0:
        opened = weights + needed / (_LIPS_ROW @ row) * _LIPS_ROW
        lips = _LIPS_ROW > 0
        opened[lips] = _soft_limit(opened[lips])
        # what the lips alone cannot open, the jaw does
        missing = wanted_gap(part, drop) - lip_gap(opened, figure)
        jaw = ARKIT_NAMES.index("jawOpen")
        opened[jaw] += max(missing, 0) / row[jaw] * (release if gap < 0 else 1)
        return opened
    return weights + needed / (_CLOSE_ROW @ row) * _CLOSE_ROW


def _soft_limit(weights: np.ndarray, knee: float = 1.0, limit: float = WEIGHT_LIMIT) -> np.ndarray:
    """Identity up to the knee, then bending smoothly towards the limit."""
    room = limit - knee
    return np.where(weights > knee, knee + room * np.tanh((weights - knee) / room), weights)


def _look(weights: np.ndarray, gaze: tuple[float, float]) -> np.ndarray:
    left, up = gaze
    for name, value in (
        ("eyeLookOutLeft", left), ("eyeLookInRight", left), ("eyeLookInLeft", -left), ("eyeLookOutRight", -left),
        ("eyeLookUpLeft", up), ("eyeLookUpRight", up), ("eyeLookDownLeft", -up), ("eyeLookDownRight", -up),
    ):  # fmt: skip
        weights[ARKIT_NAMES.index(name)] = np.clip(value, 0, 1)
    return weights
