# SPDX-License-Identifier: GPL-3.0-or-later
"""dlib's face recognition network (ResNet of 29 convolutions, Davis King, CC0) to the file that ``identity`` loads.

python -m hmtalker.evaluation.convert_identity --out FILE.npz

dlib writes a whole number as one byte that says how many bytes follow, lowest first; a tensor as the number 2, its four
sizes, and float32 values. Layers come in the order in which they run, so each parameter tensor is found by its sizes
behind the one before.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ..errors import HMTalkerError
from .conversion import run, write_npz

EMBEDDING = 128
BLOCKS: tuple[tuple[int, int, int], ...] = (
    *((32, 32, 1),) * 3,
    *((64, 32, 2), *((64, 64, 1),) * 3),
    *((128, 64, 2), *((128, 128, 1),) * 2),
    *((256, 128, 2), *((256, 256, 1),) * 2),
    (256, 256, 2),
)
"""Filters, channels, stride of the first of each block's two 3 x 3 convolutions."""
STEM = (32, 3, 7)
_FARTHEST = 8192
"""Bytes between two tensors; what lies between are settings."""


def convolutions() -> list[tuple[int, int, int]]:
    """Filters, channels, side of all convolutions in order."""
    shapes = [STEM]
    for filters, channels, _ in BLOCKS:
        shapes += [(filters, channels, 3), (filters, filters, 3)]
    return shapes


def read_network(data: bytes) -> dict[str, np.ndarray]:
    """The parameters in dlib's file: conv<i>.weight, conv<i>.bias with its affine layer folded in, and "fc" [256,128].

    Raises ValueError where a tensor is not there.
    """
    arrays: dict[str, np.ndarray] = {}
    place = 0
    for index, (filters, channels, side) in enumerate(convolutions()):
        size = filters * channels * side * side
        raw, place = _tensor(data, place, (size + filters, 1, 1, 1))
        weight, bias = raw[:size].reshape(filters, channels, side, side), raw[size:]
        affine, place = _tensor(data, place, (2 * filters, 1, 1, 1))
        gamma, beta = affine[:filters], affine[filters:]
        arrays[f"conv{index}.weight"] = weight * gamma[:, None, None, None]
        arrays[f"conv{index}.bias"] = bias * gamma + beta
    raw, _ = _tensor(data, place, (BLOCKS[-1][0], EMBEDDING, 1, 1))
    arrays["fc"] = raw.reshape(BLOCKS[-1][0], EMBEDDING)
    return arrays


def number(value: int) -> bytes:
    """A whole number as dlib writes it."""
    size = max(1, -(-value.bit_length() // 8))
    return bytes([size]) + value.to_bytes(size, "little")


def _tensor(data: bytes, start: int, sizes: tuple[int, ...]) -> tuple[np.ndarray, int]:
    """The next tensor of these sizes, flat, and the place behind it."""
    head = number(2) + b"".join(number(size) for size in sizes)
    at = data.find(head, start, start + _FARTHEST)
    end = at + len(head) + 4 * math.prod(sizes)
    if at < 0 or end > len(data):
        raise ValueError(f"no tensor of {sizes}")
    values = np.frombuffer(data, "<f4", math.prod(sizes), at + len(head)).astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError("values that are not finite")
    return values, end


def convert(source: str | Path, out: str | Path) -> int:
    """Write dlib's network `source` to `out` in half precision; returns its size. Raises :class:`HMTalkerError`."""
    try:
        arrays = read_network(Path(source).read_bytes())
    except OSError as error:
        raise HMTalkerError(f"'{source}' cannot be read ({error.strerror or error}); fetch it again.") from error
    except ValueError as error:
        raise HMTalkerError(f"'{Path(source).name}' is not dlib's face network ({error}); fetch it again.") from error
    return write_npz(out, {name: array.astype(np.float16) for name, array in arrays.items()})


def main(arguments: list[str] | None = None) -> int:
    title = str(__doc__).split("\n")[0]
    return run(
        "convert_identity", title, "face-identity", "dlib_face_recognition_resnet_model_v1.dat", convert, arguments
    )


if __name__ == "__main__":
    raise SystemExit(main())
