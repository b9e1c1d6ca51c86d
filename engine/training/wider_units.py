# SPDX-License-Identifier: GPL-3.0-or-later
"""A dataset with another set of Action Units than the 17, as its capture measured them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..action_unit_sets import OPENFACE_17, ActionUnitSet, as_controls
from .action_unit_smoothing import with_action_units
from .dataset import Dataset, DatasetError, load_table


def measured_controls(folder: Path, unit_set: ActionUnitSet) -> np.ndarray:
    """Controls float32 [T,n] of `unit_set` in the frames of the dataset `folder`.

    Raises :class:`DatasetError` where its capture did not measure what the set needs.
    """
    table = load_table(folder, "performance")
    codes = [str(code) for code in table.get("unit_codes", np.zeros(0, str))]
    if lacking := [code for code in unit_set.codes if code not in codes]:
        raise DatasetError(
            f"'{folder}' was captured without {lacking[0]}, which the set '{unit_set.name}' has; run the capture again "
            f"(it goes on from what is there), or train with the set '{OPENFACE_17.name}'."
        )
    values = table.get("unit_values", np.zeros(0, np.float32))
    if values.shape != (len(table.get("action_units", ())), len(codes)) or not np.isfinite(values).all():
        raise DatasetError(f"The Action Units in '{folder / 'performance.npz'}' are damaged; run the capture again.")
    return as_controls(values, codes, unit_set)


def with_unit_set(folder: Path, dataset: Dataset, unit_set: ActionUnitSet) -> Dataset:
    """`dataset` with the controls of `unit_set`; the 17 leave it as it is. folder: the dataset's.

    Raises :class:`DatasetError`.
    """
    if unit_set is OPENFACE_17:
        return dataset
    return with_action_units(dataset, measured_controls(folder, unit_set))
