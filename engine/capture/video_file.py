# SPDX-License-Identifier: GPL-3.0-or-later
"""A video file as frames on a steady grid of 25 a second, as a viewer would see them.

Grid frame k shows what a player shows at (k + 1/2) / 25 seconds after the first picture. A 25 fps file gives each of
its frames once; 30 and 60 fps and variable rates give the nearest picture in time. Rotation flags of phones and
non-square pixels are applied.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .errors import CaptureError

FPS = 25.0
"""Frames a second of every dataset (arXiv 2508.10566, section 4.1: videos at 25 fps)."""
LONGEST_SIDE = 16384
"""Pixels; a file that claims more is damaged."""
LONGEST_SECONDS = 24 * 3600.0
"""A file that claims more is damaged, or made to keep us busy."""
PROBED_PACKETS = 240
"""So many time stamps decide whether the frame rate varies."""
UNTAGGED = 2
"""AVCOL_SPC_UNSPECIFIED of FFmpeg."""
EXACT_COLOURS = 2 | 0x2000 | 0x40000
"""SWS_BILINEAR, SWS_FULL_CHR_H_INT and SWS_ACCURATE_RND of FFmpeg: without the last two a picture gets 1/255 darker."""
LEAD_IN = 2.0
"""Seconds before the wanted picture to seek to: right after a seek some codecs show broken pictures."""
STEADY = 0.35
"""A rate varies where a step between frames differs from the usual one by more than this share."""


@dataclass(frozen=True)
class VideoInfo:
    """What a video file says about itself."""

    path: Path
    width: int
    """Pixels, as displayed, after rotation."""
    height: int
    rotation: int
    """Degrees counter-clockwise that a player turns the picture by: 0, 90, 180 or 270."""
    rate: float
    """Pictures a second, on average."""
    variable: bool
    """The time between pictures varies."""
    seconds: float
    """Length by the container; a damaged file may hold less."""
    codec: str
    sound_rate: int
    """Samples a second of the sound, 0 without an audio track."""
    start: float
    """Seconds on the file's clock at which the first picture is shown."""

    @property
    def frames(self) -> int:
        """Grid frames that the file should have."""
        return max(1, round(self.seconds * FPS))


def probe(path: str | Path) -> VideoInfo:
    """Read the header and the first pictures. Raises :class:`CaptureError` with one sentence."""
    path = Path(path)
    if not path.exists():
        raise CaptureError(f"The video '{path}' does not exist; choose another file.")
    if path.is_dir():
        raise CaptureError(f"'{path}' is a folder, not a video; choose the files inside it.")
    if path.stat().st_size == 0:
        raise CaptureError(f"The video '{path.name}' is empty (0 bytes); copy it again.")
    with _open(path) as container:
        if not container.streams.video:
            raise CaptureError(f"'{path.name}' has no picture; choose a video file.")
        stream = container.streams.video[0]
        sound = container.streams.audio[0] if container.streams.audio else None
        times, first = _first_pictures(container, stream, path)
        rotation = round(getattr(first, "rotation", 0) / 90) * 90 % 360
        width, height = _display_size(stream, first, rotation)
        if not 16 <= min(width, height) <= max(width, height) <= LONGEST_SIDE:
            raise CaptureError(f"'{path.name}' has pictures of {width} x {height} pixels, which cannot show a face.")
        seconds = _length(container, stream, times[0])
        if seconds > LONGEST_SECONDS:
            raise CaptureError(
                f"'{path.name}' claims to last {seconds / 3600:.0f} hours; it is damaged, or has to be cut into parts."
            )
        steps = np.diff(times)
        usual = float(np.median(steps)) if len(steps) else 1 / FPS
        rate = float(stream.average_rate or stream.guessed_rate or 0) or 1 / max(usual, 1e-3)
        variable = bool(len(steps) and np.mean(np.abs(steps - usual) > STEADY * usual) > 0.02)
        return VideoInfo(
            path=path,
            width=width,
            height=height,
            rotation=rotation,
            rate=round(rate, 3),
            variable=variable,
            seconds=seconds,
            codec=stream.codec_context.name,
            sound_rate=int(getattr(sound, "sample_rate", 0) or 0),  # without a decoder there is no such attribute
            start=times[0],
        )


