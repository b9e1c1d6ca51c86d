# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound files to float32 mono at 16 kHz, outside Blender (inside, Blender itself decodes what a strip plays).

soundfile reads wav, flac, ogg and mp3; everything else, video included, goes to PyAV. Both are optional packages.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import AudioError
from .loudness import speech_gain
from .resampling import SAMPLE_RATE, Resampler, resample

__all__ = ["MAX_SECONDS", "SAMPLE_RATE", "clean", "load_audio", "normalise", "resample"]

MINIMUM_RATE, MAXIMUM_RATE = 2_000, 768_000
"""Hz; a file that claims less or more is damaged."""
MAX_SECONDS = 6 * 3600.0
"""Longer sound is used in parts: an hour of it is 230 MB."""


def load_audio(path: str | Path) -> np.ndarray:  # [n] float32
    """The sound in `path` as mono 16 kHz float32 with the level of the file, free of NaN and of constant offset.

    Channels are averaged. Silence is fine; a file that is missing, empty, without sound or unreadable raises
    :class:`AudioError`.
    """
    path = Path(path)
    if not path.exists():
        raise AudioError(f"The sound file '{path}' does not exist; choose another file.")
    if path.is_dir():
        raise AudioError(f"'{path}' is a folder, not a sound file; choose a file inside it.")
    if path.stat().st_size == 0:
        raise AudioError(f"The sound file '{path.name}' is empty (0 bytes); export or copy it again.")
    samples = _read_soundfile(path)
    if samples is None:
        samples = _read_av(path)
    if len(samples) == 0:
        raise AudioError(f"The sound file '{path.name}' has no sound in it (0 seconds); export or record it again.")
    return clean(samples)


def clean(samples: np.ndarray) -> np.ndarray:  # [n] -> [n] float32
    """Replace NaN and infinity by silence and take the constant offset out. The input is not changed."""
    out = np.array(samples, np.float32)
    np.nan_to_num(out, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    # float32 files may hold absurd values; squares of these would overflow
    np.clip(out, -1e4, 1e4, out=out)
    if len(out):
        out -= np.float32(out.mean(dtype=np.float64))
    return out


def normalise(samples: np.ndarray) -> np.ndarray:  # [n] -> [n] float32
    """Bring the loud parts of the speech to -20 dBFS (see ``loudness.speech_gain``); silence stays as it is."""
    out = clean(samples)
    out *= np.float32(speech_gain(out))
    return out


class _Collector:
    """Downmixes and resamples what is decoded, so that only the 16 kHz result is ever held whole."""

    def __init__(self, rate: int, path: Path) -> None:
        if not MINIMUM_RATE <= rate <= MAXIMUM_RATE:
            raise AudioError(
                f"The sound file '{path.name}' claims a sample rate of {rate} Hz; convert it to a .wav file."
            )
        self._resampler, self._path = Resampler(rate), path

    def add(self, block: np.ndarray) -> None:  # [n] or [n, channels]
        if block.ndim == 2:
            block = block.mean(axis=1, dtype=np.float32)
        self._resampler.add(block)
        if self._resampler.seconds > MAX_SECONDS:
            raise AudioError(
                f"The sound file '{self._path.name}' is longer than {MAX_SECONDS / 3600:.0f} hours; use it in parts."
            )

    def samples(self) -> np.ndarray:
        return self._resampler.finish()


def _read_soundfile(path: Path) -> np.ndarray | None:
    """The samples, or None if soundfile is not installed or does not know the format."""
    try:
        import soundfile
    except (ImportError, OSError):  # OSError: the package is there, its libsndfile is not
        return None
    try:
        with soundfile.SoundFile(path) as file:
            collector = _Collector(int(file.samplerate), path)
            while len(block := file.read(1 << 20, dtype="float32")):
                collector.add(block)
    except (soundfile.LibsndfileError, RuntimeError, OSError):
        return None
    return collector.samples()


def _read_av(path: Path) -> np.ndarray:
    try:
        import av
    except ImportError as error:
        raise AudioError(
            f"The sound file '{path.name}' cannot be read with what is installed; run 'pip install soundfile av', "
            "or convert it to a .wav file."
        ) from error
    damaged = f"The sound file '{path.name}' is not a sound file that can be read, or it is damaged"
    try:
        with av.open(str(path)) as container:
            streams = container.streams.audio
            if not streams:
                raise AudioError(f"The file '{path.name}' has no audio track; choose one with sound.")
            return _decode(av, container, streams[0], path)
    except AudioError:
        raise
    except Exception as error:  # PyAV's errors derive from many builtins, some of them only from Exception
        raise AudioError(f"{damaged}; convert it to a .wav file and try again.") from error


def _decode(av: Any, container: Any, stream: Any, path: Path) -> np.ndarray:
    collector: _Collector | None = None
    resampler: Any = None
    try:
        for frame in container.decode(stream):
            if collector is None:
                rate = int(frame.sample_rate)
                collector = _Collector(rate, path)
                # to float and a constant rate: a stream may change its rate on the way
                resampler = av.AudioResampler(format="fltp", layout=frame.layout.name, rate=rate)
            for piece in resampler.resample(frame):
                collector.add(piece.to_ndarray().T)
        if collector is not None:
            for piece in resampler.resample(None):
                collector.add(piece.to_ndarray().T)
    except av.error.InvalidDataError:
        # a file cut short: what was readable is worth keeping, nothing readable is an error
        if collector is None:
            raise
    return np.zeros(0, np.float32) if collector is None else collector.samples()
