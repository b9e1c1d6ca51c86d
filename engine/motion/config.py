# SPDX-License-Identifier: GPL-3.0-or-later
"""What a motion model is made of: its sizes, its variant, and where its fields lie in space. Needs no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from ..action_unit_sets import OPENFACE_17, SETS, ActionUnitSet

CONDITION = 32
"""Width of every condition vector: implicit, explicit, fused (arXiv 2508.10566: c in R^32)."""

OFFSETS = 10
"""Face offsets per Gaussian: d_mu 3, d_q 4, d_s 3 (Eq (9))."""

OFFSET_SCALE = 0.01
"""Metres per unit of the deformation network's position output (the parent's scale: motion of about a centimetre)."""

MOUTH_SIDEWAYS = 5.0
"""The mouth interior moves mostly vertically: its x and z offsets are divided by this."""

PLANES: tuple[tuple[int, int], ...] = ((0, 1), (1, 2), (0, 2))
"""Axes of the three feature planes: xy, yz, xz."""

FUSIONS = ("gate", "concat", "fixed", "implicit", "explicit")
MOUTH_CONDITIONS = ("hybrid", "audio")

Vector3 = tuple[float, float, float]


@dataclass(frozen=True)
class GridShape:
    """A stack of dense 2-D tables per plane, growing geometrically from `base` to `finest` cells a side."""

    base: float
    finest: float
    levels: int = 12

    @property
    def resolutions(self) -> np.ndarray:
        """float64 [levels], not rounded: position in a table is ``u * (resolution - 1) + 0.5`` for u in 0..1."""
        growth = (self.finest / self.base) ** (1.0 / max(self.levels - 1, 1))
        return self.base * growth ** np.arange(self.levels, dtype=np.float64)

    @property
    def sides(self) -> tuple[int, ...]:
        """Entries a side of each level's table."""
        # The tiny allowance keeps e.g. 16 * growth^11 = 58.000000000001 from becoming 59 on another libm.
        return tuple(math.ceil(resolution - 1e-9) + 1 for resolution in self.resolutions)

    @property
    def offsets(self) -> tuple[int, ...]:
        """Start of each level in a plane's flat table; the last value is the table's length."""
        starts = [0]
        for side in self.sides:
            starts.append(starts[-1] + side * side)
        return tuple(starts)

    @property
    def features(self) -> int:
        return len(PLANES) * self.levels


MOUTH_GRIDS: dict[str, GridShape] = {"sane": GridShape(16.0, 58.0), "parent": GridShape(64.0, 57.6)}
"""The parent's mouth grid gets coarser with each level; "sane" spans the same finest detail the usual way."""


