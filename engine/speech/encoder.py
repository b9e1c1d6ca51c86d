# SPDX-License-Identifier: GPL-3.0-or-later
"""What every speech encoder offers, and the encoders by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from ..errors import CancelledError, HMTalkerError
from .log_mel import mel_filters, spectra
from .loudness import speech_gain

Progress = Callable[[float], None]
"""Called with the fraction done, 0..1."""
Cancelled = Callable[[], bool]
"""Asked now and then; True stops the work with :class:`CancelledError`."""


@runtime_checkable
class SpeechEncoder(Protocol):
    """Speech in, features at a steady rate out. Step ``t`` is centred on ``t / rate`` seconds."""

    id: str
    """Name by which :func:`create` makes it and an avatar file asks for it."""
    dimension: int
    rate: float
    """Steps per second."""
    sha256: str
    """Hash of the weights; empty if there are none."""

    def encode(
        self,
        samples: np.ndarray,  # [n] float32, mono, 16 kHz, any loudness
        position: int | None = None,
        *,
        gain: float | None = None,
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> np.ndarray:  # [ceil(n * rate / 16000), dimension] float32
        """Features of the whole of `samples`.

        `gain` multiplies the samples first; by default the one that normalises the file's loudness. Give it when
        encoding a part of a file whose loudness is known. `position` is only for encoders with a notion of place.
        """
        ...


MEL_BANDS = 80
MEL_DIMENSION = MEL_BANDS


class MelEncoder:
    """Log-mel of SyncTalk's audio front end at 50 steps/s: needs no weights, knows less about other voices.

    Pre-emphasis 0.97, window 800, magnitude mel of 80 Slaney bands 55..7600 Hz, 20 log10(max(1e-5, x)) - 20 dB, scaled
    to -4..4 (SyncTalk, data_utils/ave/hparams.py). The hop is 320 rather than 200 so that the rate is that of the other
    encoders, and the loudness is normalised like theirs.
    """

    id = "mel"
    dimension = MEL_DIMENSION
    rate = 50.0
    sha256 = ""

    FFT = 800
    HOP = 320
    _BLOCK = 3000

    def encode(
        self,
        samples: np.ndarray,
        position: int | None = None,
        *,
        gain: float | None = None,
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> np.ndarray:
        samples = np.asarray(samples, np.float32)
        steps = math.ceil(len(samples) / self.HOP)
        out = np.empty((steps, MEL_BANDS), np.float32)
        factor = speech_gain(samples) if gain is None else gain
        filters = np.ascontiguousarray(mel_filters(MEL_BANDS, self.FFT, 55.0, 7600.0).T, np.float32)
        for begin in range(0, steps, self._BLOCK):
            if cancelled is not None and cancelled():
                raise CancelledError("Reading the speech was cancelled.")
            size = min(self._BLOCK, steps - begin)
            # one sample more on the left than the first window needs, for the pre-emphasis
            low = max(0, begin * self.HOP - self.FFT // 2 - 1)
            high = (begin + size - 1) * self.HOP + self.FFT
            part = samples[low:high] * np.float32(factor)
            emphasised = part.copy()
            emphasised[1:] -= np.float32(0.97) * part[:-1]
            shift = begin * self.HOP - low
            whole = np.concatenate([np.zeros(self.HOP * -(-shift // self.HOP) - shift, np.float32), emphasised])
            first = -(-shift // self.HOP)
            mel = np.abs(spectra(whole, first, size, self.FFT, self.HOP)) @ filters
            decibel = 20.0 * np.log10(np.maximum(1e-5, mel)) - 20.0
            out[begin : begin + size] = np.clip(8.0 * (decibel + 100.0) / 100.0 - 4.0, -4.0, 4.0)
            if progress is not None:
                progress((begin + size) / steps)
        return out


WHISPER_ID = "whisper-tiny.en-l123"
DEFAULT = WHISPER_ID
IDS = (WHISPER_ID, MelEncoder.id)


def create(
    encoder_id: str = DEFAULT,
    path: str | Path | None = None,
    *,
    threads: int = 1,
) -> SpeechEncoder:
    """The encoder called `encoder_id`, with the weights at `path` (default: the installation's)."""
    if encoder_id == MelEncoder.id:
        return MelEncoder()
    if encoder_id == WHISPER_ID:
        from .whisper_onnx import WhisperEncoder, find_model

        return WhisperEncoder(find_model() if path is None else path, threads=threads)
    raise HMTalkerError(
        f"This avatar needs the speech encoder '{encoder_id}', which this version does not have "
        f"(it has {', '.join(IDS)}); update HM-Talker or train the avatar again."
    )
