# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the rendered face look like the same person? dlib's face recognition network, run with torch.

Faces become 128 numbers; dlib takes two faces less than 0.6 apart for one person. Chips are cut by landmarks of ours
instead of dlib's, onto the same mean face.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import HMTalkerError
from .convert_identity import BLOCKS, EMBEDDING, convolutions

FILE_NAME = "face_identity.npz"
SAME_PERSON = 0.6
CHIP = 150
PADDING = 0.25
EVERY = 5
"""One frame in so many is compared: a likeness hardly changes between frames."""
MEAN_COLOUR = (122.782, 117.001, 104.298)
# Where dlib's mean face has its eyes' middles, nose tip and mouth corners, in units of the chip without padding.
_MEAN_FACE = np.array(
    [[0.2257, 0.2160], [0.7548, 0.2160], [0.4901, 0.5156], [0.2541, 0.7802], [0.7261, 0.7802]], np.float64
)
# MediaPipe's landmarks for them; the eyes as the mean of six points, like dlib's.
_POINTS = (
    (33, 160, 158, 133, 153, 144),
    (362, 385, 387, 263, 373, 380),
    (4,),
    (61,),
    (291,),
)

Likeness = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int], float | None]


def find_identity() -> Path:
    """The converted network of this installation. Raises :class:`HMTalkerError` if there is none."""
    from ..pretrained import cache_folder, installed

    if (folder := installed(FILE_NAME)) is not None:
        return folder / FILE_NAME
    raise HMTalkerError(
        "Identity needs dlib's face network, which is not part of HM-Talker; run "
        f"'python -m hmtalker.evaluation.convert_identity --out {cache_folder() / FILE_NAME}' once."
    )


class FaceIdentity:
    """Face chips to points in a space of 128 dimensions."""

    def __init__(self, path: str | Path | None = None) -> None:
        """path: the file of ``convert_identity``; None for the installation's. Raises :class:`HMTalkerError`."""
        import torch

        path = find_identity() if path is None else Path(path)
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name].astype(np.float32) for name in file.files}
            self._convolutions = [
                (
                    torch.from_numpy(arrays[f"conv{index}.weight"].reshape(filters, channels, side, side)),
                    torch.from_numpy(arrays[f"conv{index}.bias"].reshape(filters)),
                )
                for index, (filters, channels, side) in enumerate(convolutions())
            ]
            self._last = torch.from_numpy(arrays["fc"].reshape(BLOCKS[-1][0], EMBEDDING))
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise HMTalkerError(
                f"The face network '{path}' is missing, damaged or another one; run "
                f"'python -m hmtalker.evaluation.convert_identity --out {path}'."
            ) from error

    def embed(self, chips: np.ndarray) -> np.ndarray:
        """uint8 RGB [n,150,150,3] as :func:`face_chip` cuts them -> float32 [n,128]."""
        import torch
        from torch.nn import functional

        if chips.ndim != 4 or chips.shape[1:] != (CHIP, CHIP, 3):
            raise ValueError(f"face chips are [n,{CHIP},{CHIP},3], not {chips.shape}")
        with torch.inference_mode():
            x = torch.from_numpy(np.ascontiguousarray(chips)).permute(0, 3, 1, 2).float()
            x = (x - torch.tensor(MEAN_COLOUR).view(1, 3, 1, 1)) / 256
            x = functional.max_pool2d(torch.relu(self._convolve(x, 0, 2)), 3, 2)
            for block, (_, _, stride) in enumerate(BLOCKS):
                y = torch.relu(self._convolve(x, 1 + 2 * block, stride))
                y = self._convolve(y, 2 + 2 * block, 1)
                x = torch.relu(_sum(y, functional.avg_pool2d(x, 2, 2) if stride == 2 else x))
            return (x.mean((2, 3)) @ self._last).numpy()

    def _convolve(self, x: Any, index: int, stride: int) -> Any:
        from torch.nn import functional

        weight, bias = self._convolutions[index]
        return functional.conv2d(x, weight, bias, stride, 0 if stride == 2 else weight.shape[-1] // 2)


def _sum(first: Any, second: Any) -> Any:
    """The sum of two stacks of maps; where one is smaller or has fewer maps, zeros stand for the rest (dlib)."""
    from torch.nn import functional

    sizes = [max(first.shape[axis], second.shape[axis]) for axis in (1, 2, 3)]

    def grown(x: Any) -> Any:
        missing = [size - x.shape[axis] for size, axis in zip(sizes, (1, 2, 3), strict=True)]
        return functional.pad(x, (0, missing[2], 0, missing[1], 0, missing[0]))

    return grown(first) + grown(second)


def face_chip(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """uint8 RGB [150,150,3]: the face of `image` (uint8 [H,W,3]) upright as the network knows faces.

    landmarks: [478,2 or 3] pixels, (0, 0) the middle of the first one.
    """
    import cv2

    points = np.array([landmarks[list(group), :2].mean(0) for group in _POINTS], np.float64)
    target = (PADDING + _MEAN_FACE) / (2 * PADDING + 1) * CHIP
    middle, goal = points.mean(0), target.mean(0)
    # least-squares similarity (Umeyama 1991), in the plane
    a, b = points - middle, target - goal
    spread = max(float((a**2).sum()), 1e-9)
    along, across = float((a * b).sum()) / spread, float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    turn = np.array([[along, -across], [across, along]])
    scale = float(np.hypot(along, across))
    if scale < 1:
        image = cv2.GaussianBlur(image, (0, 0), 0.5 * np.sqrt(1 / max(scale, 1e-3) ** 2 - 1) + 1e-3)
    to_chip = np.column_stack([turn, goal - turn @ middle])
    return np.asarray(cv2.warpAffine(image, to_chip, (CHIP, CHIP), borderMode=cv2.BORDER_REPLICATE))


def open_likeness() -> Likeness:
    """Distance between the faces of two pictures, each with its own landmarks, now and then; None in between."""
    network = FaceIdentity()

    def likeness(
        ours: np.ndarray, our_landmarks: np.ndarray, real: np.ndarray, real_landmarks: np.ndarray, row: int
    ) -> float | None:
        if row % EVERY or not (np.isfinite(our_landmarks).all() and np.isfinite(real_landmarks).all()):
            return None
        chips = np.stack([face_chip(ours, our_landmarks), face_chip(real, real_landmarks)])
        first, second = network.embed(chips)
        return float(np.linalg.norm(first - second))

    return likeness
