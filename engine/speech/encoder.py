# SPDX-License-Identifier: GPL-3.0-or-later
"""What every speech encoder offers, and the encoders by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from ..errors import CancelledError, HMTalkerError
from .lip_mel import BANDS, lip_mel
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


class MelEncoder:
    """The mel spectrogram of lip-sync networks at 50 steps/s, for a front end that is trained with the avatar (METHOD
    2.3, "mel"): needs no weights, knows less about other voices. The loudness is normalised like the other encoders'.
    """

    id = "mel"
    dimension = BANDS
    rate = 50.0
    sha256 = ""

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
        out = np.empty((steps, BANDS), np.float32)
        samples = samples * np.float32(speech_gain(samples) if gain is None else gain)
        for begin in range(0, steps, self._BLOCK):
            if cancelled is not None and cancelled():
                raise CancelledError("Reading the speech was cancelled.")
            end = min(begin + self._BLOCK, steps)
            out[begin:end] = lip_mel(samples, begin, end - begin, self.HOP)
            if progress is not None:
                progress(end / steps)
        return out


WHISPER_ID = "whisper-tiny.en-l123"
DEFAULT = WHISPER_ID
IDS = (WHISPER_ID, MelEncoder.id, "ave", "hubert")


def create(
    encoder_id: str = DEFAULT,
    path: str | Path | None = None,
    *,
    threads: int = 1,
) -> SpeechEncoder:
    """The encoder called `encoder_id`, with the weights at `path` (default: the installation's, or the user's)."""
    if encoder_id == MelEncoder.id:
        return MelEncoder()
    if encoder_id == WHISPER_ID:
        from .whisper_onnx import WhisperEncoder, find_model

        return WhisperEncoder(find_model() if path is None else path, threads=threads)
    if encoder_id in IDS:
        from .user_encoders import AveEncoder, HubertEncoder, find_user_model

        kind = AveEncoder if encoder_id == AveEncoder.id else HubertEncoder
        return kind(find_user_model(encoder_id) if path is None else path, threads=threads)
    raise HMTalkerError(
        f"This avatar needs the speech encoder '{encoder_id}', which this version does not have "
        f"(it has {', '.join(IDS)}); update HM-Talker or train the avatar again."
    )
