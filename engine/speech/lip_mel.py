# SPDX-License-Identifier: GPL-3.0-or-later
"""The mel spectrogram that lip-sync networks hear (SyncTalk, data_utils/ave/hparams.py; METHOD 2.3).

Pre-emphasis 0.97, window 800, magnitude mel of 80 Slaney bands 55..7600 Hz, 20 log10(max(1e-5, x)) - 20 dB, scaled to
-4..4.
"""

from __future__ import annotations

import numpy as np

from .log_mel import mel_filters, spectra

BANDS = 80
FFT = 800
EMPHASIS = 0.97


def lip_mel(
    samples: np.ndarray,  # [n] float32, mono, 16 kHz
    first: int,
    count: int,
    hop: int,
) -> np.ndarray:  # [count, 80] float32, -4..4
    """Rows `first` .. `first + count`; row ``k`` is centred on sample ``k * hop``. `first` may be negative: beyond its
    ends the sound is silent. Any range gives exactly the rows that the whole file would give there."""
    filters = np.ascontiguousarray(mel_filters(BANDS, FFT, 55.0, 7600.0).T, np.float32)
    # one sample more on the left than the first window needs, for the pre-emphasis
    low = first * hop - FFT // 2 - 1
    high = (first + count - 1) * hop + FFT
    part = samples[max(low, 0) : max(high, 0)]
    part = np.pad(part, (min(max(-low, 0), high - low), 0))
    part = np.pad(part, (0, high - low - len(part)))
    emphasised = part[1:] - np.float32(EMPHASIS) * part[:-1]
    emphasised[max(len(samples) - low - 1, 0) :] = 0.0  # the end of the file is no edge in the sound
    # `emphasised` begins where the first window does, half a window before the row's own centre
    padded = np.concatenate([np.zeros(-(FFT // 2) % hop, np.float32), emphasised])
    mel = np.abs(spectra(padded, -(-(FFT // 2) // hop), count, FFT, hop)) @ filters
    decibel = 20.0 * np.log10(np.maximum(1e-5, mel)) - 20.0
    return np.asarray(np.clip(8.0 * (decibel + 100.0) / 100.0 - 4.0, -4.0, 4.0), np.float32)
