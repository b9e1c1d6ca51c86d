# SPDX-License-Identifier: GPL-3.0-or-later
"""Encode the performance's clips for training: several draws a clip, so that position and room do not matter.

    python encode_speech.py --audio DIR_OF_NPY --encoder whisper.onnx --out DATASET/speech

Draw 0 is what inference hears; the others start elsewhere in the encoder's position table, or in a noisier room.
Without that the encoder's position code tells the network where in a clip it is, and it learns the clips' timing
instead of the voice.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from hmtalker.speech.whisper_onnx import WhisperEncoder

HIGHEST_POSITION = 900
"""The encoder reads 600 of the 1500 rows of its position table, from anywhere up to here."""
NOISE_DB = (12.0, 30.0)
"""Range of signal-to-noise ratios of the noisy draws."""


def noisy(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """samples [n] with pink-ish noise at a random level and a random gentle tilt of the spectrum."""
    spectrum = np.fft.rfft(rng.standard_normal(len(samples)))
    spectrum /= np.maximum(np.arange(len(spectrum)), 1) ** rng.uniform(0.0, 0.6)
    noise = np.fft.irfft(spectrum, len(samples))
    level = np.sqrt(np.mean(samples**2)) * 10 ** (-rng.uniform(*NOISE_DB) / 20)
    tilt = rng.uniform(-0.25, 0.25)
    tilted = samples.copy()
    tilted[1:] += tilt * samples[:-1]
    return (tilted + noise / noise.std() * level).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--audio", type=Path, required=True, help="folder of mono 16 kHz float32 .npy files")
    parser.add_argument("--encoder", type=Path, required=True, help="converted speech encoder (.onnx)")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=4)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    encoder = WhisperEncoder(arguments.encoder, threads=1)
    rng = np.random.default_rng(0)
    for path in sorted(arguments.audio.glob("*.npy")):
        samples = np.load(path)
        draws = [encoder.encode(samples)]
        for number in range(1, arguments.draws):
            heard = noisy(samples, rng) if number % 2 == 0 else samples
            draws.append(encoder.encode(heard, position=int(rng.integers(0, HIGHEST_POSITION))))
        length = min(map(len, draws))
        np.save(arguments.out / path.name, np.stack([d[:length] for d in draws]).astype(np.float16))


if __name__ == "__main__":
    main()
