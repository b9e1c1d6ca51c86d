# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames with alpha and masks: the second look at every picture, cut to the head and shoulders."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from ..atomic_file import write_atomically
from .array_file import array_bytes
from .body_motion import BodyReference
from .errors import CaptureError
from .framing import Framing, choose_framing, face_boxes
from .journal import Journal, digest
from .matte.background_plate import evenly
from .matte.masks import MaskMaker
from .options import CaptureOptions
from .pieces import Clip
from .processes import Beat, each
from .read_stage import Footage
from .reading import Tracking
from .video_file import VideoInfo, read_frames

VERSION = 1
SAMPLES = 48
"""Frames from which the background and the person's colours are learned."""
BYTES_A_PIXEL = 1.3
"""Frames and masks on disk, with a margin (GRID s1: 1.0)."""
COMPRESSION = 1
"""Of PNG, 0..9: higher levels save a tenth and cost four times the time."""


@dataclass(frozen=True)
class PictureJob:
    """One clip to write."""

    info: VideoInfo
    clip: Clip
    first: int
    """Number of the clip's first frame in the dataset."""
    usable: np.ndarray
    """bool [n]"""
    tracking: Path
    piece_begin: int
    framing: Framing
    maker: MaskMaker
    body: BodyReference | None
    folder: Path


def choose_frame(footage: Footage, usable: np.ndarray, size: int) -> Framing:
    """The square of all frames. usable: bool [T]."""
    boxes, start = [], 0
    for clip, seen in footage.tracking():
        boxes.append(face_boxes(seen.landmarks)[usable[start : start + clip.frames]])
        start += clip.frames
    info = footage.sources[0].info
    return choose_framing(np.concatenate(boxes), info.width, info.height, size)


def prepare_masks(
    footage: Footage, usable: np.ndarray, framing: Framing, options: CaptureOptions, advance: Callable[..., None]
) -> MaskMaker:
    """Learn background and colours from frames all over the footage; advances by shares of 1."""
    rows = np.flatnonzero(usable)
    chosen = set(rows[evenly(len(rows), SAMPLES)].tolist())
    frames, landmarks, start = [], [], 0
    for clip, seen in footage.tracking():
        for number in range(clip.frames):
            if start + number in chosen:
                frames.append(_frame(footage.sources[clip.source].info, clip.begin + number, framing))
                landmarks.append(framing.points(seen.landmarks[number]))
                advance(1 / len(chosen))
        start += clip.frames
    return MaskMaker.prepare(frames, landmarks, matte=options.matte, parsing=options.parsing)


def write_pictures(
    journal: Journal,
    footage: Footage,
    poses: np.ndarray,
    usable: np.ndarray,
    framing: Framing,
    maker: MaskMaker,
    options: CaptureOptions,
    advance: Callable[..., None],
    cancelled: Callable[[], bool],
) -> None:
    """Write frames/, masks/, body/ and landmarks/; advances by frames. poses: [T,6] of the head, usable: bool [T]."""
    settings = (VERSION, vars(framing), options.matte, str(options.parsing or ""), footage.sources[0].digest)
    jobs, tasks, keys, start = [], [], [], 0
    for clip in footage.clips:
        part = usable[start : start + clip.frames]
        source = footage.sources[clip.source]
        task = f"pictures/{clip.name}"
        key = digest(settings, source.digest, clip.begin, clip.end, start, np.packbits(part).tobytes().hex())
        if journal.is_done(task, key, landmark_file(journal.folder, clip)):
            advance(clip.frames)
        else:
            piece = footage.pieces[clip.piece]
            file = footage.files[clip.piece]
            jobs.append(
                PictureJob(source.info, clip, start, part, file, piece.begin, framing, maker, None, journal.folder)
            )
            tasks.append(task)
            keys.append(key)
        start += clip.frames
    _check_space(journal.folder, sum(int(job.usable.sum()) for job in jobs), framing.size)
    for name in ("frames", "masks", "body", "landmarks"):
        (journal.folder / name).mkdir(exist_ok=True)
    if maker.background_plate is not None:
        _write_png(journal.folder / "background.png", maker.background_plate[..., ::-1])
    body = _body_reference(footage, poses, usable, framing, maker) if jobs else None
    jobs = [replace(job, body=body) for job in jobs]
    for index, _ in each(write_clip, jobs, options.processes, advance, cancelled):
        journal.mark(tasks[index], keys[index])


