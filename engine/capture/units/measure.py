# SPDX-License-Identifier: GPL-3.0-or-later
"""Action Units of a person's whole footage, from the features of its clips.

Blinks are measured directly, parted lips half so, everything else by the regressor; all against the person's own rest.
These are controls that behave like Action Units, calibrated on one person; they are not certified FACS scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import savgol_filter

from ...action_unit_sets import OPENFACE_17, SIDES, ActionUnitSet, convert
from ...action_units import BLINK_CLOSED, MAXIMUM
from ..curves.curves import fill_gaps
from .calibration import Calibration, calibrate
from .face_features import POSE, feature_names
from .regressor import UnitRegressor, load_regressor
from .strong_units import FEWEST_SPOKEN, LOUD_AU25, LOUD_AU26, LOUD_PERCENTILE, blink, lips_part, personal_scale

SMOOTHING = 5
"""Frames of the quadratic Savitzky-Golay filter inside a clip; lip gap and lids are taken as they are."""
NOISE_LIMIT = 2.0
"""Intensities around so many deviations of the resting face are halved, smaller ones fade to 0 ..."""
LARGEST_KNEE = 0.4
"""... but none above several times this are touched."""
USUAL_RANGE = 1.5
"""What a speaking face's mouth and brows reach (99th percentile). A person who stays below is scaled up to it ..."""
LARGEST_GAIN = 3.0
"""... by no more than this, and only where speech moves the unit clearly more than the resting face trembles."""
CLEARLY = 2.0
HELD_OVER_BLINKS = ("AU01", "AU02", "AU04", "AU06", "AU07")
"""Brows and lids are mistracked while the eye is shut, so these are bridged ..."""
LONGEST_BLINK = 12
"""... but not over eyes that stay shut for more frames."""
LET_GO = 0.5
"""Lips whose gap says less than this AU25 are shut, whatever the regressor says."""


@dataclass(frozen=True)
class UnitCurves:
    """Action Units of a capture."""

    codes: tuple[str, ...]
    """Columns, in the order of the set that was asked for."""
    values: np.ndarray
    """float32 [T,n] 0..5; AU45 0..2, where 2 is closed."""
    confidence: np.ndarray
    """float32 [n] 0..1: the correlation with the truth on synthetic people that the regressor was not trained on; less
    where it expects larger errors on this footage."""
    frame_confidence: np.ndarray
    """float32 [T] 0..1: the same, mean over the units of the set; 0 where the frame was interpolated."""
    rest_frames: int
    """How many frames the person's rest was taken from."""
    warnings: tuple[str, ...]
    """One sentence each."""


def measure_units(
    features: Sequence[np.ndarray],
    usable: np.ndarray,
    silent: np.ndarray,
    clips: np.ndarray,
    unit_set: ActionUnitSet = OPENFACE_17,
    regressor: UnitRegressor | None = None,
) -> UnitCurves:
    """Measure all clips of one person together.

    features: for each clip, in order, [n,K] as ``face_features`` returns them, NaN rows allowed. usable: bool [T],
    False where a frame shall be ignored and interpolated inside its clip. silent: bool [T] True where nobody speaks.
    clips: int [T], rising, the same number for the frames of a clip. Raises ValueError if they do not go together.
    """
    names = feature_names()
    rows = np.concatenate([np.empty((0, len(names)), np.float32), *(np.asarray(part, np.float32) for part in features)])
    usable, silent, clips = np.asarray(usable, bool), np.asarray(silent, bool), np.asarray(clips)
    if not len(rows) == len(usable) == len(silent) == len(clips) or (np.diff(clips) < 0).any():
        raise ValueError(
            f"{len(rows)} rows of features, {len(usable)} of usable, {len(silent)} of silent, {len(clips)} of clips: "
            "all must be as many, and the numbers of clips must not fall"
        )
    regressor = regressor or load_regressor()
    clips = np.unique(clips, return_inverse=True)[1].reshape(-1)
    usable = usable & np.isfinite(rows).all(1)
    for clip in range(clips[-1] + 1 if len(clips) else 0):
        here = clips == clip
        rows[here] = fill_gaps(rows[here], usable[here])
    calibration = calibrate(rows, names, usable, silent, clips)
    values, errors = _regress(rows, names, clips, calibration, regressor)
    _measure_directly(values, regressor.codes, rows, names, usable, silent, clips, calibration)
    seen = np.zeros(clips[-1] + 1 if len(clips) else 0, bool)
    seen[clips[usable]] = True
    values[~seen[clips]] = 0
    sure = regressor.certainty(errors) * usable[:, None]
    return UnitCurves(
        unit_set.codes,
        convert(values, regressor.codes, unit_set),
        convert(sure[usable].mean(0) if usable.any() else sure.sum(0), regressor.codes, unit_set),
        convert(sure, regressor.codes, unit_set).mean(1),
        int(calibration.frames.sum()),
        calibration.warnings,
    )


