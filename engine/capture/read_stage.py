# SPDX-License-Identifier: GPL-3.0-or-later
"""All pieces read, side by side, and divided into clips."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from .errors import CaptureError
from .face.face_networks import find_networks
from .head.rigid_flow import RigidFlow
from .journal import Journal, digest
from .pieces import Clip, Piece, Source, make_clips
from .processes import each
from .reading import VERSION, ReadJob, Tracking, first_view, read_piece
from .video_file import FPS


class Footage:
    """Everything that was read: clips, and what was seen in them, one clip in memory at a time."""

    def __init__(self, folder: Path, sources: Sequence[Source], pieces: Sequence[Piece]) -> None:
        self.folder, self.sources, self.pieces = folder, sources, pieces
        self.files = [tracking_file(folder, sources[piece.source], piece) for piece in pieces]
        self.lengths, cuts = [], []
        for file in self.files:
            with np.load(file) as data:
                cuts.append(data["cuts"])
                self.lengths.append(len(cuts[-1]))
        self.clips: list[Clip] = make_clips(sources, pieces, self.lengths, cuts)
        self.cuts = [
            (sources[piece.source].info.path.name, (piece.begin + int(frame)) / FPS)
            for piece, cut in zip(pieces, cuts, strict=True)
            for frame in np.flatnonzero(cut)
        ]
        """File and seconds of each cut."""

    @property
    def frames(self) -> int:
        """Frames of all clips."""
        return sum(clip.frames for clip in self.clips)

    def tracking(self) -> Iterator[tuple[Clip, Tracking]]:
        """Each clip with what was seen in it, in order."""
        piece, whole = -1, None
        for clip in self.clips:
            if clip.piece != piece or whole is None:
                piece, whole = clip.piece, Tracking.load(self.files[clip.piece])
            begin = clip.begin - self.pieces[clip.piece].begin
            yield clip, whole.part(begin, begin + clip.frames)

    def warnings(self) -> list[str]:
        """One sentence for each file that is cut short or shows no face."""
        read, seen = np.zeros(len(self.sources)), np.zeros(len(self.sources), bool)
        for piece, length in zip(self.pieces, self.lengths, strict=True):
            read[piece.source] += length
        for clip, tracking in self.tracking():
            seen[clip.source] |= bool((tracking.presence > 0).any())
        found = []
        for source, frames, face in zip(self.sources, read, seen, strict=True):
            name, promised = source.info.path.name, source.info.seconds
            if frames < 0.95 * source.info.frames - 3:
                found.append(
                    f"'{name}' is cut short or damaged: {frames / FPS:.0f} of {promised:.0f} seconds can be read; copy "
                    "it again."
                )
            if not face:
                found.append(f"No face is to be seen in '{name}'; leave it out, or film the face nearer and in light.")
        return found


def tracking_file(folder: Path, source: Source, piece: Piece) -> Path:
    """Where a piece's :class:`Tracking` is."""
    suffix = "" if piece.begin == 0 and piece.last else f".{piece.begin}"
    return folder / "tracking" / f"{source.name}{suffix}.npz"


def read_footage(
    journal: Journal,
    sources: Sequence[Source],
    pieces: Sequence[Piece],
    processes: int,
    advance: Callable[..., None],
    cancelled: Callable[[], bool],
) -> Footage:
    """Read what is not read yet; advances by frames. Raises :class:`CaptureError` where no clip is long enough."""
    networks, unseen = find_networks(), RigidFlow()
    jobs, names, inputs = [], [], []
    for number, piece in enumerate(pieces):
        source = sources[piece.source]
        output = tracking_file(journal.folder, source, piece)
        task = f"read/{source.name}/{piece.begin}"
        # skin points come from the first source, so pieces read with another first source do not go with these
        key = digest(VERSION, source.digest, piece.begin, piece.end, piece.last, number, sources[0].digest)
        if journal.is_done(task, key, output):
            advance(piece.end - piece.begin)
            continue
        end = None if piece.last else piece.end
        jobs.append(ReadJob(source.info, piece.begin, end, number, networks, unseen, output))
        names.append(task)
        inputs.append(key)
    if jobs:
        seed = _seed(sources, networks)
        jobs = [replace(job, flow=seed) for job in jobs]
    for index, _ in each(read_piece, jobs, processes, advance, cancelled):
        journal.mark(names[index], inputs[index])
    footage = Footage(journal.folder, sources, pieces)
    if not footage.clips:
        raise CaptureError("No clip is long enough to learn from; film one take of some minutes without a cut.")
    return footage


def _seed(sources: Sequence[Source], networks: Path) -> RigidFlow:
    flow = RigidFlow()
    for source in sources[:3]:
        if first_view(source.info, networks, flow):
            break
    flow.settle()
    return flow