def write_clip(job: PictureJob, beat: Beat) -> int:
    """Write the frames of one clip; returns how many."""
    begin = job.clip.begin - job.piece_begin
    landmarks = job.framing.points(Tracking.load(job.tracking).landmarks[begin : begin + job.clip.frames])
    written = 0
    shifts = np.full((job.clip.frames, 2), np.nan, np.float32)
    for number, image in read_frames(job.info, job.clip.begin, job.clip.end):
        beat()
        index = number - job.clip.begin
        if not job.usable[index]:
            continue
        frame = job.framing.cut(image)
        parts = job.maker(frame, landmarks[index])
        if job.body is not None:
            shifts[index] = job.body.shift(frame, shifts[index - 1] if index and job.usable[index - 1] else None)
        alpha = _bytes(parts.alpha)
        colours = np.where(alpha[..., None] > 0, parts.foreground, 0)
        name = f"{job.first + index:06d}.png"
        _write_png(job.folder / "frames" / name, np.dstack([colours[..., ::-1], alpha]))
        masks = [_bytes(mask) for mask in (parts.face, parts.hair, parts.mouth, parts.body)]
        _write_png(job.folder / "masks" / name, np.dstack(masks))
        written += 1
    write_atomically(body_file(job.folder, job.clip), array_bytes(shifts))
    write_atomically(landmark_file(job.folder, job.clip), array_bytes(landmarks))
    return written


def landmark_file(folder: Path, clip: Clip) -> Path:
    """float32 [n,478,3] pixels of the frames."""
    return folder / "landmarks" / f"{clip.name}.npy"


def body_file(folder: Path, clip: Clip) -> Path:
    """float32 [n,2] pixels that neck and clothes have shifted to the right and down since the reference frame."""
    return folder / "body" / f"{clip.name}.npy"


def _body_reference(
    footage: Footage, poses: np.ndarray, usable: np.ndarray, framing: Framing, maker: MaskMaker
) -> BodyReference | None:
    """From the frame whose head is nearest to its mean pose."""
    rows = np.flatnonzero(usable)
    away = np.abs(np.degrees(poses[rows, :3])).sum(1) + 200 * np.abs(
        poses[rows, 3:] - np.median(poses[rows, 3:], 0)
    ).sum(1)
    row = int(rows[np.argmin(away)])
    start = 0
    for clip, seen in footage.tracking():
        if row < start + clip.frames:
            frame = _frame(footage.sources[clip.source].info, clip.begin + row - start, framing)
            return BodyReference.of(frame, maker(frame, framing.points(seen.landmarks[row - start])).body)
        start += clip.frames
    return None


def sample_frame(footage: Footage, framing: Framing | None, row: int) -> np.ndarray:
    """uint8 [H,W,3]: the picture of row 0..T-1, cut to the square, or whole."""
    for clip in footage.clips:
        if row < clip.frames:
            return _frame(footage.sources[clip.source].info, clip.begin + row, framing)
        row -= clip.frames
    raise IndexError(row)


def _frame(info: VideoInfo, number: int, framing: Framing | None) -> np.ndarray:
    frames: Iterator[tuple[int, np.ndarray]] = read_frames(info, number, number + 1)
    found = next(frames, None)
    if found is None:
        raise CaptureError(f"'{info.path.name}' could be read before and cannot now; leave it alone while capturing.")
    return found[1] if framing is None else framing.cut(found[1])


def _bytes(mask: np.ndarray) -> np.ndarray:
    return np.asarray((np.clip(mask, 0, 1) * 255 + 0.5).astype(np.uint8))


def _write_png(path: Path, pixels: np.ndarray) -> None:
    """pixels: uint8 [H,W,3 or 4] in OpenCV's order, blue first. Raises OSError."""
    # encoded in memory: cv2.imwrite does not say why it fails
    encoded = cv2.imencode(".png", np.ascontiguousarray(pixels), [cv2.IMWRITE_PNG_COMPRESSION, COMPRESSION])[1]
    path.write_bytes(encoded.tobytes())


def _check_space(folder: Path, frames: int, size: int) -> None:
    need, free = frames * size * size * BYTES_A_PIXEL, shutil.disk_usage(folder).free
    if free < need:
        raise CaptureError(
            f"The frames need about {need / 1e9:.1f} GB and the disk of '{folder}' has {free / 1e9:.1f} GB free; free "
            "some space, or choose another folder or a smaller size."
        )
