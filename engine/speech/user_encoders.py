# SPDX-License-Identifier: GPL-3.0-or-later
"""Speech encoders whose weights only the user may have: AVE (SyncTalk's, CC BY-NC) and HuBERT.

Neither is part of HM-Talker. ``hmtalker encoder`` checks the user's own file and puts it where these look for it;
avatars trained with one need it wherever they are to speak.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ..errors import CancelledError, HMTalkerError
from ..onnx_session import open_session
from ..pretrained import sha256
from .encoder import Cancelled, Progress
from .lip_mel import lip_mel
from .log_mel import SAMPLE_RATE
from .loudness import TARGET_DB, speech_gain
from .seams import RATE, hear_in_windows

SAMPLES_PER_STEP = SAMPLE_RATE // RATE
FILES = {"ave": "ave.onnx", "hubert": "hubert.onnx"}
"""Encoder -> the file that ``hmtalker encoder`` makes."""

AVE_DIMENSION = 512
AVE_WINDOW = 16
"""Rows of the mel spectrogram that AVE hears at once: 0.2 s (METHOD 2.3)."""
AVE_HOP = 200


def find_user_model(encoder_id: str) -> Path:
    """The user's converted file. Raises :class:`HMTalkerError` that says how to make it."""
    from ..pretrained import installed

    name = FILES[encoder_id]
    if (folder := installed(name)) is not None:
        return folder / name
    raise HMTalkerError(
        f"The speech encoder '{encoder_id}' is not part of HM-Talker, because its licence does not allow that; if you "
        f"have its weights, run 'hmtalker encoder {encoder_id} FILE' once."
    )


class _OnnxFile:
    """A network in an .onnx file."""

    def __init__(self, path: str | Path, threads: int) -> None:
        self.path = Path(path)
        try:
            # large networks keep their weights in files beside, which only a path leads to
            self.session = open_session(str(self.path), threads)
        except ValueError as error:
            raise HMTalkerError(
                f"'{self.path.name}' is damaged or no ONNX network; convert it again with 'hmtalker encoder'."
            ) from error
        self.sha256 = sha256(self.path)


class AveEncoder:
    """SyncTalk's audio encoder: 512 numbers from the 0.2 s of mel spectrogram around each step."""

    id = "ave"
    dimension = AVE_DIMENSION
    rate = float(RATE)
    _BLOCK = 256

    def __init__(self, path: str | Path, *, threads: int = 1) -> None:
        """path: made by ``convert_ave``."""
        file = _OnnxFile(path, threads)
        self._session, self.sha256 = file.session, file.sha256

    def encode(
        self,
        samples: np.ndarray,  # [n] float32, mono, 16 kHz
        position: int | None = None,
        *,
        gain: float | None = None,
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> np.ndarray:  # [ceil(n / 320), 512] float32
        """Features of the whole of `samples`; see :class:`~.encoder.SpeechEncoder`."""
        samples = np.asarray(samples, np.float32)
        steps = math.ceil(len(samples) / SAMPLES_PER_STEP)
        samples = samples * np.float32(speech_gain(samples) if gain is None else gain)
        out = np.empty((steps, AVE_DIMENSION), np.float32)
        for begin in range(0, steps, self._BLOCK):
            if cancelled is not None and cancelled():
                raise CancelledError("Reading the speech was cancelled.")
            end = min(begin + self._BLOCK, steps)
            out[begin:end] = self._session.run(None, {"mel": self._windows(samples, np.arange(begin, end))})[0]
            if progress is not None:
                progress(end / steps)
        return out

    @staticmethod
    def _windows(samples: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """float32 [n,1,80,16]: the rows around each of `steps` [n], which follow each other."""
        first = np.round(steps * (SAMPLES_PER_STEP / AVE_HOP) - (AVE_WINDOW - 1) / 2).astype(np.int64)
        low = int(first[0])
        rows = lip_mel(samples, low, int(first[-1]) + AVE_WINDOW - low, AVE_HOP)
        windows = rows[(first - low)[:, None] + np.arange(AVE_WINDOW)]  # [n,16,80]
        return np.ascontiguousarray(windows.transpose(0, 2, 1)[:, None])


class HubertEncoder:
    """Last hidden layer of HuBERT, or of another network of wav2vec 2.0's kind: a waveform in, 50 steps/s out."""

    id = "hubert"
    rate = float(RATE)
    FIELD = 400
    """Samples that one step of the convolutions hears (wav2vec 2.0, section 2; hop 320)."""

    def __init__(self, path: str | Path, *, threads: int = 1) -> None:
        """path: checked by ``convert_hubert``."""
        file = _OnnxFile(path, threads)
        self._session, self.sha256 = file.session, file.sha256
        inputs = {entry.name: entry.type for entry in file.session.get_inputs()}
        waveforms = [name for name, kind in inputs.items() if "float" in kind]
        if len(waveforms) != 1:
            raise _no_hubert(path)
        self._waveform, self._masks = waveforms[0], [name for name in inputs if name not in waveforms]
        self.dimension = self._hear(np.zeros(2 * SAMPLES_PER_STEP + self.FIELD, np.float32), 3).shape[1]

    def encode(
        self,
        samples: np.ndarray,  # [n] float32, mono, 16 kHz
        position: int | None = None,
        *,
        gain: float | None = None,
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> np.ndarray:  # [ceil(n / 320), dimension] float32
        """Features of the whole of `samples`; see :class:`~.encoder.SpeechEncoder`."""
        samples = np.asarray(samples, np.float32)
        steps = math.ceil(len(samples) / SAMPLES_PER_STEP)
        factor = speech_gain(samples) if gain is None else gain
        # the network was taught with sound of unit variance
        samples = samples * np.float32(factor * 10 ** (-TARGET_DB / 20))

        def hear(low: int, high: int) -> np.ndarray:
            # step t of the network hears FIELD samples; ours is centred on t * 320
            first = low * SAMPLES_PER_STEP - self.FIELD // 2
            last = (high - 1) * SAMPLES_PER_STEP + self.FIELD // 2
            part = samples[max(first, 0) : max(last, 0)]
            part = np.pad(part, (min(max(-first, 0), last - first), 0))
            return self._hear(np.pad(part, (0, last - first - len(part))), high - low)

        return hear_in_windows(steps, self.dimension, hear, progress, cancelled)

    def _hear(self, waveform: np.ndarray, steps: int) -> np.ndarray:
        """[steps, dimension] of waveform [n]."""
        feeds: dict[str, np.ndarray] = {self._waveform: waveform[None]}
        feeds |= {name: np.ones((1, len(waveform)), np.int64) for name in self._masks}
        try:
            features = np.asarray(self._session.run(None, feeds)[0], np.float32)
        except Exception as error:  # onnxruntime raises classes of its own that share only Exception
            raise _no_hubert(self._waveform) from error
        if features.ndim != 3 or features.shape[:2] != (1, steps):
            raise HMTalkerError(
                f"This network makes {features.shape} of {len(waveform)} samples, not [1, {steps}, features]; export "
                "HuBERT for feature extraction, at 50 steps per second."
            )
        return features[0]


def _no_hubert(path: object) -> HMTalkerError:
    return HMTalkerError(
        f"'{path}' does not take one waveform, as HuBERT does; export it with 'optimum-cli export onnx --task "
        "feature-extraction'."
    )
