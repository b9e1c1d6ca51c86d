# SPDX-License-Identifier: GPL-3.0-or-later
"""Between ARKit's 52 face shapes and FACS Action Units.

The table says which shape is which Action Unit, as published comparisons of the two sets do. From shapes to Action
Units goes its pseudo-inverse, so left and right are averaged and what the table makes is read back exactly. Lips are
the one exception: ARKit parts them by the jaw and shuts them again by mouthClose, FACS parts them by AU25 alone.

The set `extended` has shapes of one side for its sides. What it reads from shapes is left and right apart; AU23, whose
shapes are those of AU24 and AU28, is read as these, AU27 as AU26, which opens ARKit's jaw as wide, and lower lips as
AU25 but for what one side is lower than the other, AU16.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...action_unit_sets import EXTENDED, OPENFACE_17, SIDES, ActionUnitSet, base, set_of_width
from ...action_units import BLINK_CLOSED, CODES, COUNT, MAXIMUM, clip
from .curves import Curves

_BOTH_SIDES = """
    browDown browOuterUp cheekSquint eyeBlink eyeLookDown eyeLookIn eyeLookOut eyeLookUp eyeSquint eyeWide
    mouthDimple mouthFrown mouthLowerDown mouthPress mouthSmile mouthStretch mouthUpperUp noseSneer
    """.split()  # noqa: SIM905
_SINGLE = """
    browInnerUp cheekPuff jawForward jawLeft jawOpen jawRight mouthClose mouthFunnel mouthLeft mouthPucker mouthRight
    mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper tongueOut
    """.split()  # noqa: SIM905
ARKIT_NAMES: tuple[str, ...] = tuple(sorted([*_SINGLE, *(n + side for n in _BOTH_SIDES for side in ("Left", "Right"))]))
"""ARKit's 52 shapes (Apple, ARFaceAnchor.BlendShapeLocation), in alphabetical order: the order of all weights here."""

TABLE: dict[str, dict[str, float]] = {
    # Weights at the highest intensity (AU45: at closed lids); AU25 and mouthClose are _part_lips.
    "AU01": {"browInnerUp": 1.0},
    "AU02": {"browOuterUp": 1.0},
    "AU04": {"browDown": 1.0},
    "AU05": {"eyeWide": 1.0},
    "AU06": {"cheekSquint": 1.0},
    "AU07": {"eyeSquint": 1.0},
    "AU09": {"noseSneer": 1.0},
    "AU10": {"mouthUpperUp": 1.0},
    "AU12": {"mouthSmile": 1.0},
    "AU14": {"mouthDimple": 1.0},
    "AU15": {"mouthFrown": 1.0},
    "AU17": {"mouthShrugLower": 1.0, "mouthShrugUpper": 0.4},
    "AU20": {"mouthStretch": 1.0},
    "AU23": {"mouthPress": 0.6, "mouthRollLower": 0.5, "mouthRollUpper": 0.4},
    "AU25": {},
    "AU26": {"jawOpen": 1.0},
    "AU45": {"eyeBlink": 1.0},
    "AU18": {"mouthPucker": 1.0},
    "AU22": {"mouthFunnel": 1.0},
}
"""Action Unit -> shapes, both sides where a shape has two. The 17, then the lip pucker and the lip funneler."""

EXTRA: dict[str, dict[str, float]] = {
    "AU16": {"mouthLowerDown": 1.0},
    "AU24": {"mouthPress": 1.0},
    "AU27": {"jawOpen": 1.0},
    "AU28": {"mouthRollLower": 1.0, "mouthRollUpper": 1.0},
}
"""What the set `extended` has beyond `TABLE`."""
SIDE_WORDS = dict(zip(SIDES, ("Left", "Right"), strict=True))

JAW_PARTS = 1.5
"""AU25 rises this much faster than the jaw that opens under free lips: at two thirds the lips are fully parted."""


class FaceUnits(NamedTuple):
    """Intensities of one performance."""

    action_units: np.ndarray
    """float32 [T,17] in the order of `CODES`, 0..5; AU45 0..2, where 2 is closed."""
    pucker: np.ndarray
    """float32 [T], 0..5: AU18, which is not among the 17."""
    funnel: np.ndarray
    """float32 [T], 0..5: AU22, which is not among the 17."""


