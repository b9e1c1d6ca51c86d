# SPDX-License-Identifier: GPL-3.0-or-later
"""Random but plausible Action Units: rest, speech, emotion, single units; left and right not quite alike."""

from __future__ import annotations

import numpy as np

from .units import CEILING, SIDED, UNITS, UnitLabels

_SPEECH: tuple[dict[str, tuple[float, float]], ...] = (
    # mouths of speech sounds: unit -> range of intensities
    {"AU25": (0.5, 2.5), "AU26": (0.5, 2.5)},  # most vowels
    {"AU25": (2, 4.5), "AU26": (2, 4.5), "AU16": (0, 1.5)},  # a
    {"AU25": (0.7, 2.5), "AU26": (0, 1.5), "AU20": (0.5, 2.5), "AU10": (0, 1.5)},  # i, e
    {"AU25": (0.5, 2.5), "AU26": (0.5, 2.5), "AU18": (1.5, 4), "AU22": (0, 2)},  # o, u
    {"AU25": (0.7, 2), "AU22": (1.5, 4), "AU26": (0, 1.5)},  # sh
    {"AU24": (0, 2.5), "AU23": (0, 1.5), "AU26": (0, 1.0)},  # m, b, p
    {"AU25": (0.2, 1), "AU10": (0.3, 1.5), "AU28": (0, 0.6), "AU17": (0, 1.5)},  # f, v
    {"AU25": (0.5, 1.8), "AU26": (0, 1), "AU20": (0, 1.5), "AU14": (0, 1)},  # s, t
    {"AU25": (0.5, 2), "AU26": (0.5, 2), "AU12": (0.5, 3)},  # with a smile
)
_EMOTIONS: tuple[dict[str, tuple[float, float]], ...] = (
    {"AU06": (1, 5), "AU12": (1.5, 5)},
    {"AU06": (1.5, 5), "AU12": (2, 5), "AU25": (1, 4), "AU26": (0, 2.5), "AU07": (0, 2)},
    {"AU12": (0.5, 2.5), "AU14": (0, 2)},
    {"AU01": (1.5, 5), "AU04": (0.5, 3), "AU15": (1, 5), "AU17": (0, 3)},
    {"AU01": (2, 5), "AU02": (2, 5), "AU05": (1, 5), "AU25": (0, 4), "AU26": (0, 4)},
    {"AU01": (2, 5), "AU02": (2, 5), "AU05": (2, 5), "AU25": (3, 5), "AU27": (2, 5)},
    {"AU01": (1, 4), "AU02": (1, 4), "AU04": (1, 4), "AU05": (1, 5), "AU20": (1, 5), "AU25": (0, 3)},
    {"AU04": (2, 5), "AU05": (0, 3), "AU07": (1, 5), "AU23": (1, 5), "AU24": (0, 3)},
    {"AU04": (1, 4), "AU07": (1, 4), "AU10": (1, 4), "AU25": (1, 4), "AU26": (0, 2)},
    {"AU09": (1.5, 5), "AU10": (0, 4), "AU04": (0, 3), "AU17": (0, 3)},
    {"AU14": (1.5, 5)},
    {"AU15": (1, 4), "AU17": (1.5, 5)},
    {"AU01": (1, 5), "AU02": (1, 5)},
    {"AU04": (1, 5), "AU07": (0, 3)},
    {"AU28": (1.5, 5), "AU26": (0, 1.5)},
    {"AU18": (2, 5)},
)
_KINDS = ("rest", "speech", "emotion", "single", "talking emotion", "anything")
_CHANCES = (0.30, 0.25, 0.15, 0.13, 0.12, 0.05)
_COMPANIONS = {"AU16": "AU25", "AU27": "AU25", "AU22": "AU25"}
"""Units that FACS hardly knows without another one."""


