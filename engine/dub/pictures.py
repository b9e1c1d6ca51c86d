# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of footage, in any order and at their own rate: of a video, or of a dataset where the video is gone."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from ..capture.video_file import FPS, VideoInfo, picture_times, read_pictures
from ..errors import HMTalkerError

CHUNK_BYTES = 128 << 20
"""Of pictures that are decoded in a row; two such rows are kept, so that a film can be played backwards."""
LONGEST_CHUNK = 64


class FootagePictures(Protocol):
    """What both kinds can do."""

    size: tuple[int, int]
    """Width and height in pixels."""
    rate: float
    """Pictures a second of what is made from them."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> np.ndarray:
        """uint8 [H,W,3] sRGB, to be written to."""
        ...


class FilmPictures:
    """The first `seconds` of a video file. A film of varying rate is given at its mean rate, as it would be seen."""

    def __init__(self, info: VideoInfo, seconds: float) -> None:
        self.info, self.size, self.rate = info, (info.width, info.height), max(info.rate, 1.0)
        self._shown = picture_times(info, seconds)
        if not len(self._shown):
            raise HMTalkerError(f"No picture of '{info.path.name}' can be decoded; the file is damaged, copy it again.")
        if info.variable:
            count = max(1, round(float(self._shown[-1]) * self.rate) + 1)
            moments = (np.arange(count) + 0.5) / self.rate
            self._pick = (np.searchsorted(self._shown, moments, side="right") - 1).clip(0, len(self._shown) - 1)
        else:
            self._pick = np.arange(len(self._shown))
        self.times = self._shown[self._pick] if not info.variable else np.arange(len(self._pick)) / self.rate
        """float64 [n] seconds at which each picture begins to be seen."""
        self._chunk = int(np.clip(CHUNK_BYTES // (3 * info.width * info.height), 4, LONGEST_CHUNK))
        self._kept: OrderedDict[int, list[np.ndarray]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pick)

    def __getitem__(self, index: int) -> np.ndarray:
        number = int(self._pick[index])
        chunk = number // self._chunk
        if chunk not in self._kept:
            self._kept[chunk] = self._decode(chunk)
            if len(self._kept) > 2:
                self._kept.popitem(last=False)
        self._kept.move_to_end(chunk)
        return self._kept[chunk][number - chunk * self._chunk].copy()

    def _decode(self, chunk: int) -> list[np.ndarray]:
        begin, end = chunk * self._chunk, min((chunk + 1) * self._chunk, len(self._shown))
        found: list[np.ndarray] = []
        for moment, picture in read_pictures(self.info, float(self._shown[begin])):
            number = int(np.abs(self._shown[begin:end] - moment).argmin()) + begin
            if moment < self._shown[begin] - 1e-4 or number - begin < len(found):
                continue
            found += [picture] * (number - begin + 1 - len(found))
            if len(found) == end - begin:
                return found
        if not found:
            raise HMTalkerError(f"'{self.info.path.name}' could be read before and cannot now; leave it alone.")
        return found + [found[-1]] * (end - begin - len(found))


class DatasetPictures:
    """The square pictures of a dataset, over its background: for footage whose video is not there any more."""

    def __init__(self, folder: Path, rows: np.ndarray, size: int) -> None:
        """rows: int [n] numbers of the frames; where one has no picture, the nearest one that has is shown."""
        self.size, self.rate = (size, size), FPS
        there = np.array([(folder / "frames" / f"{row:06d}.png").is_file() for row in rows])
        if not there.any():
            raise HMTalkerError(f"'{folder}' has lost its pictures; capture the video again.")
        places = np.flatnonzero(there)
        self._rows = rows[places[np.abs(places[None] - np.arange(len(rows))[:, None]).argmin(1)]]
        self._folder = folder
        plate = read_picture(folder / "background.png") if (folder / "background.png").is_file() else None
        self._background = plate if plate is not None else np.full((size, size, 3), 128, np.uint8)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> np.ndarray:
        rgba = read_picture(self._folder / "frames" / f"{int(self._rows[index]):06d}.png")
        alpha = rgba[..., 3:].astype(np.float32) / 255
        return (rgba[..., :3] * alpha + self._background * (1 - alpha) + 0.5).astype(np.uint8)


def read_picture(path: Path) -> np.ndarray:
    """uint8 [H,W,3 or 4], red first. Raises HMTalkerError."""
    try:
        data = np.fromfile(path, np.uint8)  # cv2.imread does not know all file names on Windows
    except OSError as error:
        raise HMTalkerError(f"The picture '{path}' is missing; capture its video again.") from error
    picture = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None
    if picture is None or picture.ndim != 3:
        raise HMTalkerError(f"The picture '{path}' is damaged; capture its video again.")
    return np.ascontiguousarray(picture[..., [2, 1, 0, *range(3, picture.shape[2])]])