@dataclass(frozen=True)
class MotionConfig:
    """Everything that decides the shapes of a motion model's weights. JSON round trip by to_dict and from_dict."""

    feature_dimension: int = 768
    """D: channels of the speech encoder's output."""
    projection_dimension: int = 64
    """Channels that D is projected to at every 50 Hz step."""
    fusion: str = "gate"
    """How implicit and explicit lower-face conditions merge: gate (Eq (7)), concat, fixed, implicit or explicit."""
    fixed_alpha: float = 0.5
    """Weight of the implicit condition when `fusion` is "fixed"."""
    use_explicit: bool = True
    """False: the lower face is driven by the implicit condition alone (the parent's model)."""
    use_implicit: bool = True
    """False: the lower face is driven by Action Units alone."""
    attention: bool = True
    """False: every Gaussian inside the face's box listens to every channel alike (Eq (8) left out)."""
    face_base: float = 16.0
    face_finest: float = 38.4
    """Cells a side of the face's coarsest and finest tables; the parent has 256 per metre-and-bound: 256 * 0.15."""
    grid_levels: int = 12
    mouth_grid: str = "sane"
    mouth_condition: str = "hybrid"
    """What the inside of the mouth follows: hybrid, as the face does, or audio, the implicit condition alone."""
    face_center: Vector3 = (0.0, 0.0, 0.0)
    face_half_extent: Vector3 = (0.15, 0.15, 0.15)
    """Metres: the box of canonical space that the face field covers; outside it features are zero."""
    mouth_center: Vector3 = (0.0, 0.0, 0.0)
    mouth_half_extent: Vector3 = (0.15, 0.15, 0.15)
    unit_set: str = OPENFACE_17.name
    """Name of the set of Action Units that conditions the face."""

    def __post_init__(self) -> None:
        if self.unit_set not in SETS:
            raise ValueError(f"unknown set of Action Units {self.unit_set!r}; choose one of {', '.join(SETS)}")
        if self.fusion not in FUSIONS:
            raise ValueError(f"unknown fusion {self.fusion!r}; choose one of {', '.join(FUSIONS)}")
        if self.mouth_grid not in MOUTH_GRIDS:
            raise ValueError(f"unknown mouth grid {self.mouth_grid!r}; choose one of {', '.join(MOUTH_GRIDS)}")
        if self.mouth_condition not in MOUTH_CONDITIONS:
            raise ValueError(
                f"unknown mouth condition {self.mouth_condition!r}; choose one of {', '.join(MOUTH_CONDITIONS)}"
            )
        if not (self.use_explicit or self.use_implicit):
            raise ValueError("a motion model needs the implicit or the explicit condition, or both")
        # Upper limits keep a damaged or hostile file from asking for more memory than there is.
        for name, lowest, highest in (
            ("feature_dimension", 1, 1 << 16),
            ("projection_dimension", 1, 1 << 12),
            ("grid_levels", 1, 32),
            ("face_base", 2, 1 << 12),
            ("face_finest", 2, 1 << 12),
            ("fixed_alpha", 0, 1),
        ):
            if not lowest <= getattr(self, name) <= highest:
                raise ValueError(f"{name} is {getattr(self, name)}; it must lie between {lowest} and {highest}")
        for box in (self.face_center, self.face_half_extent, self.mouth_center, self.mouth_half_extent):
            if len(box) != 3 or not all(math.isfinite(value) for value in box):
                raise ValueError(f"a box of a motion field is {box}; it needs three finite numbers")
        if min((*self.face_half_extent, *self.mouth_half_extent)) <= 0.0:
            raise ValueError("half extents must be positive")

    @property
    def units(self) -> ActionUnitSet:
        return SETS[self.unit_set]

    @property
    def lower_channels(self) -> slice:
        """Channels of a lower-face explicit condition that hold what its muscles pull: 23..31 with the 17."""
        return slice(CONDITION - len(self.units.lower), CONDITION)

    @property
    def effective_fusion(self) -> str:
        """The fusion once the implicit and explicit switches are taken into account."""
        if not self.use_explicit:
            return "implicit"
        return self.fusion if self.use_implicit else "explicit"

    @property
    def mouth_fusion(self) -> str:
        """The fusion of the mouth's own condition."""
        return "implicit" if self.mouth_condition == "audio" else self.effective_fusion

    @property
    def face_shape(self) -> GridShape:
        return GridShape(self.face_base, self.face_finest, self.grid_levels)

    @property
    def mouth_shape(self) -> GridShape:
        shape = MOUTH_GRIDS[self.mouth_grid]
        return GridShape(shape.base, shape.finest, self.grid_levels)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings and lists, ready for JSON. The usual set of Action Units is not mentioned."""
        data = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        if self.unit_set == OPENFACE_17.name:
            del data["unit_set"]
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> MotionConfig:
        """Inverse of to_dict. Missing keys take their defaults; ValueError for unknown keys and wrong types."""
        defaults = {field.name: field.default for field in fields(cls)}
        unknown = sorted(set(data) - set(defaults))
        if unknown:
            raise ValueError(f"unknown motion settings: {', '.join(unknown)}")
        values: dict[str, Any] = {}
        for key, value in data.items():
            expected = type(defaults[key])
            if expected is tuple and isinstance(value, list | tuple) and all(_is_number(part) for part in value):
                values[key] = tuple(float(part) for part in value)
            elif expected is float and _is_number(value):
                values[key] = float(value)
            elif type(value) is expected:
                values[key] = value
            else:
                raise ValueError(f"motion setting {key!r} is {value!r}; it should be of type {expected.__name__}")
        return cls(**values)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
