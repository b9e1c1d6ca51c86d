# SPDX-License-Identifier: GPL-3.0-or-later
"""What an avatar is trained from: a performance (all frames that were heard) and pictures (the frames that were seen).

Pictures of a filmed person may be many; they stay on disk and are decoded when they are looked at.

Layout of a dataset folder::

    camera.json         width, height, K, world_to_camera, pivot
    performance.npz     action_units [T,17], pucker [T], funnel [T], head [T,6], clip_index [T], frame_in_clip [T],
                        training [T] bool, clips [C] names, targets7 [T,7] mouth measurements (optional),
                        body [T,3] metres that neck and clothes have moved (optional),
                        unit_codes [n], unit_values [T,n] Action Units of a wider set (optional),
                        clip_sources [C], clip_begins [C]: frames into audio/<source>.wav (optional: a file a clip)
    speech/<clip>.npy   encoded speech [draws, T50, D] float16, one file a clip; speech_<encoder>/ by another encoder
    frames.npz          action_units [F,17], head [F,6], clip_index [F], frame_in_clip [F], split [F] "train" or "test"
    windows.npz         window [F,4] left, top, right, bottom of the face; whole [F] bool, else only the window is there
    frames/%06d.png     straight-alpha sRGB;  masks/%06d.png  R inside-mouth, G hair, B face coverage
    surface.npz         optional: the surface that the pictures were rendered from (synthetic people only)
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..action_unit_sets import ActionUnitSet, set_of_width
from ..camera import Camera
from ..errors import HMTalkerError
from ..npz_file import read_npz
from ..speech.encoder import DEFAULT
from .frame_store import FrameStore

MAX_TABLE_BYTES = 2 << 30
"""Of a table, unpacked: some 600 bytes a frame, so some 38 hours."""


class DatasetError(HMTalkerError):
    """The dataset folder is incomplete or its parts do not belong together."""


@dataclass
class Performance:
    """Everything that was heard. Arrays share their first axis T, clips one after the other."""

    action_units: np.ndarray  # [T,17] 0..5, or [T,n] controls of another set
    head: np.ndarray  # [T,6] pitch, yaw, roll in radians; x, y, z in metres
    clip_index: np.ndarray  # [T] int
    frame_in_clip: np.ndarray  # [T] int
    train_clip: np.ndarray  # [C] bool
    speech: list[np.ndarray]  # C arrays [draws, T50, D] float16
    rounding: np.ndarray  # [T,2] lip pucker and funnel, 0..5: what the 17 Action Units cannot say
    measurements: np.ndarray  # [T,M] further mouth measurements, about 0..1, that the implicit feature should carry

    @property
    def units(self) -> ActionUnitSet:
        """The set of Action Units, told by their number."""
        return set_of_width(self.action_units.shape[1])

    def frames_of(self, clip: int) -> np.ndarray:
        """Indices [n] of one clip's frames, in time order."""
        return np.flatnonzero(self.clip_index == clip)


@dataclass
class Pictures:
    """Everything that was seen, decoded: F frames."""

    rgba: np.ndarray | FrameStore  # [F,H,W,4] uint8 straight-alpha sRGB
    masks: np.ndarray | FrameStore  # [F,H,W,3] uint8 coverage of inside-mouth, hair, face
    action_units: np.ndarray  # [F,17], or [F,n] as the performance has them
    head: np.ndarray  # [F,6]
    clip_index: np.ndarray  # [F] int, -1 where nothing is heard
    frame_in_clip: np.ndarray  # [F]
    test: np.ndarray  # [F] bool
    windows: np.ndarray  # [F,4] pixels left, top, right, bottom: where the face is
    whole: np.ndarray  # [F] bool: the whole frame is there, not only its window
    body: np.ndarray | None = None  # [F,3] metres that neck and clothes have moved

    @property
    def count(self) -> int:
        return len(self.rgba)

    def expect(self, frame: int | None) -> None:
        """A picture that will be looked at soon, if there is one: what is on disk is read beside other work."""
        for pictures in (self.rgba, self.masks):
            if frame is not None and not isinstance(pictures, np.ndarray):
                pictures.expect(frame)

    def body_of(self, frame: int) -> np.ndarray | None:
        """[3] metres, or None where the body never moves."""
        return None if self.body is None else self.body[frame]


@dataclass
class Dataset:
    camera: Camera
    pivot: np.ndarray  # [3] metres
    performance: Performance
    pictures: Pictures | None


def load_camera(path: Path) -> tuple[Camera, np.ndarray]:
    """camera.json -> camera and the head's pivot [3] in metres. Raises :class:`DatasetError`."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        camera = Camera.from_dict(data)
        pivot = np.array(data["pivot"], np.float64)
        if pivot.shape != (3,) or not np.isfinite(pivot).all():
            raise ValueError("its pivot is not three numbers")
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise DatasetError(f"'{path}' is missing or damaged ({error}); run the capture again.") from error
    return camera, pivot


def check_names(names: np.ndarray) -> None:
    """Raises ValueError for names of clips that would lead out of the dataset's folder."""
    for name in map(str, names.ravel()):
        if not name or name.startswith(".") or any(letter in name for letter in "/\\:\0"):
            raise ValueError(f"a clip cannot be called {name!r}")


