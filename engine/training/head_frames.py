# SPDX-License-Identifier: GPL-3.0-or-later
"""A dataset of heads alone, and the film behind them, for presets that model no torso (METHOD 2.7)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .dataset import Dataset, Pictures
from .frame_store import FrameStore
from .motion_stage import SurfaceMotion
from .source_torso import GREY, behind_the_head, head_alpha
from .surface import CLOTH, NECK
from .targets import Crop


class HeadFrames:
    """A dataset's frames with the head's alpha alone; a stand-in for ``Pictures.rgba``."""

    def __init__(self, pictures: Pictures) -> None:
        self._rgba, self._masks = pictures.rgba, pictures.masks
        self.shape = pictures.rgba.shape

    def __len__(self) -> int:
        return len(self._rgba)

    def expect(self, frame: int) -> None:
        """As of a ``FrameStore``."""
        if isinstance(self._rgba, FrameStore):
            self._rgba.expect(frame)

    def __getitem__(self, index: int | tuple) -> np.ndarray:
        """As of a ``FrameStore``."""
        if isinstance(index, tuple):
            return np.asarray(self[index[0]][index[1:]])
        frame = np.array(self._rgba[index])
        frame[..., 3] = head_alpha(frame, self._masks[index])
        return frame


class SourceFrames:
    """Whole frames, and what lies behind the heads in them, as the joint stage compares them."""

    def __init__(self, pictures: Pictures, background: np.ndarray | None) -> None:
        """background: float32 [H,W,3] 0..1."""
        self._rgba, self._masks, self._background = pictures.rgba, pictures.masks, background

    def behind(self, frame: int, crop: Crop) -> Tensor:
        """[h,w,3]"""
        image = behind_the_head(self._rgba[frame], self._masks[frame], self._background)
        return torch.from_numpy(np.ascontiguousarray(crop.cut(image)))

    def whole(self, frame: int, crop: Crop) -> Tensor:
        """[h,w,3]"""
        rgba = crop.cut(self._rgba[frame]).astype(np.float32) / 255
        under = np.float32(GREY) if self._background is None else crop.cut(self._background)
        image = rgba[..., :3] * rgba[..., 3:] + under * (1 - rgba[..., 3:])
        return torch.from_numpy(np.ascontiguousarray(image, np.float32))


def read_background(folder: Path) -> np.ndarray | None:
    """float32 [H,W,3] 0..1 of the dataset's empty background; None where it has none."""
    path = folder / "background.png"
    return FrameStore([path], 3)[0].astype(np.float32) / 255 if path.is_file() else None


def without_torso(dataset: Dataset, surface: SurfaceMotion) -> tuple[Dataset, SurfaceMotion]:
    """Both with the head alone."""
    assert dataset.pictures is not None
    heads = replace(dataset.pictures, rgba=HeadFrames(dataset.pictures))  # type: ignore[arg-type]
    rows = np.flatnonzero(~np.isin(surface.face.regions, (NECK, CLOTH)))
    return replace(dataset, pictures=heads), replace(surface, face=surface.face.select(rows))
