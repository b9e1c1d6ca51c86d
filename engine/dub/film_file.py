# SPDX-License-Identifier: GPL-3.0-or-later
"""An MP4 file of pictures and a voice, marked as synthetic media, that is there as a whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ..atomic_file import temporary_beside
from ..errors import AudioError, RenderError
from ..marking import mp4

QUALITY = "16"
"""Constant rate factor of x264: below 18 nothing is seen of the coding."""
SOUND_RATE = 48_000
SOUND_BITS = 192_000
HIGH_DEFINITION = 720
"""Rows from which BT.709 is usual, as ``capture.video_file`` takes it."""
BT709, BT601 = (1, 1, 1), (6, 6, 6)
"""Primaries, transfer, matrix (ITU-T H.273)."""


class FilmFile:
    """Use as a context: a block that fails, or is left early, leaves no file behind."""

    def __init__(self, path: Path, size: tuple[int, int], rate: float, text: Mapping[str, str], rights: str) -> None:
        """size: width and height of the pictures, pixels. text: as ``png_file.synthetic_media_text`` makes it."""
        import av

        self.path, self._size, self._text = path, size, text
        self._temporary = temporary_beside(path)
        self._count = self._heard = self._samples = 0
        self._voice: Iterator[Any] = iter(())
        self._layout = "mono"
        with self._plainly():
            path.parent.mkdir(parents=True, exist_ok=True)
            options = {"movflags": "+faststart+use_metadata_tags"}
            self._container: Any = av.open(str(self._temporary), "w", format="mp4", options=options)
            self._container.metadata.update(
                {
                    "title": path.stem,
                    "comment": "Synthetic media: the face was drawn by a computer and speaks with another voice.",
                    "copyright": rights,
                    "software": text["Software"],
                    "DigitalSourceType": text["Source"],
                }
            )
            self._rate = Fraction(rate).limit_denominator(1001)
            self._video: Any = self._container.add_stream("libx264", rate=self._rate)
            self._video.width, self._video.height = (side + side % 2 for side in size)
            self._video.pix_fmt = "yuv420p"
            self._video.options = {"crf": QUALITY, "preset": "medium"}
            context = self._video.codec_context
            tags = BT709 if size[1] >= HIGH_DEFINITION else BT601
            context.color_primaries, context.color_trc, context.colorspace = tags
            context.color_range = 1  # limited, as players expect
            self._matrix = "ITU709" if tags == BT709 else "ITU601"
            self._sound: Any = self._container.add_stream("aac", rate=SOUND_RATE)
            self._sound.bit_rate = SOUND_BITS

    def __enter__(self) -> FilmFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            with contextlib.suppress(Exception):
                self._container.close()
            self._temporary.unlink(missing_ok=True)

    def set_voice(self, path: Path, seconds: float) -> None:
        """The first `seconds` of a sound file are heard with the pictures; silence where it is shorter."""
        self._voice, self._samples = _sound(path), round(seconds * SOUND_RATE)

    def add(self, picture: np.ndarray) -> None:
        """uint8 [H,W,3] sRGB, the next picture."""
        import av

        width, height = self._size
        # the codec halves colours, so odd sides get one more row or column
        even = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        with self._plainly():
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
            coded = frame.reformat(format="yuv420p", dst_colorspace=self._matrix, dst_color_range="MPEG")
            coded.pts, coded.time_base = self._count, 1 / self._rate
            self._container.mux(self._video.encode(coded))
        self._count += 1
        self._sound_until(float(self._count / self._rate))

    def _sound_until(self, seconds: float) -> None:
        """Sound is written beside its pictures, so that a player finds both in one place."""
        import av

        end = min(self._samples, round(seconds * SOUND_RATE))
        while self._heard < end:
            block = next(self._voice, None)
            if block is None:
                samples = np.zeros((1 if self._layout == "mono" else 2, end - self._heard), np.float32)
            else:
                self._layout, samples = block.layout.name, block.to_ndarray()[:, : self._samples - self._heard]
            if not samples.shape[1]:
                continue
            with self._plainly():
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=self._layout)
                frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, self._heard, Fraction(1, SOUND_RATE)
                self._container.mux(self._sound.encode(frame))
            self._heard += samples.shape[1]

    def _finish(self) -> None:
        self._sound_until(self._samples / SOUND_RATE)
        with self._plainly():
            self._container.mux(self._video.encode())
            self._container.mux(self._sound.encode())
            self._container.close()
            mp4.append(self._temporary, mp4.xmp_box(self._text))
            os.replace(self._temporary, self.path)

    @contextlib.contextmanager
    def _plainly(self) -> Iterator[None]:
        """What the system and FFmpeg say about the file, as one sentence."""
        import av

        try:
            yield
        except (OSError, av.error.FFmpegError) as error:
            number = getattr(error, "errno", None)
            if number == errno.ENOSPC:
                raise RenderError(f"The disk is full, so '{self.path}' was not written; free some space.") from error
            reason = os.strerror(number) if number and number > 0 else str(error)
            raise RenderError(f"'{self.path}' cannot be written ({reason}); choose another place.") from error


def _sound(path: Path) -> Iterator[Any]:
    """Blocks of the file's first sound at `SOUND_RATE`, planar float, mono or stereo."""
    import av

    try:
        with av.open(str(path)) as container:
            stream = container.streams.audio[0]
            layout = "mono" if stream.codec_context.channels == 1 else "stereo"
            resampler = av.AudioResampler(format="fltp", layout=layout, rate=SOUND_RATE)
            for frame in container.decode(stream):
                frame.pts = None
                yield from resampler.resample(frame)
            yield from resampler.resample(None)
    except (OSError, IndexError, av.error.FFmpegError) as error:
        raise AudioError(f"The sound of '{path.name}' cannot be put into a film; convert it to .wav.") from error
