# SPDX-License-Identifier: GPL-3.0-or-later
"""Action Units without the extractor's tremble: Savitzky-Golay over each clip (METHOD 2.4)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..action_unit_sets import carry, set_of_width
from .dataset import Dataset

WINDOW, ORDER = 5, 3


def smooth_action_units(values: np.ndarray, clips: np.ndarray) -> np.ndarray:
    """values [T,n] and each frame's clip [T] -> float32 [T,n] >= 0; clips shorter than WINDOW stay as they are."""
    from scipy.signal import savgol_filter

    smooth = np.array(values, np.float32)
    for clip in np.unique(clips):
        rows = np.flatnonzero(clips == clip)
        if len(rows) >= WINDOW:
            smooth[rows] = savgol_filter(smooth[rows], WINDOW, ORDER, axis=0)
    return np.maximum(smooth, 0)


def smoothed(dataset: Dataset) -> Dataset:
    """The dataset with smooth Action Units; pictures take those of the moment they were seen in."""
    performance = dataset.performance
    units = smooth_action_units(performance.action_units, performance.clip_index)
    return with_action_units(dataset, units)


def with_action_units(dataset: Dataset, units: np.ndarray) -> Dataset:
    """The dataset with other Action Units [T,n] of its performance, which its pictures take over."""
    performance, pictures = dataset.performance, dataset.pictures
    if pictures is not None:
        moments = {
            (int(clip), int(frame)): row
            for row, (clip, frame) in enumerate(zip(performance.clip_index, performance.frame_in_clip, strict=True))
        }
        seen = carry(pictures.action_units, set_of_width(units.shape[1])).copy()
        for index, moment in enumerate(zip(pictures.clip_index, pictures.frame_in_clip, strict=True)):
            if (row := moments.get((int(moment[0]), int(moment[1])))) is not None:
                seen[index] = units[row]
        pictures = replace(pictures, action_units=seen)
    return replace(dataset, performance=replace(performance, action_units=units), pictures=pictures)
