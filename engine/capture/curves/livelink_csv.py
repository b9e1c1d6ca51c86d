# SPDX-License-Identifier: GPL-3.0-or-later
"""Face shapes out of the tables of Live Link Face, and of anything else that writes ARKit's 52 shapes as columns."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from .arkit_action_units import ARKIT_NAMES, arkit_index
from .csv_numbers import read_numbers
from .curves import Curves, CurvesError, fill_gaps, resample

SOURCE_FPS = 60.0
"""Rate at which Live Link Face records unless told otherwise."""

HEAD_SIGNS = (1.0, 1.0, -1.0)
"""From HeadPitch, HeadYaw, HeadRoll to `HeadPose`'s pitch, yaw, roll. Not checked against a recording: the app has no
written convention, and programs that pose heads from it disagree on pitch, and on a telephone held sideways. ARKit's
own rotation (ARFaceAnchor: x to the face's left, y up, z out of the face) would be (1, 1, 1). Unreal's ARKit plug-in
(AppleARKitFaceSupport, ToBlendShapeMap), where shapes keep their sides, turns yaw and roll round, (1, -1, -1), and
writes half turns where the app writes radians: what it does cannot be read from that one."""

FEWEST_SHAPES = 10
MAX_SECONDS = 6 * 3600.0
LONGEST_GAP, FEWEST_ROWS = 60.0, 1.0
"""Seconds that may be without any row, and rows a second that a longer take has at least."""
MAX_WEIGHT = 1000.0
MAX_ANGLE = 400.0
_COUNTS = (24, 25, 30, 48, 50, 60, 100, 120, 240)  # frames that a second of a timecode may have
_TIMES = ("timecode", "timestamp", "timestampms", "timems", "timestamps", "times", "time", "seconds", "frame", "frames")
_SECONDS = ("timestamps", "times", "seconds")  # timestamp_s, time_s
_HEAD = ("headpitch", "headyaw", "headroll")
_TIMECODE = re.compile(r"(\d+):(\d+):(\d+)[:;](\d+(?:[.,]\d+)?)")
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:[.,]\d+)?)")
_DAY = 86400.0
_PLACE = 1024.0  # a timecode travels as one number: seconds * _PLACE + frame within the second


class _Timecodes:
    """Reads cells of a time column and remembers what kind they were."""

    labelled = drop_frame = clock = False

    def __call__(self, cell: str) -> float:
        text = cell.strip()
        if label := _TIMECODE.fullmatch(text):
            hours, minutes, seconds, frame = label.groups()
            number = float(frame.replace(",", "."))
            if number >= _PLACE:
                raise ValueError("no frame of a second")
            self.labelled = True
            self.drop_frame |= ";" in text
            return (int(hours) * 3600 + int(minutes) * 60 + int(seconds)) * _PLACE + number
        if time := _CLOCK.fullmatch(text):
            hours, minutes, seconds = time.groups()
            self.clock = True
            return int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds.replace(",", "."))
        return float(text)


def read_livelink(
    path: str | Path,
    fps: float = 25.0,
    source_fps: float | None = None,
    head_signs: tuple[float, float, float] = HEAD_SIGNS,
) -> Curves:
    """Weights 0..1 of ARKit's 52 shapes, and the head's rotation if the table has it, at a constant frame rate.

    fps: wanted; rows that come faster are averaged over the length of a frame, so that nothing aliases. Frame 0 begins
    at the first row. source_fps: of the recording, where its times are counts of frames; None to tell it from them.
    Names of columns may be spelled in any case, with underscores, sides also as L and R. Frames without a row nearby
    are interpolated and have `success` False. Raises CurvesError.
    """
    path = Path(path)
    for name, rate in (("fps", fps), ("source_fps", source_fps)):
        if rate is not None and not 1 <= rate <= 240:
            raise ValueError(f"{name} is {rate}; it is 1 to 240")
    shapes: list[int] = []
    others: list[str] = []
    timecodes = _Timecodes()
    parsers = {}

    def choose(names: list[str]) -> list[int]:
        keys = [re.sub(r"[^a-z]", "", name.casefold()) for name in names]
        where = {
            index: column
            for column, name in reversed(list(enumerate(names)))
            if (index := arkit_index(name)) is not None
        }
        if len(where) < FEWEST_SHAPES:
            raise CurvesError(
                f"{path.name} has {len(where)} of ARKit's 52 face shapes; its first line names them: EyeBlinkLeft, …"
            )
        shapes.extend(where)
        others.extend([key for key in _TIMES if key in keys][:1])
        others.extend(_HEAD if all(key in keys for key in _HEAD) else ())
        if others and others[0] in _TIMES:
            parsers[keys.index(others[0])] = timecodes
        return [*where.values(), *(keys.index(key) for key in others)]

    table = read_numbers(path, choose, parsers)
    warnings = (
        [f"The last line of {path.name} is cut off and was left out; was the export stopped?"] if table.cut else []
    )
    values, rest = table.values[:, : len(shapes)], table.values[:, len(shapes) :]
    if not len(values):
        raise CurvesError(f"{path.name} has no rows; record the take again.")
    timed = bool(others) and others[0] in _TIMES
    if timed:
        times = _seconds(path, rest[:, 0], others[0], timecodes, source_fps, warnings)
    else:
        times = np.arange(len(values)) / (source_fps or SOURCE_FPS)
        if source_fps is None:
            warnings.append(f"{path.name} tells no times; taken as {SOURCE_FPS:g} rows a second.")
    times, values, rest = _usable(path, times, table.lines, values, rest, warnings)
    del table
    weights = _weights(path, values, warnings)
    head = _head(path, rest[:, 1 if timed else 0 :], head_signs, warnings)
    return _resampled(path, fps, times, weights, head, shapes, warnings)


def _seconds(
    path: Path, raw: np.ndarray, name: str, codes: _Timecodes, source_fps: float | None, warnings: list[str]
) -> np.ndarray:
    """Seconds [n] of the cells of a time column; NaN where there is none."""
    known = np.isfinite(raw)
    if not known.any():
        raise CurvesError(f"{path.name} has no readable times in its column {name}; record the take again.")
    if codes.labelled:
        seconds = np.floor(raw / _PLACE)
        frame = raw - seconds * _PLACE
        rate = _rate_of_labels(seconds[known], frame[known], source_fps)
        if codes.drop_frame:
            # Two labels in 30 are left out each minute but the tenth, so that 29.97 keeps up with the clock.
            minutes = np.floor(seconds / 60)
            left_out = rate / 15 * (minutes - np.floor(minutes / 10))
            seconds, frame = np.zeros_like(seconds), (seconds * rate + frame - left_out) * 1.001
        times = seconds + frame / rate
    elif codes.clock:
        times = raw
    else:
        times = raw * _unit(raw[known], name, source_fps)
    if codes.labelled or codes.clock:
        times[known] = _past_midnight(times[known])
    return times - np.nanmin(times)


def _rate_of_labels(seconds: np.ndarray, frame: np.ndarray, source_fps: float | None) -> float:
    highest = float(np.floor(frame.max())) + 1
    if highest > _COUNTS[-1]:
        return 1000.0  # not frames: some programs write milliseconds there
    # Only a take that runs through whole seconds shows how many frames they have.
    told = source_fps or (SOURCE_FPS if len(np.unique(seconds)) < 3 else highest)
    return float(next(count for count in _COUNTS if count >= min(max(told, highest), _COUNTS[-1]) - 1e-6))


def _unit(raw: np.ndarray, name: str, source_fps: float | None) -> float:
    """Seconds in one unit of a column of plain numbers."""
    if name.endswith("ms"):
        return 1e-3
    if name in _SECONDS:
        return 1.0
    step = float(np.median(np.abs(np.diff(raw)))) if len(raw) > 1 else 1.0
    if name.startswith("frame") or (name == "timecode" and (raw == np.floor(raw)).all()):
        return 1 / (source_fps or SOURCE_FPS)
    return 1.0 if step < 1 else 1e-3


def _past_midnight(times: np.ndarray) -> np.ndarray:
    jumps = np.diff(times, prepend=times[:1])
    return times + _DAY * np.cumsum(np.where(jumps < -_DAY / 2, 1, np.where(jumps > _DAY / 2, -1, 0)))


def _usable(
    path: Path, times: np.ndarray, lines: np.ndarray, values: np.ndarray, rest: np.ndarray, warnings: list[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows that have a time and a face, in order, no time twice."""
    timed = np.isfinite(times)
    # A digit lost on the way must not stretch the take by hours.
    far = timed & (np.abs(times - np.nanmedian(times)) > MAX_SECONDS / 2)
    if np.count_nonzero(far) > max(1, 0.05 * len(times)):
        raise CurvesError(
            f"{path.name} spans more than {MAX_SECONDS / 3600:.0f} hours, see its line {lines[far][0]}; "
            "correct its times or split the take."
        )
    timed &= ~far
    if not timed.all():
        warnings.append(
            f"{np.count_nonzero(~timed)} lines of {path.name} without a sensible time left out, "
            f"first {lines[~timed][0]}."
        )
    seen = np.isfinite(values).any(1)
    if not seen[timed].all():
        warnings.append(f"{np.count_nonzero(timed & ~seen)} lines of {path.name} hold no face; interpolated.")
    keep = np.flatnonzero(timed & seen)
    if not len(keep):
        raise CurvesError(f"{path.name} holds no row with a face; record the take again.")
    span = float(np.ptp(times[keep]))
    if span > LONGEST_GAP and len(keep) < span * FEWEST_ROWS:
        # a few wrong times would otherwise become hours of curves
        raise CurvesError(
            f"{path.name} has {len(keep)} rows for {span / 60:.0f} minutes; correct its times or split the take."
        )
    if (np.diff(times[keep]) < 0).any():
        warnings.append(f"The rows of {path.name} were not in order and have been sorted.")
    keep = keep[np.argsort(times[keep], kind="stable")]
    fresh = np.diff(times[keep], prepend=-np.inf) > 1e-6
    if not fresh.all():
        warnings.append(f"{np.count_nonzero(~fresh)} lines of {path.name} repeat a time and were left out.")
    keep = keep[fresh]
    return times[keep] - times[keep[0]], values[keep], rest[keep]


def _weights(path: Path, values: np.ndarray, warnings: list[str]) -> np.ndarray:
    known = np.abs(values) < MAX_WEIGHT  # False for NaN
    if not known.all():
        warnings.append(f"{np.count_nonzero(~known)} cells of {path.name} hold no sensible number; interpolated.")
    weights = fill_gaps(np.where(known, values, 0).astype(np.float32), known)
    if np.percentile(weights.max(1), 90) > 2:  # more than any exaggeration
        warnings.append(f"The weights of {path.name} go beyond 1; taken as percent.")
        weights /= 100
    return np.clip(weights, 0, 1, out=weights)


def _head(path: Path, raw: np.ndarray, signs: tuple[float, float, float], warnings: list[str]) -> np.ndarray | None:
    """Pitch, yaw, roll [n,3] in radians."""
    known = np.abs(raw) < MAX_ANGLE  # False for NaN
    if raw.shape[1] != 3 or not known.all(1).any():
        return None
    angles = fill_gaps(np.where(known, raw, 0), known)
    if np.abs(angles).max() > 1.01 * np.pi:
        warnings.append(f"The head's angles in {path.name} are taken as degrees.")
        angles = np.radians(angles)
    return np.unwrap(angles, axis=0) * signs


def _resampled(
    path: Path,
    fps: float,
    times: np.ndarray,
    weights: np.ndarray,
    angles: np.ndarray | None,
    shapes: list[int],
    warnings: list[str],
) -> Curves:
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1 / fps
    frames = max(1, round((times[-1] + step) * fps))
    # Both a row and a frame stand for the middle of the time that they last.
    moments = (np.arange(frames) + 0.5) / fps - step / 2
    width = 1 / fps if step * fps < 0.95 else 0.0
    full = np.zeros((frames, len(ARKIT_NAMES)), np.float32)
    full[:, shapes] = resample(times, weights, moments, width)
    after = np.clip(np.searchsorted(times, moments), 1, max(len(times) - 1, 1))
    nearest = np.minimum(np.abs(moments - times[after - 1]), np.abs(moments - times[min(1, len(times) - 1) * after]))
    success = nearest <= max(step, 1 / fps)
    if not success.all():
        warnings.append(f"{path.name} has no row for {np.count_nonzero(~success)} of {frames} frames; interpolated.")
    head = None
    if angles is not None:
        head = np.zeros((frames, 6), np.float32)
        head[:, :3] = resample(times, angles, moments, width)
    missing = tuple(name for index, name in enumerate(ARKIT_NAMES) if index not in shapes)
    if missing:
        some = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
        warnings.append(f"{path.name} lacks {len(missing)} of the 52 shapes ({some}); they stay 0.")
    return Curves(
        fps=float(fps),
        codes=ARKIT_NAMES,
        values=np.clip(full, 0, 1),
        confidence=success.astype(np.float32),
        success=success,
        head=head,
        missing=missing,
        warnings=tuple(warnings),
    )
