# SPDX-License-Identifier: GPL-3.0-or-later
"""One set of 3D Gaussians in canonical space, as it is trained and stored: raw values, before any activation."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

SH_COEFFICIENTS = (1, 4, 9)
"""Number of SH coefficients a colour channel of degree 0, 1 and 2."""


@dataclass(frozen=True, eq=False)
class GaussianSet:
    """theta = {mu, s, q, alpha, f} of arXiv 2508.10566, one row a Gaussian. All arrays float32, C-contiguous.

    Build one from arrays of unsure origin with :meth:`validate`.
    """

    means: np.ndarray
    """[N,3] canonical centres in metres: x image right, y up, z toward the camera."""
    raw_scales: np.ndarray
    """[N,3] softplus of these are the standard deviations in metres."""
    quaternions: np.ndarray
    """[N,4] rotation as w, x, y, z; need not be of unit length."""
    raw_opacities: np.ndarray
    """[N] sigmoid of these are the opacities."""
    sh: np.ndarray
    """[N,K,3] spherical harmonics coefficients of sRGB-encoded red, green, blue; K is 1, 4 or 9."""
    head_weights: np.ndarray
    """[N] how much of the head pose a Gaussian follows: 1 the head, 0 the torso, between them the neck."""

    @property
    def count(self) -> int:
        """N, the number of Gaussians."""
        return len(self.means)

    @property
    def sh_degree(self) -> int:
        """0, 1 or 2."""
        return SH_COEFFICIENTS.index(self.sh.shape[1])

    def arrays(self) -> dict[str, np.ndarray]:
        """Field name -> array, in the order of the fields."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def select(self, rows: np.ndarray) -> GaussianSet:
        """The set made of `rows` ([n] indices, or [N] booleans) alone."""
        return GaussianSet(**{name: np.ascontiguousarray(array[rows]) for name, array in self.arrays().items()})

    @classmethod
    def validate(
        cls,
        means: Any,
        raw_scales: Any,
        quaternions: Any,
        raw_opacities: Any,
        sh: Any,
        head_weights: Any,
    ) -> GaussianSet:
        """Convert to float32 and check shapes and values.

        Raises ValueError that names the first array that is wrong.
        """
        values = {
            "means": means,
            "raw_scales": raw_scales,
            "quaternions": quaternions,
            "raw_opacities": raw_opacities,
            "sh": sh,
            "head_weights": head_weights,
        }
        arrays = {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in values.items()}
        count = len(arrays["means"]) if arrays["means"].ndim else 0
        shapes: dict[str, tuple[int, ...]] = {
            "means": (count, 3),
            "raw_scales": (count, 3),
            "quaternions": (count, 4),
            "raw_opacities": (count,),
            "head_weights": (count,),
        }
        for name, shape in shapes.items():
            if arrays[name].shape != shape:
                raise ValueError(f"{name} has shape {arrays[name].shape} where {shape} is expected")
        found = arrays["sh"].shape
        if len(found) != 3 or found[0] != count or found[1] not in SH_COEFFICIENTS or found[2] != 3:
            raise ValueError(f"sh has shape {found} where ({count}, 1 or 4 or 9, 3) is expected")
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise ValueError(f"{name} holds values that are not finite")
        weights = arrays["head_weights"]
        if count and (weights.min() < 0 or weights.max() > 1):
            raise ValueError("head_weights holds values outside 0..1")
        return cls(**arrays)
