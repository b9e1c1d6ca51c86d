# SPDX-License-Identifier: GPL-3.0-or-later
"""The ablation row "blendshape": Action Units read off the tracker's 52 blendshapes instead of being measured.

A fixed table turns shapes into intensities, so everything else stays as it is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .. import action_units
from ..capture.curves.arkit_action_units import arkit_to_action_units
from ..capture.face.blendshape_names import BLENDSHAPES
from .action_unit_smoothing import with_action_units
from .dataset import Dataset, DatasetError, load_table


def with_blendshape_cue(folder: Path, dataset: Dataset) -> Dataset:
    """`dataset` with the Action Units that its captured blendshapes speak of; frames without a face keep theirs.

    folder: the dataset's. Raises DatasetError where it has no blendshapes, or where clips were cut out of longer takes.
    """
    performance = dataset.performance
    units = performance.action_units.copy()
    for clip, name in enumerate(load_table(folder, "performance")["clips"]):
        rows = performance.frames_of(clip)
        try:
            with np.load(folder / "tracking" / f"{name}.npz") as data:
                shapes, seen = data["blendshapes"], data["presence"] > 0
        except (OSError, KeyError, ValueError) as error:
            raise DatasetError(
                f"The clip '{name}' of '{folder}' has no blendshapes ({error}); train with the cue 'au', or capture "
                "again."
            ) from error
        if len(shapes) != len(rows):
            raise DatasetError(
                f"The clip '{name}' of '{folder}' was cut out of a longer take, whose blendshapes do not say where; "
                "train with the cue 'au'."
            )
        read = action_units.clip(arkit_to_action_units(shapes, BLENDSHAPES).action_units)
        units[rows[seen]] = read[seen]
    return with_action_units(dataset, units)