def random_units(rng: np.random.Generator, kind: str | None = None) -> UnitLabels:
    """Labels of one still face. kind: one of rest, speech, emotion, single, talking emotion, anything; None: drawn."""
    kind = kind or str(rng.choice(_KINDS, p=_CHANCES))
    if kind not in _KINDS:
        raise ValueError(f"no kind of expression '{kind}'; there are {', '.join(_KINDS)}")
    values = np.zeros(len(UNITS))
    if kind in ("speech", "talking emotion"):
        _add(values, _SPEECH[rng.integers(len(_SPEECH))], rng)
    if kind in ("emotion", "talking emotion"):
        _add(values, _EMOTIONS[rng.integers(len(_EMOTIONS))], rng, 0.6 if kind == "talking emotion" else 1.0)
    if kind == "single":
        code = str(rng.choice(UNITS))
        values[UNITS.index(code)] = rng.uniform(0.5, 5)
        if code in _COMPANIONS:
            values[UNITS.index(_COMPANIONS[code])] = rng.uniform(1, 5)
    if kind == "anything":
        for index in rng.choice(len(UNITS), rng.integers(2, 7), replace=False):
            values[index] = rng.uniform(0, 4)
    if kind == "speech" and rng.random() < 0.3:  # brows that underline what is said
        _add(values, ({"AU01": (0.3, 2.5), "AU02": (0.3, 2.5)}, {"AU04": (0.3, 2.5)})[rng.integers(2)], rng)
    if kind != "single":
        # nobody keeps wholly still
        still = rng.random(len(UNITS)) < 0.12
        values = np.maximum(values, still * rng.uniform(0, 0.8, len(UNITS)) * (np.array(UNITS) != "AU45"))
        if rng.random() < 0.12:
            values[UNITS.index("AU45")] = rng.choice((rng.uniform(0.2, 2), 2.0))
    return _with_sides(_consistent(values), rng)


def _add(
    values: np.ndarray, ranges: dict[str, tuple[float, float]], rng: np.random.Generator, scale: float = 1.0
) -> None:
    for code, (low, high) in ranges.items():
        index = UNITS.index(code)
        values[index] = max(values[index], scale * rng.uniform(low, high))


def _consistent(values: np.ndarray) -> np.ndarray:
    """What no face can do at once is given up: the weaker one of a pair goes."""
    values = np.clip(values, 0, CEILING)
    at = UNITS.index
    for weaker, stronger in (("AU26", "AU27"), ("AU05", "AU45")):
        if min(values[at(weaker)], values[at(stronger)]) > 0:
            values[at(weaker)] = 0
    for pressed in ("AU24", "AU28"):
        if values[at(pressed)] > 0 and values[at("AU25")] > 0.6:
            values[at(pressed)] = 0
    if values[at("AU27")] > 0:  # a mouth stretched open cannot be shut
        values[at("AU25")] = max(values[at("AU25")], min(values[at("AU27")], 5.0))
    return values


def _with_sides(values: np.ndarray, rng: np.random.Generator) -> UnitLabels:
    """Mostly nearly alike; sometimes one side much weaker."""
    sides = np.repeat(values[:, None], 2, 1)
    sided = np.isin(UNITS, SIDED)
    sides *= np.where(sided[:, None], np.exp(rng.normal(0, 0.06, sides.shape)), 1)
    if rng.random() < 0.2:
        side = int(rng.integers(2))
        weak = rng.choice((0.0, rng.uniform(0.2, 0.9)), len(UNITS))
        chosen = sided & (rng.random(len(UNITS)) < 0.5) & (np.array(UNITS) != "AU45")
        if rng.random() < 0.15:  # a wink
            chosen |= np.array(UNITS) == "AU45"
        sides[chosen, side] *= weak[chosen]
    return UnitLabels(np.clip(sides, 0, CEILING[:, None]).astype(np.float32))


def random_gaze(rng: np.random.Generator) -> tuple[float, float]:
    """Mostly into the camera; to the person's left and up, -1..1."""
    spread = 0.06 if rng.random() < 0.6 else 0.35
    return float(np.clip(rng.normal(0, spread), -1, 1)), float(np.clip(rng.normal(0, 0.6 * spread), -1, 1))
