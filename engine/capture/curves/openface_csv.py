# SPDX-License-Identifier: GPL-3.0-or-later
"""Action Units and head pose out of the tables that OpenFace 2 writes (FeatureExtraction, FaceLandmarkVidMulti).

Such tables have names with spaces before them, frames from 1, rows without a face, and at times lack rows altogether;
see the OpenFace wiki, "Output Format".
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...action_unit_sets import EXTENDED
from ...action_units import CODES, MAXIMUM
from .csv_numbers import Numbers, read_numbers
from .curves import Curves, CurvesError, fill_gaps

DEFAULT_FPS = 25.0
MAX_FRAMES = 1_000_000
MAX_POSE = 1e5
"""Millimetres: a head farther away is a spoilt cell."""
_RATES = (24000 / 1001, 24.0, 25.0, 30000 / 1001, 30.0, 48.0, 50.0, 60000 / 1001, 60.0, 100.0, 120.0)
_BESIDE = ("frame", "face_id", "timestamp", "confidence", "success")
_POSE = ("pose_rx", "pose_ry", "pose_rz", "pose_tx", "pose_ty", "pose_tz")


def read_openface(path: str | Path, frames: int | None = None, fps: float | None = None) -> Curves:
    """Curves of the 17 Action Units, and of what else of the set `extended` the table has, one row for every frame of
    the footage.

    frames: how many the footage has; None for as many as the table counts. fps: of the footage; None to tell it from
    the timestamps. Rows without a face, missing rows and cells that hold no number are interpolated and have
    `success` False. The head's rotation is that of the file; its translation is from its mean. Raises CurvesError.
    """
    path = Path(path)
    if frames is not None and not 1 <= frames <= MAX_FRAMES:
        raise ValueError(f"frames is {frames}; it is 1 to {MAX_FRAMES}")
    if fps is not None and not 1 <= fps <= 240:
        raise ValueError(f"fps is {fps}; it is 1 to 240")
    found: list[str] = []

    def choose(names: list[str]) -> list[int]:
        keys = [name.casefold() for name in names]
        columns = {name: keys.index(name) for name in (*_BESIDE, *_POSE) if name in keys}
        for code in EXTENDED.codes:
            for key in (f"{code}_r".casefold(), code.casefold()):
                if key in keys:
                    columns.setdefault(code, keys.index(key))
        if not any(code in columns for code in CODES):
            presence = any(key.endswith("_c") and key.startswith("au") for key in keys)
            what = "says only whether Action Units are present" if presence else "has no column of Action Units"
            raise CurvesError(f"{path.name} {what}; run OpenFace's FeatureExtraction with -aus and choose its table.")
        found.extend(columns)
        return list(columns.values())

    table = _sorted_out(path, read_numbers(path, choose), found)
    rate = _rate(path, table, fps)
    index = _placed(path, table, frames)
    total = frames if frames is not None else int(index.max()) + 1
    codes = tuple(code for code in EXTENDED.codes if code in CODES or code in found)
    missing = tuple(code for code in CODES if code not in found)
    if missing:
        table.warnings.append(f"{path.name} has no intensity for {', '.join(missing)}; there the face stays at rest.")
    return _curves(path, table, index, total, rate, codes, missing)


@dataclass
class _Table:
    columns: dict[str, np.ndarray]  # name -> [n]
    lines: np.ndarray
    warnings: list[str]

    def keep(self, rows: np.ndarray) -> None:
        self.columns = {name: column[rows] for name, column in self.columns.items()}
        self.lines = self.lines[rows]

    def get(self, name: str, default: float) -> np.ndarray:
        column = self.columns.get(name)
        return np.full(len(self.lines), default) if column is None else np.nan_to_num(column, nan=default)


def _sorted_out(path: Path, numbers: Numbers, names: list[str]) -> _Table:
    """Rows of one face, each with a whole frame number from 0, in order, no frame twice."""
    table = _Table(dict(zip(names, numbers.values.T, strict=True)), numbers.lines, [])
    if numbers.cut:
        table.warnings.append(f"The last line of {path.name} is cut off and was left out; was the export stopped?")
    if not len(table.lines):
        raise CurvesError(f"{path.name} has no rows; run OpenFace again.")
    frame = table.columns.setdefault("frame", np.arange(1.0, len(table.lines) + 1))
    whole = np.isfinite(frame) & (frame >= 0) & (frame == np.floor(frame))
    if not whole.all():
        first = table.lines[~whole][0]
        if not whole.any():
            raise CurvesError(
                f"Line {first} of {path.name} has no frame number, nor has any other; run OpenFace again."
            )
        table.warnings.append(
            f"{_count(~whole, 'line')} of {path.name} without a frame number left out, first {first}."
        )
        table.keep(whole)
    if (far := table.columns["frame"] > MAX_FRAMES).any():
        raise CurvesError(
            f"Line {table.lines[far][0]} of {path.name} counts more than {MAX_FRAMES} frames; "
            "correct it or split the table."
        )
    _one_face(path, table)
    # OpenFace counts from 1; a frame 0 can only come from a tool that counts from 0.
    table.columns["frame"] = table.columns["frame"] - (0 if table.columns["frame"].min() == 0 else 1)
    _one_row_a_frame(path, table)
    return table


def _one_face(path: Path, table: _Table) -> None:
    who = table.get("face_id", 0.0)
    faces = np.unique(who)
    if len(faces) < 2:
        return
    seen = [np.count_nonzero((who == face) & (table.get("success", 1.0) > 0.5)) for face in faces]
    most = faces[int(np.argmax(seen))]
    table.warnings.append(
        f"{path.name} follows {len(faces)} faces; face {most:g}, seen most ({max(seen)} frames), is the one read."
    )
    table.keep(who == most)


def _one_row_a_frame(path: Path, table: _Table) -> None:
    frame = table.columns["frame"]
    if (np.diff(frame) < 0).any():
        table.warnings.append(f"The frames of {path.name} were not in order and have been sorted.")
    # Of several rows of a frame the surest is kept, of equals the first.
    order = np.lexsort((table.lines, -table.get("confidence", 1.0), -table.get("success", 1.0), frame))
    again = np.concatenate([[False], np.diff(frame[order]) == 0])
    if again.any():
        first = table.lines[order][again][0]
        table.warnings.append(
            f"{_count(again, 'line')} of {path.name} for a frame that has one already left out, first {first}."
        )
    table.keep(order[~again])


def _rate(path: Path, table: _Table, fps: float | None) -> float:
    measured = _rate_of_timestamps(table)
    if measured is not None and not 1 <= measured <= 240:
        measured = None
        if fps is None:
            table.warnings.append(
                f"The timestamps of {path.name} make no sense; taken as {DEFAULT_FPS:g} frames a second."
            )
    elif measured is None and fps is None:
        table.warnings.append(f"{path.name} tells no frame rate; taken as {DEFAULT_FPS:g} frames a second.")
    if fps is None:
        return measured or DEFAULT_FPS
    if measured is not None and abs(measured / fps - 1) > 0.01:
        table.warnings.append(
            f"{path.name} was made at {measured:.5g} frames a second and the footage has {fps:.5g}; "
            "run OpenFace on this very footage."
        )
    return float(fps)


def _rate_of_timestamps(table: _Table) -> float | None:
    times = table.get("timestamp", np.nan)
    known = np.flatnonzero(np.isfinite(times))
    if len(known) < 2:
        return None
    first, last = known[0], known[-1]
    seconds = times[last] - times[first]
    if not seconds > 0:
        return None
    rate = float((table.columns["frame"][last] - table.columns["frame"][first]) / seconds)
    nearest = min(_RATES, key=lambda standard: abs(standard - rate))
    # Timestamps are rounded to a millisecond.
    return nearest if abs(rate / nearest - 1) < max(2e-4, 0.0015 / seconds) else rate


def _placed(path: Path, table: _Table, frames: int | None) -> np.ndarray:
    """Index of each row's frame, after telling what does not fit the footage."""
    index = table.columns["frame"].astype(np.int64)
    if frames is None:
        return index
    outside = index >= frames
    if outside.all():
        raise CurvesError(
            f"{path.name} describes none of the footage's {frames} frames; choose the table of this footage."
        )
    if outside.any():
        table.warnings.append(
            f"{path.name} goes on to frame {index.max() + 1} and the footage has {frames}; "
            f"{_count(outside, 'row')} left out."
        )
        table.keep(~outside)
        index = index[~outside]
    return index


