# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that decides one frame's face. Numpy only: this is what crosses from the host program to the engine."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..action_unit_sets import OPENFACE_17, set_of_width
from ..head_pose import HeadPose
from .config import CONDITION


@dataclass(frozen=True)
class MotionState:
    """One moment of a performance."""

    action_units: np.ndarray
    """float32 [17], intensities 0..5 in the order of action_units.CODES, or [47], controls of the set `extended`;
    clipped where they condition the face, and brought to the set that the face has."""
    implicit: np.ndarray | None = None
    """float32 [32] implicit speech condition; None where there is no audio: the face runs on Action Units alone."""
    audio_influence: float = 1.0
    """0..1: how much of `implicit` is heard; 0 is the same as no audio."""
    head: HeadPose = field(default_factory=HeadPose)
    body: np.ndarray | None = None
    """float32 [3] metres that what does not turn with the head, neck and clothes, has moved; None where it rests."""

    def __post_init__(self) -> None:
        units = np.ascontiguousarray(self.action_units, np.float32)
        if units.ndim != 1:
            raise ValueError(f"the Action Units of a motion state are one row, not {units.shape}")
        set_of_width(len(units))
        object.__setattr__(self, "action_units", units)
        if self.implicit is not None:
            implicit = np.ascontiguousarray(self.implicit, np.float32)
            if implicit.shape != (CONDITION,):
                raise ValueError(f"an implicit speech condition has {CONDITION} numbers, not {implicit.shape}")
            object.__setattr__(self, "implicit", implicit)
        if self.body is not None:
            body = np.ascontiguousarray(self.body, np.float32)
            if body.shape != (3,) or not np.isfinite(body).all():
                raise ValueError(f"a shift of the body has 3 finite numbers, not {self.body}")
            object.__setattr__(self, "body", body)
        if not 0.0 <= self.audio_influence <= 1.0:
            raise ValueError(f"audio influence is {self.audio_influence}; it goes from 0 to 1")

    @classmethod
    def rest(cls) -> MotionState:
        """Neutral face, no audio, head at rest."""
        return cls(np.zeros(OPENFACE_17.count, np.float32))
