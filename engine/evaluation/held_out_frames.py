# SPDX-License-Identifier: GPL-3.0-or-later
"""The frames of a dataset that are kept for testing, read one at a time, so that length costs no memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..action_unit_sets import OPENFACE_17, ActionUnitSet
from ..camera import Camera
from ..errors import HMTalkerError
from ..speech.encoder import DEFAULT
from ..training.dataset import DatasetError, load_camera, load_speech, load_table
from ..training.wider_units import measured_controls

SHORTEST = 50
"""Frames of a stretch that is still worth taking where only some frames are asked for: two seconds."""


@dataclass(frozen=True)
class Stretch:
    """Neighbouring test frames of one clip."""

    clip: int
    name: str
    rows: np.ndarray
    """int [n] numbers of the frames in the dataset."""
    first: int
    """Place of the first one in the clip."""

    def __len__(self) -> int:
        return len(self.rows)


class HeldOutFrames:
    """The test frames of a dataset folder (see ``training.dataset``)."""

    def __init__(self, folder: str | Path) -> None:
        """Reads the tables. Raises :class:`HMTalkerError` where some are missing or do not fit."""
        self.folder = Path(folder)
        try:
            self.camera: Camera = load_camera(self.folder / "camera.json")[0]
            frames, performance = load_table(self.folder, "frames"), load_table(self.folder, "performance")
            self.action_units = frames["action_units"].astype(np.float32)
            self.head = frames["head"].astype(np.float32)
            self.clip_index = frames["clip_index"].astype(np.int64)
            self.frame_in_clip = frames["frame_in_clip"].astype(np.int64)
            self._test = frames["split"] == "test"
            self._whole = load_table(self.folder, "windows")["whole"].astype(bool)
            self.clips = [str(name) for name in performance["clips"]]
            heard = performance["clip_index"].astype(np.int64)
            body = performance["body"].astype(np.float32) if "body" in performance else None
            self.body = body if body is not None and len(body) == len(self.head) else None
            self._speaks = performance["speech"].astype(bool) if "speech" in performance else None
            self._clip_rows = [np.flatnonzero(heard == clip) for clip in range(len(self.clips))]
            self.background = self._read_background()
        except (DatasetError, OSError, KeyError, ValueError) as error:
            raise DatasetError(
                f"'{self.folder}' is no whole dataset ({error}); give the folder that 'hmtalker capture' made."
            ) from error

    def use(self, units: ActionUnitSet) -> None:
        """Let `action_units` be the controls of another set than the 17. Raises :class:`DatasetError` where the capture
        did not measure it."""
        if units is not OPENFACE_17:
            values = measured_controls(self.folder, units)
            if len(values) != len(self.head):
                raise DatasetError(
                    f"'{self.folder}' has the set '{units.name}' of its speech and not of its pictures; run the "
                    "capture again."
                )
            self.action_units = values

    def stretches(self, most: int | None = None) -> list[Stretch]:
        """Test frames whose pictures are there, whole and heard, in time order. most: at most about so many frames.

        Fewer frames are taken as fewer or shorter stretches, evenly over the clips. Raises :class:`HMTalkerError` if
        there are none.
        """
        rows = np.flatnonzero(self._test & self._whole & (self.clip_index >= 0))
        rows = rows[[self._there(int(row)) for row in rows]] if len(rows) else rows
        rows = rows[np.lexsort((self.frame_in_clip[rows], self.clip_index[rows]))]
        cuts = np.flatnonzero((np.diff(self.clip_index[rows]) != 0) | (np.diff(self.frame_in_clip[rows]) != 1)) + 1
        parts = [part for part in np.split(rows, cuts) if len(part)]
        if not parts:
            raise HMTalkerError(
                f"'{self.folder}' holds no whole frames that were kept for testing; capture some with --test."
            )
        if most is not None and len(rows) > most:
            length = max(SHORTEST, -(-most // len(parts)))
            count = max(1, min(len(parts), round(most / length)))
            chosen = np.linspace(0, len(parts) - 1, count).round().astype(int)
            parts = [parts[index][: max(1, min(length, most))] for index in chosen]
        return [
            Stretch(int(self.clip_index[part[0]]), self.clips[int(self.clip_index[part[0]])], part,
                    int(self.frame_in_clip[part[0]]))
            for part in parts
        ]  # fmt: skip

    def read(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Frame uint8 [H,W,4] straight-alpha sRGB and masks uint8 [H,W,3] of mouth, hair, face."""
        import cv2

        pictures = []
        for part, flag in (("frames", cv2.IMREAD_UNCHANGED), ("masks", cv2.IMREAD_COLOR)):
            path = self.folder / part / f"{row:06d}.png"
            data = np.fromfile(path, np.uint8)  # cv2.imread does not know all file names on Windows
            picture = cv2.imdecode(data, flag) if len(data) else None
            if picture is None or picture.shape[:2] != (self.camera.height, self.camera.width):
                raise DatasetError(f"The picture '{path}' is damaged or of another size; capture its clip again.")
            pictures.append(picture)
        frame = pictures[0]
        if frame.ndim != 3 or frame.shape[2] != 4 or frame.dtype != np.uint8:
            raise DatasetError(f"The frame {row} of '{self.folder}' has no alpha; capture it again.")
        return cv2.cvtColor(frame, cv2.COLOR_BGRA2RGBA), cv2.cvtColor(pictures[1], cv2.COLOR_BGR2RGB)

    def speech(self, clip: int, encoder_id: str = DEFAULT) -> np.ndarray:
        """Encoded speech [T50,D] of a whole clip, as `encoder_id` hears it when nothing is altered."""
        return np.asarray(load_speech(self.folder, self.clips[clip], encoder_id)[0], np.float32)

    def frames_of(self, clip: int) -> int:
        """Frames of a whole clip."""
        return len(self._clip_rows[clip])

    def silent(self, stretch: Stretch) -> np.ndarray:
        """bool [n]: nobody speaks; all False where the dataset does not say."""
        if self._speaks is None:
            return np.zeros(len(stretch), bool)
        rows = self._clip_rows[stretch.clip][stretch.first : stretch.first + len(stretch)]
        return ~self._speaks[rows]

    def _there(self, row: int) -> bool:
        return all((self.folder / part / f"{row:06d}.png").is_file() for part in ("frames", "masks"))

    def _read_background(self) -> np.ndarray | None:
        """float32 [H,W,3] in 0..1, or None."""
        import cv2

        path = self.folder / "background.png"
        if not path.is_file():
            return None
        picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
        if picture is None or picture.shape[:2] != (self.camera.height, self.camera.width):
            raise ValueError("its background.png is damaged or of another size")
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.float32) / 255