def _curves(
    path: Path,
    table: _Table,
    index: np.ndarray,
    total: int,
    fps: float,
    codes: tuple[str, ...],
    missing: tuple[str, ...],
) -> Curves:
    units = np.full((total, len(codes)), np.nan)
    for column, code in enumerate(codes):
        units[index, column] = table.columns.get(code, 0.0)
    success, there = np.zeros(total, bool), np.zeros(total, bool)
    success[index] = table.get("success", 1.0) > 0.5
    there[index] = True
    confidence = np.zeros(total)
    confidence[index] = table.get("confidence", 1.0)
    known = np.isfinite(units) & success[:, None]
    if not known[:, [code not in missing for code in codes]].any():
        raise CurvesError(
            f"{path.name} holds no frame in which a face was found; film it again, or run OpenFace again."
        )
    if total > np.count_nonzero(there):
        table.warnings.append(
            f"{path.name} describes {np.count_nonzero(there)} of {total} frames; the others are interpolated."
        )
    if lost := np.count_nonzero(there & ~success):
        table.warnings.append(f"OpenFace found no face in {lost} of {total} frames of {path.name}; interpolated.")
    if bad := np.count_nonzero(~np.isfinite(units) & success[:, None]):
        line = table.lines[(~np.isfinite(units[index]) & success[index][:, None]).any(1)][0]
        table.warnings.append(f"{bad} cells of {path.name} hold no number, first in line {line}; interpolated.")
    beyond = known & ((np.nan_to_num(units) < -0.01) | (np.nan_to_num(units) > MAXIMUM + 0.01))
    if beyond.any():
        table.warnings.append(
            f"{np.count_nonzero(beyond)} values of {path.name} lie outside 0 to {MAXIMUM:g}; clipped."
        )
    head, origin = _head(table, index, success, total)
    return Curves(
        fps=fps,
        codes=codes,
        values=np.clip(fill_gaps(units, known), 0, MAXIMUM).astype(np.float32),
        confidence=np.clip(confidence, 0, 1).astype(np.float32),
        success=known.all(1),
        head=head,
        head_origin=origin,
        missing=missing,
        warnings=tuple(table.warnings),
    )


