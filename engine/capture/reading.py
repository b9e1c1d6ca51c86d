# SPDX-License-Identifier: GPL-3.0-or-later
"""The first look at every picture: where the face is, how good it is, and whether it continues the one before."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from .array_file import write_arrays
from .face.face_landmarks import LANDMARKS, Face, FaceTracker
from .face.face_networks import FaceNetworks, load_networks
from .head.rigid_flow import POINTS, RigidFlow
from .processes import Beat
from .report.picture_facts import COLUMNS, picture_facts
from .shots import difference, find_cuts, thumbnail
from .video_file import VideoInfo, read_frames

VERSION = 2
"""Counts up when what is read changes, so that older readings are not taken for new ones."""
BLENDSHAPES = 52
LOOK_EVERY = 5
"""Frames between two searches of the whole picture for further faces."""
FIRST_LOOKS = 8
"""Frames between two looks at a person whose skin points are being chosen."""
NOT_LOOKED = -1
SECOND_FACE_SCORE = 0.6
"""A further face counts from so sure on."""
SECOND_FACE_SIZE = 0.35
"""Of the first face's width: smaller ones are posters or mistakes."""
NO_TRACK = -1
_TRACKS_A_PIECE = 16


@dataclass(frozen=True)
class ReadJob:
    """One piece to read, and where to put what is seen."""

    info: VideoInfo
    begin: int
    end: int | None
    """None: to the end of the file."""
    number: int
    """Of the piece, which keeps its skin points apart from other pieces'."""
    networks: Path
    flow: RigidFlow
    """Has seen the person and chosen skin points, so that they are the same in all pieces."""
    output: Path


@dataclass(frozen=True)
class Tracking:
    """What was seen in n frames of a piece or clip."""

    landmarks: np.ndarray
    """float32 [n,478,3] pixels of the whole picture, NaN without a face."""
    blendshapes: np.ndarray
    """float32 [n,52] 0..1"""
    presence: np.ndarray
    """float32 [n] how sure the network is that this is a face; 0 without one."""
    faces: np.ndarray
    """int8 [n] faces in the picture, NOT_LOOKED where only the tracked one was looked at."""
    picture: np.ndarray
    """float32 [n,P] ``report.picture_facts``."""
    flow: np.ndarray
    """float32 [n,K,2] pixels of skin points (``head.rigid_flow``), NaN where lost."""
    tracks: np.ndarray
    """int32 [n] which set of skin points a row of `flow` is about; NO_TRACK for none."""
    cuts: np.ndarray
    """bool [n] True where a frame does not continue the one before."""

    def __len__(self) -> int:
        return len(self.presence)

    def part(self, begin: int, end: int) -> Tracking:
        """Frames begin..end-1."""
        return Tracking(*(getattr(self, name)[begin:end] for name in self.__dataclass_fields__))

    @classmethod
    def load(cls, path: Path) -> Tracking:
        with np.load(path) as data:
            return cls(*(data[name] for name in cls.__dataclass_fields__))


def read_piece(job: ReadJob, beat: Beat) -> int:
    """Read a piece and save its :class:`Tracking`; returns the number of its frames."""
    networks = _networks(job.networks)
    # the frame before the piece tells whether its first one continues it
    before = 1 if job.begin > 0 else 0
    frames = read_frames(job.info, job.begin - before, job.end)
    tracking = _look(frames, FaceTracker(networks), copy.deepcopy(job.flow), beat).part(before, 1 << 40)
    tracks = np.where(tracking.tracks > 0, tracking.tracks + _TRACKS_A_PIECE * job.number, tracking.tracks)
    arrays = {name: getattr(tracking, name) for name in Tracking.__dataclass_fields__} | {"tracks": tracks}
    write_arrays(job.output, **arrays)
    return len(tracking)


def first_view(info: VideoInfo, networks: Path, flow: RigidFlow, most: int = 480) -> bool:
    """Let `flow` see the person, from several sides if the head turns; False if there is no face in the first `most`
    frames."""
    tracker, found = FaceTracker(_networks(networks)), False
    for count, (_, image) in enumerate(read_frames(info, 0, most)):
        if found and count % FIRST_LOOKS:
            continue
        face = tracker.track(image)
        if face is not None:
            flow.step(image, face.landmarks)
            found = True
    return found


@lru_cache(maxsize=1)
def _networks(folder: Path) -> FaceNetworks:
    return load_networks(folder)


def _look(frames: Iterator[tuple[int, np.ndarray]], tracker: FaceTracker, flow: RigidFlow, beat: Beat) -> Tracking:
    rows: dict[str, list] = {name: [] for name in Tracking.__dataclass_fields__ if name != "cuts"}
    differences: list[float] = []
    thumb: np.ndarray | None = None
    nobody = np.full((LANDMARKS, 3), np.nan, np.float32)
    for count, (_, image) in enumerate(frames):
        beat()
        before, thumb = thumb, thumbnail(image)
        differences.append(difference(before, thumb))
        face = tracker.track(image)
        points = None if face is None else face.landmarks
        rows["landmarks"].append(nobody if points is None else points)
        rows["blendshapes"].append(np.zeros(BLENDSHAPES, np.float32) if face is None else face.blendshapes)
        rows["presence"].append(0.0 if face is None else face.presence)
        looked = face is None or count % LOOK_EVERY == 0
        rows["faces"].append(_count_faces(image, face, tracker) if looked else NOT_LOOKED)
        rows["picture"].append(picture_facts(image, points))
        rows["flow"].append(flow.step(image, points))
        rows["tracks"].append(flow.track)
    shapes = {"landmarks": (0, LANDMARKS, 3), "blendshapes": (0, BLENDSHAPES), "flow": (0, POINTS, 2)}
    shapes["picture"] = (0, len(COLUMNS))
    kinds = {"faces": np.int8, "tracks": np.int32}
    arrays = {
        name: np.asarray(row, kinds.get(name, np.float32)).reshape(shapes.get(name, (0,)) if not row else np.shape(row))
        for name, row in rows.items()
    }
    cuts = find_cuts(np.array(differences), arrays["landmarks"])
    return Tracking(**arrays, cuts=cuts)


def _count_faces(image: np.ndarray, face: Face | None, tracker: FaceTracker) -> int:
    """The tracked face and others that are as good as it, in the whole picture."""
    boxes = [box for box in tracker.detect(image) if box.score >= SECOND_FACE_SCORE]
    if face is None:
        return len(boxes)
    middle = face.landmarks[:, :2].mean(0)
    width = float(np.ptp(face.landmarks[:, 0]))
    others = 0
    for box in boxes:
        own = all(low <= m <= high for low, m, high in zip(box.low, middle, box.high, strict=True))
        others += not own and box.high[0] - box.low[0] > SECOND_FACE_SIZE * width
    return 1 + others
