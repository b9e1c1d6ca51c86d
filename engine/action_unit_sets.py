# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of Action Units, as data: which units a face is described by, in which order, and how sets read each other.

`openface-17` is the set of the paper and the default. `extended` goes on with units that round, press and roll the
lips, which the 17 cannot do, and with the left and right half of every unit whose muscle has two sides.

Tables of measurements say what each code's intensity *is*: there a unit is the mean of its sides. A face is driven by
*controls*: there a unit moves both sides, and a side's own control adds to that side. Where a set has no sides the two
are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from .action_units import BLINK_CLOSED, MAXIMUM, NAMES, UPPER
from .errors import HMTalkerError

SIDES = ("L", "R")
"""Suffixes of one-sided codes; left and right are the person's own."""

LIP_UNITS: dict[str, str] = {
    "AU16": "Lower Lip Depressor",
    "AU18": "Lip Pucker",
    "AU22": "Lip Funneler",
    "AU24": "Lip Pressor",
    "AU27": "Mouth Stretch",
    "AU28": "Lip Suck",
}
"""What the extended set has beyond the 17. AU27 begins where AU26 ends: it is the jaw's drop beyond AU26 = 5."""

TWO_SIDED: tuple[str, ...] = (
    "AU02", "AU04", "AU05", "AU06", "AU07", "AU10", "AU12", "AU14", "AU15", "AU16", "AU20", "AU45",
)  # fmt: skip
"""Units that the extended set also has for each side."""


class UnknownSetError(HMTalkerError):
    """No set of Action Units has that name, or a table lacks what a set needs."""


