# SPDX-License-Identifier: GPL-3.0-or-later
"""From linear light to a camera's picture: exposure, tone curve, sensor noise, JPEG-like compression."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_STEPS = 4096
_grid = np.linspace(0, 1, _STEPS)
_SRGB = np.where(_grid <= 0.0031308, 12.92 * _grid, 1.055 * _grid ** (1 / 2.4) - 0.055)
SRGB_BYTES = np.round(255 * _SRGB).astype(np.uint8)
"""uint8 [4096]: linear light 0..1 to sRGB code."""


def to_bytes(linear: np.ndarray) -> np.ndarray:
    """Linear light [...] to sRGB uint8."""
    return SRGB_BYTES[np.clip(linear * (_STEPS - 1) + 0.5, 0, _STEPS - 1).astype(np.int32)]


@dataclass(frozen=True)
class CameraEffects:
    """exposure and balance: factors of linear light. gamma: further power on codes 0..1. shot, read: noise of the
    sensor, standard deviations at full light and in the dark (linear). chroma_half: colour at half resolution, as
    video has it. jpeg: quality 1..100, None: none. blur: lens, standard deviation in pixels."""

    exposure: float = 1.0
    balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    shot: float = 0.0
    read: float = 0.0
    jpeg: int | None = None
    blur: float = 0.0
    chroma_half: bool = False
    seed: int = 0

    def apply(self, linear: np.ndarray) -> np.ndarray:
        """float [H,W,3] linear light to uint8 [H,W,3]."""
        light = (linear * (self.exposure * np.array(self.balance, np.float32))).astype(np.float32)
        if self.blur > 0:
            light = cv2.GaussianBlur(light, (0, 0), self.blur)
        if self.shot > 0 or self.read > 0:
            rng = np.random.default_rng((self.seed, 7))
            deviation = np.sqrt(self.read**2 + self.shot**2 * np.maximum(light, 0))
            light = light + deviation * rng.standard_normal(light.shape, np.float32)
        picture = to_bytes(np.clip(light, 0, 1))
        if self.gamma != 1:
            picture = np.round(255 * (np.arange(256) / 255) ** self.gamma).astype(np.uint8)[picture]
        if self.chroma_half:
            luma = cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb)
            half = cv2.resize(luma[..., 1:], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            luma[..., 1:] = cv2.resize(half, luma.shape[1::-1], interpolation=cv2.INTER_LINEAR)
            picture = cv2.cvtColor(luma, cv2.COLOR_YCrCb2RGB)
        if self.jpeg is not None:
            _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(self.jpeg)])
            picture = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]
        return np.ascontiguousarray(picture)


def random_effects(rng: np.random.Generator) -> CameraEffects:
    """A webcam, a phone or a good camera."""
    bad = rng.beta(1, 2)
    return CameraEffects(
        exposure=float(np.exp(rng.normal(0, 0.2))),
        balance=(float(np.exp(rng.normal(0, 0.05))), 1.0, float(np.exp(rng.normal(0, 0.07)))),
        gamma=float(np.exp(rng.normal(0, 0.1))),
        shot=float(0.04 * bad * rng.random()),
        read=float(0.010 * bad * rng.random()),
        jpeg=int(rng.integers(45, 97)) if rng.random() < 0.7 else None,
        blur=float(max(0.0, rng.normal(0.3, 0.5))),
        chroma_half=bool(rng.random() < 0.6),
        seed=int(rng.integers(1 << 31)),
    )
