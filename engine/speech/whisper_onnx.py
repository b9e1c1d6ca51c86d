# SPDX-License-Identifier: GPL-3.0-or-later
"""Whisper's first encoder blocks on onnxruntime, for sound of any length in flat memory."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import HMTalkerError
from ..onnx_session import open_session
from .encoder import WHISPER_ID, Cancelled, Progress
from .log_mel import SAMPLE_RATE, log_mel
from .loudness import speech_gain
from .seams import RATE, WINDOW, hear_in_windows

FILE_NAME = "whisper_tiny_en_l123.onnx"
SAMPLES_PER_STEP = SAMPLE_RATE // RATE
POSITIONS = 1500
"""Rows of Whisper's position table: 30 s (openai/whisper, model.py, ``n_audio_ctx``)."""


def find_model() -> Path:
    """The converted Whisper file of this installation. Raises :class:`HMTalkerError` if there is none."""
    from ..pretrained import cache_folder, installed

    if (folder := installed(FILE_NAME)) is not None:
        return folder / FILE_NAME
    raise HMTalkerError(
        f"The speech encoder '{FILE_NAME}' is missing; install the HM-Talker extension again, or run "
        f"'python -m hmtalker.speech.convert_whisper --out {cache_folder() / FILE_NAME}'."
    )


class WhisperEncoder:
    """Blocks 1, 2 and 3 of Whisper tiny.en: 3 x 384 numbers, 50 times a second.

    Whisper adds a position table to its input, so its features know when in the 30 s window something was said, and a
    model trained on them learns the timetable of its training clips instead of the speech. Three things against that:
    the converted file subtracts what belongs to the place alone; sound is cut into windows of 12 s that all use the
    same rows in the middle of the table (450 .. 1050), so features never depend on the place in the file; and training
    draws a random `position`, which makes a model blind to what is left. The outer second on each side of a window is
    context and is thrown away, and seams are blended over 0.4 s.

    One object may be used from several threads at once.
    """

    id = WHISPER_ID
    rate = float(RATE)

    def __init__(self, path: str | Path, *, threads: int = 1) -> None:
        """Load the file made by ``convert_whisper``. `threads`: how many cores one ``encode`` may use."""
        self.path = Path(path)
        try:
            model = self.path.read_bytes()
        except OSError as error:
            raise HMTalkerError(
                f"The speech encoder '{self.path}' cannot be read ({error.strerror}); install HM-Talker again."
            ) from error
        try:
            self._session: Any = open_session(model, threads)
            self.dimension = int(self._session.get_outputs()[0].shape[-1])
        except (IndexError, TypeError, ValueError) as error:
            raise HMTalkerError(
                f"The speech encoder '{self.path.name}' is damaged or is not a converted Whisper file; "
                "install HM-Talker again."
            ) from error
        self.sha256 = hashlib.sha256(model).hexdigest()

    def encode(
        self,
        samples: np.ndarray,  # [n] float32, mono, 16 kHz, any loudness
        position: int | None = None,
        *,
        gain: float | None = None,
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> np.ndarray:  # [ceil(n / 320), 1152] float32
        """Features of the whole of `samples`; see :class:`~.encoder.SpeechEncoder`.

        `position`: first row of the position table for every window, 0..900; None is the middle, 450.
        """
        samples = np.asarray(samples, np.float32)
        if samples.ndim != 1:
            raise ValueError(f"samples must be [n], not {samples.shape}")
        steps = math.ceil(len(samples) / SAMPLES_PER_STEP)
        if position is None:
            position = (POSITIONS - WINDOW) // 2
        if not 0 <= position <= POSITIONS - WINDOW:
            raise ValueError(f"position must be 0..{POSITIONS - WINDOW}, not {position}")
        factor = np.float32(speech_gain(samples) if gain is None else gain)

        def hear(low: int, high: int) -> np.ndarray:
            return self._window(samples, low, high, factor, position)

        return hear_in_windows(steps, self.dimension, hear, progress, cancelled)

    def _window(
        self, samples: np.ndarray, low: int, high: int, factor: np.float32, position: int
    ) -> np.ndarray:  # [high - low, dimension]
        """Features of the steps `low` .. `high` computed as one window; silence beyond the ends of `samples`."""
        first, last = (low - 2) * SAMPLES_PER_STEP, (high + 2) * SAMPLES_PER_STEP
        part = samples[max(first, 0) : last] * factor
        part = np.nan_to_num(np.pad(part, (max(-first, 0), 0)), copy=False, posinf=0.0, neginf=0.0)
        mel = log_mel(part, 4, 2 * (high - low))
        feeds = {"mel": mel[None], "position": np.array(position, np.int64)}
        return np.asarray(self._session.run(["features"], feeds)[0][0])