def _key(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.casefold())


_INDEX = {_key(name): index for index, name in enumerate(ARKIT_NAMES)}


def arkit_index(name: str) -> int | None:
    """Where a shape is among `ARKIT_NAMES`, in any case, with or without underscores, sides also as L and R."""
    key = _key(name)
    if key not in _INDEX and key.endswith(("l", "r")):
        key = key[:-1] + {"l": "left", "r": "right"}[key[-1]]
    return _INDEX.get(key)


def shapes_of(code: str) -> dict[str, float]:
    """Weights of single shapes at a code's highest intensity; a one-sided code has the shapes of its side alone."""
    found = {}
    for name, weight in (TABLE | EXTRA)[base(code)].items():
        if name not in _BOTH_SIDES:
            found[name] = weight
        else:
            sides = [SIDE_WORDS[code[-1]]] if base(code) != code else SIDE_WORDS.values()
            found |= {name + side: weight for side in sides}
    return found


def _matrix(codes: Sequence[str]) -> np.ndarray:
    """[len(codes),52]"""
    table = np.zeros((len(codes), len(ARKIT_NAMES)))
    for row, code in zip(table, codes, strict=True):
        for name, weight in shapes_of(code).items():
            row[ARKIT_NAMES.index(name)] = weight
    return table


_TO_ARKIT = _matrix(tuple(TABLE))  # [19,52]
_FROM_ARKIT = np.linalg.pinv(_TO_ARKIT)  # [52,19]
_CEILING = np.array([BLINK_CLOSED if code == "AU45" else MAXIMUM for code in TABLE])
_MUSCLES = EXTENDED.muscles
_MUSCLES_TO_ARKIT = _matrix(_MUSCLES)  # [35,52]
_READ = np.array([base(code) not in ("AU16", "AU23", "AU27") for code in _MUSCLES])
_MUSCLES_FROM_ARKIT = np.linalg.pinv(_MUSCLES_TO_ARKIT * _READ[:, None])  # [52,35]
_MUSCLE_CEILING = EXTENDED.maxima[[EXTENDED.index(code) for code in _MUSCLES]]
_JAW, _CLOSE = ARKIT_NAMES.index("jawOpen"), ARKIT_NAMES.index("mouthClose")
_LOWER_LIP = [ARKIT_NAMES.index("mouthLowerDown" + side) for side in ("Left", "Right")]
_AU25, _AU26 = CODES.index("AU25"), CODES.index("AU26")


def arkit_to_action_units(weights: np.ndarray, names: Sequence[str] = ARKIT_NAMES) -> FaceUnits:
    """What a face with these shape weights does, in Action Units.

    weights: [T,n] 0..1, clipped. names: [n], what the columns are, spelled in any way that `arkit_index` knows; names
    it does not know are passed over, and shapes that are not among them are 0. Raises ValueError if weights and names
    do not go together.
    """
    shapes = _in_order(weights, names)
    units = np.clip(shapes @ _FROM_ARKIT, 0, 1)
    units[:, _AU25] = _parted(shapes)
    units = (units * _CEILING).astype(np.float32)
    return FaceUnits(units[:, :COUNT], units[:, COUNT], units[:, COUNT + 1])


def arkit_to_muscles(weights: np.ndarray, names: Sequence[str] = ARKIT_NAMES) -> np.ndarray:
    """float32 [T,35] intensities of the muscles of the set `extended`; as :func:`arkit_to_action_units` otherwise."""
    shapes = _in_order(weights, names)
    pulls = np.clip(shapes @ _MUSCLES_FROM_ARKIT, 0, 1)
    pulls[:, _MUSCLES.index("AU25")] = _parted(shapes)
    lower = shapes[:, _LOWER_LIP]
    pulls[:, [_MUSCLES.index("AU16" + side) for side in SIDES]] = lower - lower.min(1, keepdims=True)
    return (pulls * _MUSCLE_CEILING).astype(np.float32)


