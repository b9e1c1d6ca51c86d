# SPDX-License-Identifier: GPL-3.0-or-later
"""Encoded speech for training: several draws of a clip, so that neither its place in a file nor its room is learned.

Draw 0 is what inference hears. Odd draws start elsewhere in the encoder's position table, the other even ones are also
heard in a noisier room. Without them a network learns from the encoder's position code where in a clip it is, and with
it the clips' timetable instead of the voice.
"""

from __future__ import annotations

import numpy as np

from ..speech.encoder import SpeechEncoder

DRAWS = 4
HIGHEST_POSITION = 900
"""The encoder reads 600 of the 1500 rows of its position table, from anywhere up to here."""
NOISE_DB = (12.0, 30.0)
"""Range of signal-to-noise ratios of the noisy draws."""


def encode_draws(
    samples: np.ndarray, encoder: SpeechEncoder, rng: np.random.Generator, draws: int = DRAWS
) -> np.ndarray:
    """samples: [n] mono 16 kHz float32 -> float16 [draws, ceil(n / 320), 1152]."""
    encoded = [encoder.encode(samples)]
    for number in range(1, draws):
        heard = noisy(samples, rng) if number % 2 == 0 else samples
        encoded.append(encoder.encode(heard, position=int(rng.integers(0, HIGHEST_POSITION))))
    return np.stack(encoded).astype(np.float16)


def noisy(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """samples [n] with pink-ish noise at a random level and a random gentle tilt of the spectrum; silence stays."""
    spectrum = np.fft.rfft(rng.standard_normal(len(samples)))
    spectrum /= np.maximum(np.arange(len(spectrum)), 1) ** rng.uniform(0.0, 0.6)
    noise = np.fft.irfft(spectrum, len(samples))
    level = np.sqrt(np.mean(samples**2)) * 10 ** (-rng.uniform(*NOISE_DB) / 20)
    tilt = rng.uniform(-0.25, 0.25)
    tilted = samples.copy()
    tilted[1:] += tilt * samples[:-1]
    return (tilted + noise / max(float(noise.std()), 1e-12) * level).astype(np.float32)