@dataclass(frozen=True)
class ActionUnitSet:
    """Action Units in a fixed order. Intensities are 0..5, where 5 is the strongest (FACS E); AU45: 2 is closed."""

    name: str
    codes: tuple[str, ...]
    """FACS codes, with L or R at the end where only one side is meant."""
    names: tuple[str, ...]
    """What FACS calls them."""
    sides: tuple[str, ...]
    """For each code "L", "R", or "" where both sides are meant."""
    maxima: np.ndarray
    """float32 [n] the upper limit of each intensity."""

    @property
    def count(self) -> int:
        return len(self.codes)

    @cached_property
    def muscles(self) -> tuple[str, ...]:
        """Codes that pull by themselves, in order: the units without sides in this set, and the sides of the others."""
        return tuple(code for code in self.codes if code + SIDES[0] not in self.codes)

    @cached_property
    def lower(self) -> tuple[str, ...]:
        """Muscles of the lower face: the raw channels of its condition, in their order."""
        return tuple(code for code in self.muscles if base(code) not in UPPER)

    @cached_property
    def upper(self) -> tuple[str, ...]:
        """Muscles of the upper face, likewise."""
        return tuple(code for code in self.muscles if base(code) in UPPER)

    @cached_property
    def lower_columns(self) -> tuple[int, ...]:
        """Columns of the controls of the lower face."""
        return tuple(index for index, code in enumerate(self.codes) if base(code) not in UPPER)

    @cached_property
    def upper_columns(self) -> tuple[int, ...]:
        """Columns of the controls of the upper face."""
        return tuple(index for index, code in enumerate(self.codes) if base(code) in UPPER)

    def pulling(self, muscles: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which columns pull each of `muscles`: int [m] its own, int [m] that of its whole unit; float32 [m], 1 where
        that is another one, else 0."""
        return _pulling(self.codes, tuple(muscles))

    def pulls(self, controls: np.ndarray, muscles: Sequence[str]) -> np.ndarray:
        """How strongly some muscles pull: float32 [..., len(muscles)], within `maxima`. controls: [..., n]."""
        controls = self.clip(controls)
        own, whole, sided = self.pulling(muscles)
        result = controls[..., own]
        return np.minimum(result + sided * controls[..., whole], self.maxima[own]) if sided.any() else result

    def controls(self, pulls: np.ndarray, muscles: Sequence[str]) -> np.ndarray:
        """Controls float32 [..., n] that make some muscles pull so; what they have no part in is 0.

        pulls: [..., len(muscles)]; of a unit with sides both must be given. The weaker side becomes the unit's control,
        and what the stronger one has beyond it that side's own.
        """
        pulls = np.asarray(pulls, np.float32)
        result = np.zeros((*pulls.shape[:-1], self.count), np.float32)
        result[..., [self.codes.index(code) for code in muscles]] = pulls
        for code in {base(code) for code in muscles} & set(self.codes) - set(muscles):
            sides = [self.codes.index(code + side) for side in SIDES]
            both = result[..., sides].min(-1)
            result[..., self.codes.index(code)] = both
            result[..., sides] -= both[..., None]
        return result

    def measured(self, controls: np.ndarray) -> np.ndarray:
        """What each code's intensity is where controls [..., n] drive a face: float32 [..., n], as in tables."""
        return self.pulls(controls, self.muscles) @ self._shares

    @cached_property
    def _shares(self) -> np.ndarray:
        """float32 [muscles, n] how much of each muscle's pull is in a code's intensity."""
        shares = np.array(
            [[code in (muscle, base(muscle)) for code in self.codes] for muscle in self.muscles], np.float32
        )
        return shares / shares.sum(0)

    def index(self, code: str) -> int:
        """Column of a code. Raises :class:`UnknownSetError`."""
        if code not in self.codes:
            raise UnknownSetError(f"The set '{self.name}' has no Action Unit {code}; it has {', '.join(self.codes)}.")
        return self.codes.index(code)

    def clip(self, values: np.ndarray) -> np.ndarray:
        """values: [..., n]. Returns float32 [..., n] within 0 and `maxima`; what is not a number becomes 0."""
        finite = np.nan_to_num(np.asarray(values, np.float32), posinf=MAXIMUM, neginf=0.0)
        return np.clip(finite, 0.0, self.maxima)


@lru_cache(maxsize=64)
def _pulling(codes: tuple[str, ...], muscles: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    own = np.array([codes.index(code) for code in muscles])
    whole = np.array([codes.index(base(code) if base(code) in codes else code) for code in muscles])
    return own, whole, (own != whole).astype(np.float32)


def make_set(name: str, units: dict[str, str]) -> ActionUnitSet:
    """A set of one's own. units: code -> name; a code that ends in L or R is one side of the unit without it."""
    codes = tuple(units)
    maxima = np.array([BLINK_CLOSED if base(code) == "AU45" else MAXIMUM for code in codes], np.float32)
    sides = tuple(code[-1] if code.endswith(SIDES) else "" for code in codes)
    return ActionUnitSet(name, codes, tuple(units.values()), sides, maxima)


def base(code: str) -> str:
    """The code without its side: AU12L -> AU12."""
    return code[:-1] if code.endswith(SIDES) else code


def _one_sided(units: dict[str, str]) -> dict[str, str]:
    words = {"L": "Left", "R": "Right"}
    return {code + side: f"{units[code]} {words[side]}" for code in TWO_SIDED for side in SIDES}


OPENFACE_17 = make_set("openface-17", NAMES)
"""The paper's set: what OpenFace measures."""
EXTENDED = make_set("extended", NAMES | LIP_UNITS | _one_sided(NAMES | LIP_UNITS))
"""The 17 in their order, then `LIP_UNITS`, then left and right of `TWO_SIDED`."""

SETS: dict[str, ActionUnitSet] = {unit_set.name: unit_set for unit_set in (OPENFACE_17, EXTENDED)}


def set_of_width(count: int) -> ActionUnitSet:
    """The set whose rows have so many columns. Raises ValueError where there is none."""
    for unit_set in SETS.values():
        if unit_set.count == count:
            return unit_set
    known = " or ".join(str(unit_set.count) for unit_set in reversed(SETS.values()))
    raise ValueError(f"a face has {known} Action Units, not {count}")


def find_set(name: str) -> ActionUnitSet:
    """Raises :class:`UnknownSetError` where there is no set of that name."""
    if name not in SETS:
        raise UnknownSetError(f"There is no set of Action Units '{name}'; choose one of {', '.join(SETS)}.")
    return SETS[name]


def convert(values: np.ndarray, codes: Sequence[str], to: ActionUnitSet) -> np.ndarray:
    """Intensities in the columns of another set: float32 [..., to.count], clipped to its limits.

    values: [..., len(codes)], what each code's intensity is. A unit that is not among `codes` is the mean of its two
    sides, a side that is not is the unit without side, and what is found neither way is 0. Raises ValueError if values
    and codes do not go together.
    """
    values = np.asarray(values, np.float32)
    if values.shape[-1:] != (len(codes),):
        raise ValueError(f"values are {values.shape}; their last axis must have {len(codes)} columns, one a code")
    column = {code: values[..., index] for index, code in enumerate(codes)}
    result = np.zeros((*values.shape[:-1], to.count), np.float32)
    for index, code in enumerate(to.codes):
        sides = [column[code + side] for side in SIDES if code + side in column]
        if code in column:
            result[..., index] = column[code]
        elif len(sides) == len(SIDES):
            result[..., index] = np.mean(sides, 0)
        elif base(code) in column:
            result[..., index] = column[base(code)]
    return to.clip(result)


def as_controls(values: np.ndarray, codes: Sequence[str], of: ActionUnitSet) -> np.ndarray:
    """Controls of `of`, float32 [..., n], that show measured intensities [..., len(codes)]; as :func:`convert`."""
    own = convert(values, codes, of)
    return of.controls(own[..., [of.codes.index(code) for code in of.muscles]], of.muscles)


def carry(controls: np.ndarray, to: ActionUnitSet) -> np.ndarray:
    """Controls of any set, told by their number, in the columns of another: float32 [..., to.count], not clipped where
    it is the same set. A unit drives both sides; where there are no sides a unit is the mean of what they are.
    """
    controls = np.asarray(controls, np.float32)
    of = set_of_width(controls.shape[-1])
    if of is to:
        return controls
    values = of.measured(controls)
    if len(of.muscles) < of.count and len(to.muscles) < to.count:
        return as_controls(values, of.codes, to)
    # Where one of them has no sides, its units are all that both know.
    known = [code for code in to.codes if code in of.codes]
    result = np.zeros((*values.shape[:-1], to.count), np.float32)
    result[..., [to.codes.index(code) for code in known]] = values[..., [of.codes.index(code) for code in known]]
    return to.clip(result)
