# SPDX-License-Identifier: GPL-3.0-or-later
"""How close a picture comes to another: PSNR, SSIM and LPIPS; of the whole frame, of a region, of the aligned face."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np

GREY = 0.5
LEAST_ERROR = 1e-12
"""Mean square error below which pictures count as equal: 120 dB."""
ALIGNED_SIZE, ALIGNED_EYES = 112, 45.0
"""Pixels: side of the aligned face and distance between its eyes' middles (OpenFace's aligned faces have both)."""
ALIGNED_EYE_LINE = 0.36
"""How far down the eyes lie."""
EYES = ((33, 133), (362, 263))
"""Corners of the eye on the left and on the right of the picture (MediaPipe)."""
MOUTH_OUTLINE = (61, 291, 0, 17, 37, 267, 84, 314)
MOUTH_MARGIN = 1.5
"""The mouth's window is so many times as wide as the mouth."""
SMALLEST_WINDOW = 32
"""Pixels; LPIPS needs so many."""

Lpips = Callable[[np.ndarray, np.ndarray], float]
"""Two pictures [H,W,3] in 0..1 -> distance."""


def psnr(image: np.ndarray, truth: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Decibels between image and truth [H,W,3] in 0..1, within mask [H,W] bool; NaN where the mask is empty."""
    error = (image - truth) ** 2
    if mask is not None:
        error = error[mask]
    return float(-10 * np.log10(max(error.mean(), LEAST_ERROR))) if error.size else float("nan")


def ssim(image: np.ndarray, truth: np.ndarray) -> float:
    """Mean SSIM (Wang et al. 2004; 11 x 11 Gaussian window of sigma 1.5) of two pictures [H,W,3] in 0..1."""
    from ..training.ssim import ssim_and_gradient

    return ssim_and_gradient(_plain(image), _plain(truth), gradient=False)[0]


def open_lpips() -> Lpips:
    """LPIPS with AlexNet as a function of two numpy pictures. Raises :class:`HMTalkerError` without its network."""
    import torch

    from .lpips import LPIPS

    network = LPIPS().eval()

    def distance(image: np.ndarray, truth: np.ndarray) -> float:
        pair = (torch.from_numpy(_plain(picture).transpose(2, 0, 1)[None].copy()) for picture in (image, truth))
        with torch.inference_mode():
            return float(network(*pair, unit_range=True))

    return distance


def on_grey(rgba8: np.ndarray) -> np.ndarray:
    """uint8 [H,W,4] sRGB with straight alpha -> [H,W,3] over middle grey, 0..1."""
    return over(rgba8, None)


def over(rgba8: np.ndarray, background: np.ndarray | None) -> np.ndarray:
    """uint8 [H,W,4] sRGB with straight alpha over background [H,W,3] in 0..1, or middle grey -> float32 [H,W,3]."""
    rgba = rgba8.astype(np.float32) / 255
    behind = np.float32(GREY) if background is None else background
    return np.asarray(rgba[..., :3] * rgba[..., 3:] + behind * (1 - rgba[..., 3:]), np.float32)


def to_8bit(image: np.ndarray) -> np.ndarray:
    """[H,W,3] in 0..1 -> uint8."""
    return np.asarray((np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8))


def aligned_face(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """The face upright in 112 x 112 pixels, its eyes 45 apart, as float32 [112,112,3].

    image: [H,W,3]. landmarks: [478,2 or 3] pixels, (0, 0) the middle of the first one.
    """
    import cv2

    left, right = (landmarks[list(corners), :2].astype(np.float64).mean(0) for corners in EYES)
    across = right - left
    scale = ALIGNED_EYES / max(float(np.linalg.norm(across)), 1e-6)
    cosine, sine = across / max(float(np.linalg.norm(across)), 1e-6) * scale
    turn = np.array([[cosine, sine], [-sine, cosine]])
    middle = np.array([(ALIGNED_SIZE - 1) / 2, ALIGNED_SIZE * ALIGNED_EYE_LINE])
    to_face = np.column_stack([turn, middle - turn @ ((left + right) / 2)])
    if scale < 1:
        # what is made smaller is blurred first, or single pixels would decide
        image = cv2.GaussianBlur(np.ascontiguousarray(image), (0, 0), 0.5 * np.sqrt(1 / scale**2 - 1) + 1e-3)
    return np.asarray(
        cv2.warpAffine(_plain(image), to_face, (ALIGNED_SIZE, ALIGNED_SIZE), borderMode=cv2.BORDER_REPLICATE)
    )


def mouth_window(landmarks: np.ndarray, shape: tuple[int, ...]) -> tuple[slice, slice] | None:
    """Rows and columns of a square around the mouth inside a picture of `shape`; None where it does not fit."""
    outline = landmarks[list(MOUTH_OUTLINE), :2]
    middle = (outline.min(0) + outline.max(0)) / 2
    side = max(SMALLEST_WINDOW, round(MOUTH_MARGIN * float(np.ptp(outline[:, 0]))))
    if side > min(shape[:2]):
        return None
    height, width = shape[:2]
    left = int(np.clip(round(float(middle[0]) - side / 2), 0, width - side))
    top = int(np.clip(round(float(middle[1]) - side / 2), 0, height - side))
    return slice(top, top + side), slice(left, left + side)


def picture_scores(
    image: np.ndarray, truth: np.ndarray, regions: Mapping[str, np.ndarray], landmarks: np.ndarray | None = None,
    lpips: Lpips | None = None,
) -> dict[str, float]:  # fmt: skip
    """All scores of one frame by name; what cannot be said of it is left out.

    image, truth: float32 [H,W,3] in 0..1. regions: name -> bool [H,W]. landmarks: [478,2 or 3] of the face in `truth`,
    by which both pictures are aligned.
    """
    scores = {"psnr": psnr(image, truth), "ssim": ssim(image, truth)}
    scores |= {f"psnr {name}": psnr(image, truth, mask) for name, mask in regions.items() if mask.any()}
    if lpips is not None and min(truth.shape[:2]) >= SMALLEST_WINDOW:
        scores["lpips"] = lpips(image, truth)
    if landmarks is None or not np.isfinite(landmarks).all():
        return scores
    ours, theirs = aligned_face(image, landmarks), aligned_face(truth, landmarks)
    scores["ssim aligned"] = ssim(ours, theirs)
    window = mouth_window(landmarks, truth.shape)
    if window is not None:
        scores["ssim mouth"] = ssim(image[window], truth[window])
        if lpips is not None:
            scores["lpips mouth"] = lpips(image[window], truth[window])
    return scores


@dataclass
class Means:
    """Running means of scores that not every frame has."""

    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, scores: Mapping[str, float]) -> None:
        for name, value in scores.items():
            if np.isfinite(value):
                self.sums[name] = self.sums.get(name, 0.0) + float(value)
                self.counts[name] = self.counts.get(name, 0) + 1

    def table(self) -> dict[str, float]:
        return {name: self.sums[name] / self.counts[name] for name in self.sums}


_plain = partial(np.require, dtype=np.float32, requirements=["C", "W"])