def _head(
    table: _Table, index: np.ndarray, success: np.ndarray, total: int
) -> tuple[np.ndarray | None, np.ndarray | None]:
    if any(name not in table.columns for name in _POSE):
        return None, None
    pose = np.full((total, 6), np.nan)
    pose[index] = np.stack([table.columns[name] for name in _POSE], 1)
    known = (np.abs(pose) < MAX_POSE).all(1) & success  # False for NaN
    if not known.any():
        return None, None
    head = np.zeros((total, 6))
    head[known, :3] = head_rotation(pose[known, :3])
    # Millimetres with y down and z away from the camera.
    head[known, 3:] = pose[known, 3:] * (0.001, -0.001, -0.001)
    origin = head[known, 3:].mean(0)
    head[known, 3:] -= origin
    return fill_gaps(head, known).astype(np.float32), origin


def head_rotation(angles: np.ndarray) -> np.ndarray:
    """Pitch, yaw, roll [n,3] of `HeadPose` for OpenFace's pose_Rx, pose_Ry, pose_Rz [n,3]; radians both.

    OpenFace writes R = Rx Ry Rz in axes with y down and z away from the camera (its RotationHelpers.h); half a turn
    about x leads to ours, where R = Ry Rx Rz.
    """
    (sx, sy, sz), (cx, cy, cz) = np.sin(angles.T * [[1], [-1], [-1]]), np.cos(angles.T)
    pitch = np.arcsin(np.clip(sx * cy, -1, 1))
    yaw = np.arctan2(sy, cx * cy)
    roll = np.arctan2(cx * sz + sx * sy * cz, cx * cz - sx * sy * sz)
    return np.stack([pitch, yaw, roll], 1)


def _count(rows: np.ndarray, noun: str) -> str:
    number = np.count_nonzero(rows)
    return f"{number} {noun}{'s' if number != 1 else ''}"