def load_table(folder: Path, name: str) -> dict[str, np.ndarray]:
    """All arrays of ``<name>.npz``. Raises :class:`DatasetError`."""
    path = folder / f"{name}.npz"
    try:
        table = read_npz(path, MAX_TABLE_BYTES)
        for column in ("clips", "clip_sources"):
            check_names(table.get(column, np.zeros(0, str)))
        return table
    except (OSError, ValueError) as error:
        raise DatasetError(f"'{path}' is missing or damaged ({error}); run the capture again.") from error


def speech_folder(folder: Path, encoder_id: str = DEFAULT) -> Path:
    """Where a dataset's speech is, as `encoder_id` hears it."""
    return folder / ("speech" if encoder_id == DEFAULT else f"speech_{encoder_id}")


def load_speech(folder: Path, clip: str, encoder_id: str = DEFAULT) -> np.ndarray:
    """float16 [draws, T50, D] of one clip, left on disk until it is looked at. The first draw is what inference hears.

    Raises :class:`DatasetError` where it is damaged or that encoder has not heard it.
    """
    path = speech_folder(folder, encoder_id) / f"{clip}.npy"
    if not path.is_file():
        raise DatasetError(
            f"The speech encoder '{encoder_id}' has not heard the clip '{clip}' of '{folder}'; run the capture again, "
            "or train with that encoder."
        )
    try:
        encoded = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"The speech '{path}' cannot be read ({error}); capture its clip again.") from error
    if encoded.ndim != 3 or not len(encoded):
        raise DatasetError(f"The speech '{path}' is {encoded.shape}; capture its clip again.")
    return np.asarray(encoded)


def load_performance(folder: Path, encoder_id: str = DEFAULT) -> Performance:
    """Everything heard in the dataset `folder`, as the encoder `encoder_id` hears it. Raises :class:`DatasetError`."""
    data = load_table(folder, "performance")
    try:
        names = [str(name) for name in data["clips"]]
        frames = len(data["action_units"])
        clip_index = data["clip_index"].astype(np.int64)
        train_clip = np.zeros(len(names), bool)
        train_clip[np.unique(clip_index[data["training"]])] = True
        performance = Performance(
            action_units=data["action_units"].astype(np.float32),
            head=data["head"].astype(np.float32),
            clip_index=clip_index,
            frame_in_clip=data["frame_in_clip"].astype(np.int64),
            train_clip=train_clip,
            speech=[np.array(load_speech(folder, name, encoder_id)) for name in names],
            rounding=np.stack([data["pucker"], data["funnel"]], 1).astype(np.float32),
            measurements=data["targets7"].astype(np.float32)
            if "targets7" in data
            else np.zeros((frames, 0), np.float32),
        )
    except (KeyError, IndexError, ValueError) as error:
        raise DatasetError(f"'{folder / 'performance.npz'}' is damaged ({error}); run the capture again.") from error
    columns = (performance.action_units, performance.head, performance.clip_index, performance.frame_in_clip)
    if len({len(column) for column in (*columns, performance.rounding, performance.measurements)}) != 1:
        raise DatasetError(f"{folder}: the columns of performance.npz differ in length; run the capture again.")
    return performance


def load_pictures(folder: Path, limit: int | None = None, *, stream: bool = False) -> Pictures:
    """The frames that exist (a render may have been stopped early). limit: at most so many. stream: leave them on disk
    and decode them when they are looked at."""
    table, seen = load_table(folder, "frames"), load_table(folder, "windows")
    body = load_table(folder, "performance").get("body")
    try:
        table = {key: table[key] for key in ("action_units", "head", "clip_index", "frame_in_clip", "split")}
        test = table["split"] == "test"
        body = body if body is not None and len(body) == len(test) else None
        windows, whole = seen["window"].astype(np.int64), seen["whole"].astype(bool)
        if len({len(test), len(windows), len(whole), *map(len, table.values())}) != 1:
            raise ValueError("its columns differ in length")
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"The tables of '{folder}' are damaged ({error}); run the capture again.") from error
    there = [
        index
        for index in range(len(test))
        if (folder / "frames" / f"{index:06d}.png").exists() and (folder / "masks" / f"{index:06d}.png").exists()
    ][:limit]
    if not there:
        raise DatasetError(f"{folder} holds no rendered frames yet; render some first.")
    rgba = FrameStore([folder / "frames" / f"{index:06d}.png" for index in there], 4)
    masks = FrameStore([folder / "masks" / f"{index:06d}.png" for index in there], 3)
    rows = np.array(there)
    return Pictures(
        rgba=rgba if stream else rgba.all(),
        masks=masks if stream else masks.all(),
        body=None if body is None else body[rows].astype(np.float32),
        action_units=table["action_units"][rows].astype(np.float32),
        head=table["head"][rows].astype(np.float32),
        clip_index=table["clip_index"][rows].astype(np.int64),
        frame_in_clip=table["frame_in_clip"][rows].astype(np.int64),
        test=test[rows],
        windows=windows[rows],
        whole=whole[rows],
    )
