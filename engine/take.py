# SPDX-License-Identifier: GPL-3.0-or-later
"""A take: one performance as numbers. What `animate` makes, what a project file keeps, what frames are made from."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .action_unit_sets import OPENFACE_17, set_of_width
from .errors import HMTalkerError
from .head_pose import HeadPose
from .motion.config import CONDITION
from .motion.state import MotionState
from .npz_file import read_npz
from .performance import AnimateSettings, animate

__all__ = ["AnimateSettings", "Take", "TakeError", "animate"]

FORMAT = "hmtalker-take"
VERSION, VERSION_17 = 2, 1
"""The newest that is read, with other sets than the 17; and that of takes of the 17, which earlier versions read."""
HEAD = 6
LATER = {"body": 3, "gaze": 2}
"""Arrays that earlier takes lack: name -> columns."""
MAX_BYTES = 1 << 30
"""Of all arrays once they are unpacked; an hour at 25 fps takes 22 MB."""


class TakeError(HMTalkerError):
    """A stored take is damaged or was made by a later version."""


@dataclass(frozen=True, eq=False)
class Take:
    """One performance of T frames. Frame j is what is said in the middle of its time: at (j + 0.5) / fps seconds.

    Between frames values are interpolated linearly; before the first and after the last they are held.
    """

    fps: float
    action_units: np.ndarray
    """float32 [T,17], 0..5, in the order of action_units.CODES; of an avatar with the set `extended` its controls,
    [T,47]."""
    implicit: np.ndarray
    """float32 [T,32] implicit speech conditions, of the avatar that performed."""
    head: np.ndarray
    """float32 [T,6]: pitch, yaw, roll in radians; x, y, z in metres."""
    body: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), np.float32))
    """float32 [T,3] metres that neck and clothes have moved, by breath; zeros where nothing is given."""
    gaze: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    """float32 [T,2] radians that the eyes look to the image's right and down, for faces that can; zeros likewise."""
    audio_sha256: str = ""
    """Of the samples (float32, mono, 16 kHz) that were spoken."""
    seconds: float = 0.0
    """How long the audio was."""
    settings: dict[str, Any] = field(default_factory=dict)
    """The AnimateSettings, and the avatar's name and encoder."""
    warnings: tuple[str, ...] = ()
    """Sentences for the person: what is peculiar about this performance."""

    def __post_init__(self) -> None:
        frames = len(self.action_units)
        columns = set_of_width(np.shape(self.action_units)[-1]).count if np.ndim(self.action_units) else 0
        for name, width in (("action_units", columns), ("implicit", CONDITION), ("head", HEAD), *LATER.items()):
            array = np.ascontiguousarray(getattr(self, name), np.float32)
            if name in LATER and array.size == 0:
                array = np.zeros((frames, width), np.float32)
            if array.shape != (frames, width) or frames == 0:
                raise ValueError(f"{name} of a take has the shape {array.shape} where ({frames}, {width}) is expected")
            object.__setattr__(self, name, array)

    @property
    def frames(self) -> int:
        """T."""
        return len(self.action_units)

    def sample(self, seconds: float) -> MotionState:
        """The motion state at a moment of the take."""
        return MotionState(
            self.sample_action_units(seconds),
            self.sample_implicit(seconds),
            1.0,
            HeadPose.from_array(self.sample_head(seconds)),
            self.sample_body(seconds),
        )

    def state(self, frame: int) -> MotionState:
        """The motion state of frame 0..T-1."""
        head = HeadPose.from_array(self.head[frame])
        return MotionState(self.action_units[frame], self.implicit[frame], 1.0, head, self.body[frame])

    def sample_action_units(self, seconds: float | np.ndarray) -> np.ndarray:
        """float32 [17 or 47], or [n,17 or 47] for n moments."""
        return self._sample(self.action_units, seconds)

    def sample_implicit(self, seconds: float | np.ndarray) -> np.ndarray:
        """float32 [32], or [n,32] for n moments."""
        return self._sample(self.implicit, seconds)

    def sample_head(self, seconds: float | np.ndarray) -> np.ndarray:
        """float32 [6], or [n,6] for n moments."""
        return self._sample(self.head, seconds)

    def sample_body(self, seconds: float | np.ndarray) -> np.ndarray:
        """float32 [3], or [n,3] for n moments."""
        return self._sample(self.body, seconds)

    def sample_gaze(self, seconds: float | np.ndarray) -> np.ndarray:
        """float32 [2], or [n,2] for n moments."""
        return self._sample(self.gaze, seconds)

    @property
    def rest(self) -> np.ndarray:
        """float32, as wide as the Action Units: the resting face of the avatar that performed; zeros if the take is
        older than that."""
        values, count = np.array(self.settings.get("rest", []), np.float32), self.action_units.shape[1]
        return values if values.shape == (count,) and np.isfinite(values).all() else np.zeros(count, np.float32)

    def _sample(self, values: np.ndarray, seconds: float | np.ndarray) -> np.ndarray:
        place = np.clip(np.asarray(seconds, np.float64) * self.fps - 0.5, 0, self.frames - 1)
        # Whole frames come out exactly as they are stored, whatever their time has been rounded to.
        place = np.where(np.abs(place - np.rint(place)) < 1e-6, np.rint(place), place)
        first = np.minimum(np.floor(place).astype(np.int64), max(0, self.frames - 2))
        part = (place - first)[..., None]
        return ((1 - part) * values[first] + part * values[np.minimum(first + 1, self.frames - 1)]).astype(np.float32)

    def to_bytes(self) -> bytes:
        """As a compressed npz of plain arrays: no pickle. About 150 bytes a frame."""
        about = {
            "format": FORMAT,
            "version": VERSION_17 if self.action_units.shape[1] == OPENFACE_17.count else VERSION,
            "fps": self.fps,
            "audio_sha256": self.audio_sha256,
            "seconds": self.seconds,
            "settings": self.settings,
            "warnings": list(self.warnings),
        }
        file = io.BytesIO()
        np.savez_compressed(
            file,
            about=np.frombuffer(json.dumps(about).encode("utf-8"), np.uint8),
            action_units=self.action_units,
            implicit=self.implicit,
            head=self.head,
            body=self.body,
            gaze=self.gaze,
        )
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Take:
        """The inverse of :meth:`to_bytes`. Raises TakeError."""
        try:
            arrays = read_npz(io.BytesIO(data), MAX_BYTES)
            about = json.loads(arrays["about"].tobytes().decode("utf-8"))
            if about["format"] != FORMAT:
                raise ValueError("not a take")
            if about["version"] > VERSION:
                raise TakeError("The take was made by a newer HM-Talker; update HM-Talker or animate again.")
            take = cls(
                fps=float(about["fps"]),
                action_units=arrays["action_units"],
                implicit=arrays["implicit"],
                head=arrays["head"],
                **{name: arrays[name] for name in LATER if name in arrays},
                audio_sha256=str(about["audio_sha256"]),
                seconds=float(about["seconds"]),
                settings=dict(about["settings"]),
                warnings=tuple(map(str, about["warnings"])),
            )
            arrays_of = (take.action_units, take.implicit, take.head, take.body, take.gaze)
            numbers = (*arrays_of, np.array([take.fps, take.seconds]))
            if not all(np.isfinite(array).all() for array in numbers) or not 0 < take.fps <= 1000:
                raise ValueError("not finite")
        except TakeError:
            raise
        except (OSError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
            raise TakeError("The stored take is damaged; animate the audio again.") from error
        return take