def _in_order(weights: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """float64 [T,52] 0..1 in the order of `ARKIT_NAMES`."""
    weights = np.asarray(weights, np.float64)
    if weights.ndim != 2 or weights.shape[1] != len(names):
        raise ValueError(f"weights are {weights.shape}; they are [T, {len(names)}], a column for each name")
    shapes = np.zeros((len(weights), len(ARKIT_NAMES)))
    for column, name in enumerate(names):
        if (index := arkit_index(name)) is not None:
            shapes[:, index] = np.clip(weights[:, column], 0, 1)
    return shapes


def _parted(shapes: np.ndarray) -> np.ndarray:
    """AU25 [T], 0..1."""
    jaw = shapes[:, _JAW]
    free = np.maximum(jaw - shapes[:, _CLOSE], 0) * np.minimum(JAW_PARTS, 1 / np.maximum(jaw, 1e-6))
    return np.asarray(np.minimum(free + shapes[:, _LOWER_LIP].mean(1), 1))


def action_units_to_arkit(
    action_units: np.ndarray, pucker: np.ndarray | float = 0.0, funnel: np.ndarray | float = 0.0
) -> np.ndarray:
    """Shape weights for any rig that has ARKit's shapes: float32 [T,52] in the order of `ARKIT_NAMES`, 0..1.

    action_units: [T,17], clipped to 0..5 (AU45: 0..2). pucker, funnel: [T] or scalar 0..5, AU18 and AU22, clipped.
    `arkit_to_action_units` reads the very same intensities back. Or controls [T,47] of the set `extended`, which have
    AU18 and AU22 among them.
    """
    if set_of_width(np.shape(action_units)[1]) is EXTENDED:
        return _muscles_to_arkit(EXTENDED.pulls(action_units, _MUSCLES))
    units = clip(action_units).astype(np.float64)
    rounding = [np.clip(np.broadcast_to(np.asarray(x, np.float64), len(units)), 0, MAXIMUM) for x in (pucker, funnel)]
    strength = np.concatenate([units, np.stack(rounding, 1)], 1) / _CEILING
    weights = strength @ _TO_ARKIT
    _part_lips(weights, strength[:, _AU25], strength[:, _AU26])
    return weights.astype(np.float32)


def _muscles_to_arkit(pulls: np.ndarray) -> np.ndarray:
    """pulls [T,35] -> float32 [T,52], 0..1."""
    strength = pulls.astype(np.float64) / _MUSCLE_CEILING
    weights = np.clip(strength @ _MUSCLES_TO_ARKIT, 0, 1)
    lower = [strength[:, _MUSCLES.index("AU16" + side)] for side in SIDES]
    _part_lips(weights, strength[:, _MUSCLES.index("AU25")], weights[:, _JAW].copy())
    weights[:, _LOWER_LIP] = np.maximum(weights[:, _LOWER_LIP], np.stack(lower, 1))
    return weights.astype(np.float32)


def _part_lips(weights: np.ndarray, part: np.ndarray, jaw: np.ndarray) -> None:
    """Shut the lips over an open jaw as far as AU25 wants it, or draw the lower lip down for what the jaw leaves."""
    by_jaw = np.minimum(JAW_PARTS * jaw, 1)
    share = np.minimum(part / np.maximum(by_jaw, 1e-9), 1)
    weights[:, _CLOSE] = jaw * (1 - share)
    weights[:, _LOWER_LIP] = np.maximum(part - by_jaw, 0)[:, None]


def to_action_unit_curves(curves: Curves, units: ActionUnitSet = OPENFACE_17) -> Curves:
    """Curves of ARKit shapes as curves of the 17 Action Units, or of the muscles of `extended`; all else stays."""
    if units is EXTENDED:
        codes, values = _MUSCLES, arkit_to_muscles(curves.values, curves.codes)
    else:
        codes, values = CODES, arkit_to_action_units(curves.values, curves.codes).action_units
    lost = {arkit_index(name) for name in curves.missing}
    silent = tuple(
        code for code in codes if (names := shapes_of(code)) and all(ARKIT_NAMES.index(name) in lost for name in names)
    )
    return Curves(
        curves.fps, codes, values, curves.confidence, curves.success, curves.head, curves.head_origin, silent,
        curves.warnings,
    )  # fmt: skip