def read_frames(info: VideoInfo, begin: int = 0, end: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
    """Grid frames begin..end-1 as (number, uint8 [H,W,3] RGB); fewer where the file ends earlier or is damaged.

    Frames are decoded one at a time. Raises :class:`CaptureError` where the file cannot be opened any more.
    """
    number, most = begin, int(LONGEST_SECONDS * FPS)
    end = most if end is None else min(end, most)  # times in the file may claim anything
    held: Any = None
    for frame, moment in _decode_from(info, info.start + begin / FPS):
        # every grid frame before this picture's time shows the picture before it
        while held is not None and (number + 0.5) / FPS + info.start < moment - 1e-6:
            if number >= end:
                return
            yield number, _picture(held, info)
            number += 1
        held, shown = frame, moment
        if number >= end:
            return
    if held is None:
        return
    last = shown + 1 / max(info.rate, 1.0)
    while number < end and (number + 0.5) / FPS + info.start < last + 1e-6:
        yield number, _picture(held, info)
        number += 1


def picture_times(info: VideoInfo, seconds: float) -> np.ndarray:
    """float64 [n] rising: when each picture of the first `seconds` is shown, in seconds after the first one."""
    times: list[float] = []
    for _, moment in _decode_from(info, info.start):
        if moment - info.start >= seconds and times:
            break
        if not times or moment - info.start > times[-1]:
            times.append(moment - info.start)
    return np.array(times)


def read_pictures(info: VideoInfo, seconds: float) -> Iterator[tuple[float, np.ndarray]]:
    """Every picture of the file, at its own rate, from at least one before `seconds` on: (seconds after the first
    picture, uint8 [H,W,3] RGB as displayed), in exact colours."""
    for frame, moment in _decode_from(info, info.start + seconds):
        yield moment - info.start, _picture(frame, info, EXACT_COLOURS)


def _open(path: Path) -> Any:
    import av

    try:
        return av.open(str(path))
    except Exception as error:  # PyAV's errors derive from many builtins, some of them only from Exception
        raise CaptureError(
            f"'{path.name}' is not a video that can be read, or it is damaged; convert it to .mp4 and try again."
        ) from error


def decoded(container: Any, stream: Any) -> Iterator[Any]:
    """Decoded frames of picture or sound until the end, or until the file is too damaged to go on."""
    import av

    frames = container.decode(stream)
    while True:
        try:
            frame = next(frames)
        except (StopIteration, av.error.FFmpegError):
            return
        if frame.pts is not None:
            yield frame


def _decode_from(info: VideoInfo, moment: float) -> Iterator[tuple[Any, float]]:
    """Decoded frames with their times, from at least one before `moment` (seconds on the file's clock) on."""
    target = moment - LEAD_IN
    for seeking in (True, False):
        if seeking and target <= info.start:
            continue
        with _open(info.path) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            if seeking:
                try:
                    container.seek(int(target / float(stream.time_base)), stream=stream, backward=True)
                except Exception:  # a file without an index: read it from its beginning
                    continue
            started = False
            for frame in decoded(container, stream):
                shown = _time(frame, stream)
                if seeking and not started and shown > moment - LEAD_IN / 2:
                    break  # the index led past the place: read from the beginning
                started = True
                yield frame, shown
            if started:
                return


def _time(frame: Any, stream: Any) -> float:
    return float(frame.pts * (frame.time_base or stream.time_base))


def _first_pictures(container: Any, stream: Any, path: Path) -> tuple[list[float], Any]:
    """Times in seconds of the first pictures, rising, and the first of them."""
    import av

    stamps = []
    with contextlib.suppress(av.error.FFmpegError):  # the rest of the file is damaged
        for packet in container.demux(stream):
            if packet.pts is not None:
                stamps.append(float(packet.pts * stream.time_base))
            if len(stamps) >= PROBED_PACKETS or not packet.size:
                break
    # Opened anew: not every format can be led back to its very beginning.
    with _open(path) as again:
        first = next(decoded(again, again.streams.video[0]), None)
    if first is None:
        raise CaptureError(f"No picture of '{path.name}' can be decoded; the file is damaged, copy it again.")
    start = _time(first, stream)
    # Packets lie in coding order; the last ones may miss neighbours that come later in the file.
    return [start, *(time for time in sorted(stamps)[: max(2, len(stamps) - 8)] if time > start)], first


def _length(container: Any, stream: Any, start: float) -> float:
    """Seconds of picture, from the best source that the file offers."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    if container.duration:
        return max(0.04, container.duration / 1e6 - max(start - (container.start_time or 0) / 1e6, 0))
    frames = stream.frames or 1
    return frames / float(stream.average_rate or FPS)


def _display_size(stream: Any, frame: Any, rotation: int) -> tuple[int, int]:
    aspect = float(stream.sample_aspect_ratio or 1) or 1.0
    aspect = aspect if 0.2 < aspect < 5 else 1.0
    width, height = round(frame.width * aspect), frame.height
    return (height, width) if rotation in (90, 270) else (width, height)


def _picture(frame: Any, info: VideoInfo, scaling: int | None = None) -> np.ndarray:
    """uint8 [H,W,3] as displayed. scaling: flags of FFmpeg's scaler, None for its defaults."""
    turned = info.rotation in (90, 270)
    width, height = (info.height, info.width) if turned else (info.width, info.height)
    # High-definition video that does not name its colours uses BT.709, as players take it.
    untagged = frame.colorspace == UNTAGGED and frame.height >= 720
    given = {"src_colorspace": "ITU709"} if untagged else {}
    # A frame whose size changes midway is scaled to the first one's.
    image = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation=scaling, **given)
    if info.rotation:
        image = np.rot90(image, info.rotation // 90)
    return np.ascontiguousarray(image)
