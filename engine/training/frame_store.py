# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures that stay on disk: decoded when they are looked at, the latest ones kept, so that memory does not grow with
the length of a video."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ..errors import HMTalkerError

KEPT_BYTES = 1 << 30
"""Of decoded pictures, for each of frames and masks."""
AHEAD = 4
"""Pictures that are decoded before they are asked for, at most."""


class FrameStore:
    """A read-only stand-in for an array [F,H,W,C] uint8 whose rows are PNG files. Not for several threads."""

    def __init__(self, files: Sequence[Path], channels: int, kept_bytes: int = KEPT_BYTES) -> None:
        self.files, self.channels = list(files), channels
        self._kept: OrderedDict[int, np.ndarray] = OrderedDict()
        self._coming: OrderedDict[int, Future[np.ndarray]] = OrderedDict()
        self._reader = ThreadPoolExecutor(1, "hmtalker-frames")
        self.shape = (len(self.files), *self._decode(0).shape) if self.files else (0, 0, 0, channels)
        self._room = max(1, kept_bytes // max(1, int(np.prod(self.shape[1:]))))

    def __len__(self) -> int:
        return len(self.files)

    def expect(self, frame: int) -> None:
        """Decode a picture beside other work: it will be asked for soon. What is wrong with it is said then."""
        if frame in self._kept or frame in self._coming:
            return
        self._coming[frame] = self._reader.submit(self._decode, frame)
        if len(self._coming) > AHEAD:
            self._coming.popitem(last=False)

    def __getitem__(self, index: int | tuple) -> np.ndarray:
        """store[frame] or store[frame, ...]: one picture, or a part of it. Treat as read-only."""
        if isinstance(index, tuple):
            return np.asarray(self[index[0]][index[1:]])
        frame = int(index)
        if frame in self._kept:
            self._kept.move_to_end(frame)
            return self._kept[frame]
        coming = self._coming.pop(frame, None)
        picture = self._decode(frame) if coming is None else coming.result()
        self._kept[frame] = picture
        if len(self._kept) > self._room:
            self._kept.popitem(last=False)
        return picture

    def all(self) -> np.ndarray:
        """Every picture at once: uint8 [F,H,W,C]."""
        return np.stack([self._decode(frame) for frame in range(len(self))])

    def _decode(self, frame: int) -> np.ndarray:
        import cv2

        path = self.files[frame]
        flags = cv2.IMREAD_UNCHANGED if self.channels == 4 else cv2.IMREAD_COLOR
        picture = cv2.imread(str(path), flags)
        if picture is None or picture.ndim != 3 or picture.shape[2] != self.channels:
            raise HMTalkerError(f"The picture '{path}' of the dataset is missing or damaged; run the capture again.")
        return cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA if self.channels == 4 else cv2.COLOR_BGR2RGB)
