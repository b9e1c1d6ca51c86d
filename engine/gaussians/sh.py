# SPDX-License-Identifier: GPL-3.0-or-later
"""Real spherical harmonics of degree 0 to 2, in the order and with the signs of gsplat 1.5.3.

Contract: gsplat 1.5.3, cuda/csrc/SphericalHarmonicsCUDA.cu:29-103 (basis) and rendering.py:525 (colour).
The expressions below work on arrays and on tensors alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np

C0 = 0.28209479177387814
C1 = 0.48860251190292
C2 = (1.092548430592079, 0.9461746957575601, 0.3153915652525201, 0.5462742152960395)


def basis(x: Any, y: Any, z: Any, degree: int) -> list[Any]:
    """Basis values in a direction of unit length.

    x, y, z: [...] arrays or tensors. degree: 0, 1 or 2. Returns a list of 1, 4 or 9 values of that shape.
    """
    values: list[Any] = [C0 + 0 * x]
    if degree >= 1:
        values += [-C1 * y, C1 * z, -C1 * x]
    if degree >= 2:
        values += [
            C2[3] * (2 * x * y),
            -C2[0] * (y * z),
            C2[1] * (z * z) - C2[2],
            -C2[0] * (x * z),
            C2[3] * (x * x - y * y),
        ]
    return values


def colors(sh: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Colour of each Gaussian seen along `directions`: max(SH + 0.5, 0).

    sh: [N,K,3]. directions: [N,3], camera to Gaussian, any length. Returns [N,3] >= 0, sRGB-encoded, of sh's type.
    """
    degree = (1, 4, 9).index(sh.shape[1])
    unit = directions / np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-12)
    values = np.stack(basis(unit[:, 0], unit[:, 1], unit[:, 2], degree), axis=1)
    return np.maximum(np.einsum("nk,nkc->nc", values, sh) + 0.5, 0.0).astype(sh.dtype)
