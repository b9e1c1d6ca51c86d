# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound files to float32 mono at 16 kHz, outside Blender (inside, Blender itself decodes what a strip plays).

soundfile reads wav, flac, ogg and mp3; everything else, video included, goes to PyAV. Both are optional packages.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import AudioError
from .loudness import speech_gain

SAMPLE_RATE = 16_000
MINIMUM_RATE = 2_000
"""Hz; a file that claims less is damaged."""
_LONGEST_FACTOR = 1_000
_BLOCK_SECONDS = 30


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


def resample(samples: np.ndarray, rate: int) -> np.ndarray:  # [n] at `rate` Hz -> [ceil(n * 16000 / rate)] float32
    """Polyphase resampling to 16 kHz (scipy), any rate, in blocks so that an hour of 48 kHz sound fits in memory."""
    samples = np.asarray(samples, np.float32)
    if rate == SAMPLE_RATE or len(samples) == 0:
        return samples
    from scipy.signal import resample_poly

    common = math.gcd(SAMPLE_RATE, rate)
    up, down = SAMPLE_RATE // common, rate // common
    if max(up, down) > _LONGEST_FACTOR:  # odd rates such as 44056 Hz: the filter would be as long as seconds of sound
        best = min(range(1, _LONGEST_FACTOR), key=lambda d: abs(round(d * SAMPLE_RATE / rate) / d - SAMPLE_RATE / rate))
        up, down = round(best * SAMPLE_RATE / rate), best
    block = max(1, _BLOCK_SECONDS * rate // down) * down
    margin = 20 * down * -(-max(up, down) // down)  # multiple of `down`, longer than half the filter
    total = -(-len(samples) * up // down)
    out = np.empty(total, np.float32)
    done = 0
    for begin in range(0, len(samples), block):
        low, high = max(0, begin - margin), min(len(samples), begin + block + margin)
        part = resample_poly(samples[low:high], up, down)
        skip = (begin - low) // down * up
        size = min(block // down * up, total - done)
        out[done : done + size] = part[skip : skip + size]
        done += size
    return out


class _Collector:
    """Downmixes and resamples block after block, so that only the 16 kHz result is ever held whole."""

    def __init__(self) -> None:
        self._blocks: list[np.ndarray] = []

    def add(self, block: np.ndarray) -> None:  # [n] or [n, channels]
        if block.ndim == 2:
            block = block.mean(axis=1, dtype=np.float32)
        self._blocks.append(np.asarray(block, np.float32))

    def samples(self, rate: int) -> np.ndarray:
        whole = np.concatenate(self._blocks) if self._blocks else np.zeros(0, np.float32)
        # one NaN would spread over the length of the resampling filter
        np.nan_to_num(whole, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        return resample(whole, rate)


def _read_soundfile(path: Path) -> np.ndarray | None:
    """The samples, or None if soundfile is not installed or does not know the format."""
    try:
        import soundfile
    except (ImportError, OSError):  # OSError: the package is there, its libsndfile is not
        return None
    try:
        with soundfile.SoundFile(path) as file:
            rate = int(file.samplerate)
            collector = _Collector()
            while len(block := file.read(1 << 20, dtype="float32")):
                collector.add(block)
    except (soundfile.LibsndfileError, RuntimeError, OSError):
        return None
    _check_rate(rate, path)
    return collector.samples(rate)


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
    collector = _Collector()
    rate = 0
    resampler: Any = None
    try:
        for frame in container.decode(stream):
            if resampler is None:
                rate = int(frame.sample_rate)
                _check_rate(rate, path)
                # to float and a constant rate: a stream may change its rate on the way
                resampler = av.AudioResampler(format="fltp", layout=frame.layout.name, rate=rate)
            for piece in resampler.resample(frame):
                collector.add(piece.to_ndarray().T)
        if resampler is not None:
            for piece in resampler.resample(None):
                collector.add(piece.to_ndarray().T)
    except av.error.InvalidDataError:
        # a file cut short: what was readable is worth keeping, nothing readable is an error
        if resampler is None:
            raise
    return collector.samples(rate or SAMPLE_RATE)


def _check_rate(rate: int, path: Path) -> None:
    if rate < MINIMUM_RATE:
        raise AudioError(f"The sound file '{path.name}' claims a sample rate of {rate} Hz; convert it to a .wav file.")
