# SPDX-License-Identifier: GPL-3.0-or-later
"""3D Gaussians as PLY: the layout that the first implementation of 3DGS writes and that every viewer reads.

Positions as they are; normals 0; `f_dc` the three SH coefficients of degree 0; `f_rest` the others, all of red, then of
green, then of blue; opacity as its logit; scales as logarithms of standard deviations; the rotation as w, x, y, z.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..atomic_file import write_atomically
from ..errors import HMTalkerError
from ..rasterize import Splats

BEFORE = ("x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2")
AFTER = ("opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3")
LIMIT = 1e-6
"""Opacities are kept this far from 0 and 1, where their logit would not be finite."""
MAX_HEADER = 1 << 16
MAX_GAUSSIANS = 50_000_000


class PlyError(HMTalkerError):
    """A PLY file holds no Gaussians that can be read."""


def fields(coefficients: int) -> tuple[str, ...]:
    """Names of the properties, in order, of Gaussians with 1, 4, 9 or 16 SH coefficients a channel."""
    return (*BEFORE, *(f"f_rest_{k}" for k in range(3 * (coefficients - 1))), *AFTER)


def write_ply(path: str | Path, splats: Splats, sh: np.ndarray, comments: tuple[str, ...] = ()) -> None:
    """splats: their colours do not count. sh: [N,K,3]. comments: lines of the header. Raises OSError, ValueError."""
    count, coefficients = sh.shape[:2]
    if splats.count != count or sh.ndim != 3 or sh.shape[2] != 3:
        raise ValueError(f"sh is {sh.shape}; it has {splats.count} rows and three channels")
    opacities = np.clip(splats.opacities.astype(np.float64), LIMIT, 1 - LIMIT)
    rows = np.column_stack(
        [
            splats.means,
            np.zeros((count, 3)),
            sh[:, 0],
            sh[:, 1:].transpose(0, 2, 1).reshape(count, 3 * (coefficients - 1)),
            np.log(opacities) - np.log1p(-opacities),
            np.log(splats.scales.astype(np.float64)),
            splats.quaternions,
        ]
    ).astype("<f4")
    header = ["ply", "format binary_little_endian 1.0"]
    header += [f"comment {' '.join(line.split())}" for line in comments]
    header += [f"element vertex {count}", *(f"property float {name}" for name in fields(coefficients)), "end_header"]
    text = "\n".join(header) + "\n"
    write_atomically(Path(path), [text.encode("ascii", "replace"), rows.tobytes()])


def read_ply(path: str | Path) -> tuple[Splats, np.ndarray]:
    """What :func:`write_ply` wrote: Gaussians (colours 0) and their SH [N,K,3]. Raises PlyError."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(MAX_HEADER)
            begin = head.find(b"end_header\n") + len(b"end_header\n")
            lines = head[:begin].decode("ascii").split("\n")
            count, names = _described(lines)
            file.seek(begin)
            data = file.read(4 * count * len(names) + 1)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise PlyError(f"{path.name} is no PLY of Gaussians as 3DGS writes them; choose another file.") from error
    if len(data) != 4 * count * len(names):
        raise PlyError(f"{path.name} ends before its {count} Gaussians do; export it again.")
    rows = np.frombuffer(data, "<f4").reshape(count, len(names)).astype(np.float32)
    rest = len(names) - len(BEFORE) - len(AFTER)
    sh = np.concatenate(
        [rows[:, None, 6:9], rows[:, 9 : 9 + rest].reshape(count, 3, rest // 3).transpose(0, 2, 1)], axis=1
    )
    tail = rows[:, 9 + rest :]
    splats = Splats(
        means=rows[:, :3].copy(),
        quaternions=tail[:, 4:].copy(),
        scales=np.exp(tail[:, 1:4]),
        opacities=1 / (1 + np.exp(-tail[:, 0])),
        colors=np.zeros((count, 3), np.float32),
    )
    return splats, np.ascontiguousarray(sh)


def _described(lines: list[str]) -> tuple[int, list[str]]:
    """Number of Gaussians and names of their properties. Raises ValueError."""
    if lines[:2] != ["ply", "format binary_little_endian 1.0"]:
        raise ValueError("not a binary PLY")
    counts = [int(line.split()[2]) for line in lines if line.startswith("element vertex ")]
    names = [line.removeprefix("property float ") for line in lines if line.startswith("property ")]
    if len(counts) != 1 or not 0 <= counts[0] <= MAX_GAUSSIANS:
        raise ValueError("no usable number of Gaussians")
    if tuple(names) not in {fields(coefficients) for coefficients in (1, 4, 9, 16)}:
        raise ValueError("other properties")
    return counts[0], names