def _regress(
    rows: np.ndarray, names: tuple[str, ...], clips: np.ndarray, calibration: Calibration, regressor: UnitRegressor
) -> tuple[np.ndarray, np.ndarray]:
    """Intensities [T,n] that are 0 at rest, and their expected errors."""
    smooth = rows.copy()
    for clip in np.unique(clips):
        here = np.flatnonzero(clips == clip)
        window = min(SMOOTHING, (len(here) - 1) // 2 * 2 + 1)
        if window > 2:
            smooth[here] = savgol_filter(rows[here], window, 2, axis=0)
    relative = calibration.relative(smooth, clips).astype(np.float32)
    values, errors = regressor.estimate(relative, smooth[:, [names.index(name) for name in POSE]])
    rest = values[calibration.frames]
    if len(rest):
        values -= np.median(rest, 0)
        noise = 1.4826 * np.median(np.abs(rest - np.median(rest, 0)), 0)
        knee = np.minimum(NOISE_LIMIT * noise, LARGEST_KNEE) + 1e-6
        values = np.maximum(values, 0)
        values *= values / (values + knee)
    return np.clip(values, 0, MAXIMUM), errors


def _personal_range(values: np.ndarray, spoken: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Scale up, column by column, what this person does less than others. values: [T,n]; spoken, rest: bool [T]."""
    if spoken.sum() < FEWEST_SPOKEN or not rest.any():
        return values
    reach, tremble = (np.percentile(values[frames], LOUD_PERCENTILE, axis=0) for frames in (spoken, rest))
    gain = np.clip(USUAL_RANGE / np.maximum(reach, 1e-6), 1, LARGEST_GAIN)
    return values * np.where(reach > CLEARLY * tremble, gain, 1).astype(np.float32)


def _measure_directly(
    values: np.ndarray, codes: tuple[str, ...], rows: np.ndarray, names: tuple[str, ...], usable: np.ndarray,
    silent: np.ndarray, clips: np.ndarray, calibration: Calibration,
) -> None:  # fmt: skip
    """Put in place what geometry tells best, and what follows from it."""
    column = {code: index for index, code in enumerate(codes)}
    spoken = usable & ~silent
    gap, jaw, stretch = column["AU25"], column["AU26"], column["AU27"]
    others = np.array([index not in (gap, jaw, stretch) for index in range(len(codes))])
    values[:, others] = _personal_range(values[:, others], spoken, calibration.frames)
    parted = lips_part(rows[:, names.index("lip_gap")], calibration)
    values[:, gap] = (values[:, gap] + parted) / 2 * np.clip(parted / LET_GO, 0, 1)
    for index, loud in ((gap, LOUD_AU25), (jaw, LOUD_AU26)):
        values[:, index] = np.minimum(values[:, index] / personal_scale(values[:, index], spoken, loud), MAXIMUM)
    for side in SIDES:
        lid = names.index("lid" + side)
        usual = calibration.rest[lid] + calibration.clip_offsets[clips, lid]
        shut = values[:, column["AU45" + side]] = blink(rows[:, lid], usable, usual)
        values[:, column["AU05" + side]] *= np.clip(1 - shut, 0, 1)
        held = [column[code + side] for code in HELD_OVER_BLINKS if code + side in column]
        _bridge_blinks(values, [*held, column["AU01"]], shut > BLINK_CLOSED / 2, clips)


def _bridge_blinks(values: np.ndarray, columns: list[int], shut: np.ndarray, clips: np.ndarray) -> None:
    """Straight lines over short blinks, inside each clip. values: [T,n], changed; shut: bool [T]."""
    for clip in np.unique(clips[shut]):
        here = np.flatnonzero(clips == clip)
        around = np.convolve(shut[here], [1, 1, 1], "same") > 0
        edges = np.flatnonzero(np.diff(np.concatenate([[0], around, [0]])))
        for begin, end in edges.reshape(-1, 2):
            if end - begin > LONGEST_BLINK:
                around[begin:end] = False
        if not around.all():
            part = np.ix_(here, np.array(columns))
            values[part] = fill_gaps(values[part], ~around)
