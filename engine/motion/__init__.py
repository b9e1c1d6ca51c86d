# SPDX-License-Identifier: GPL-3.0-or-later
"""Speech features and Action Units to per-Gaussian offsets: the paper's CMDM and HMMM (arXiv 2508.10566).

`model` holds the torch modules, for training and the CUDA engine; `portable` their twin for numpy and Numba, which
runs inside Blender. Both read the same weights. Nothing heavy is imported here.
"""

from __future__ import annotations

from .config import MotionConfig

__all__ = ["MotionConfig"]
