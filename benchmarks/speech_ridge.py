# SPDX-License-Identifier: GPL-3.0-or-later
"""Baselines for ``audio_to_au.py``: linear regression from speech features to the face, frame by frame.

Each hears 9 video frames (±160 ms). The ridge weight of every target is chosen on a fifth of the training clips.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hmtalker.speech.encoder import MelEncoder, SpeechEncoder
from hmtalker.speech.loudness import frame_loudness

FRAME_RATE = 25.0
CONTEXT = 4
COMPONENTS = 256
RIDGE_WEIGHTS = np.geomspace(1e-1, 1e5, 13)
HIGHEST_POSITION = 900
"""The encoder's position table is entered at random up to here, so that features do not tell the time in the clip."""

Features = Callable[[np.ndarray, int], np.ndarray]
"""(samples [n] 16 kHz, frames) -> [frames, D]"""


def with_context(values: np.ndarray) -> np.ndarray:
    """[F, D] -> [F, (2 CONTEXT + 1) D]; the first and last frame repeat beyond the ends."""
    padded = np.pad(values, ((CONTEXT, CONTEXT), (0, 0)), mode="edge")
    return np.concatenate([padded[shift : shift + len(values)] for shift in range(2 * CONTEXT + 1)], 1)


def at_frame_rate(encoded: np.ndarray, frames: int) -> np.ndarray:
    """[T, D] at 50 steps a second -> [frames, D]: the mean of the two steps that begin within each frame."""
    short = 2 * frames - len(encoded)
    if short > 0:
        encoded = np.pad(encoded, ((0, short), (0, 0)), mode="edge")
    return encoded[: 2 * frames].reshape(frames, 2, -1).mean(1)


def frame_index(samples: np.ndarray, frames: int) -> np.ndarray:
    """One-hot frame number: what can be known without hearing anything."""
    del samples
    return np.eye(75)[np.minimum(np.arange(frames), 74)]


def loudness(samples: np.ndarray, frames: int) -> np.ndarray:
    """Level of each frame, decibel and linear."""
    decibel = np.clip(frame_loudness(samples, FRAME_RATE, frames), -60, None)
    return with_context(np.stack([decibel, 10 ** (decibel / 20)], 1))


def log_mel(samples: np.ndarray, frames: int) -> np.ndarray:
    """80 mel bands."""
    return with_context(at_frame_rate(MelEncoder().encode(samples), frames))


class WhisperFeatures:
    """Whisper tiny.en layers 1 to 3, reduced to principal components of the training clips."""

    def __init__(self, encoder: SpeechEncoder, training: list[np.ndarray], seed: int = 0) -> None:
        """training: samples of every training clip, encoded here at a random position each."""
        self._encoder = encoder
        random = np.random.default_rng(seed)
        self._known: dict[int, np.ndarray] = {}
        for samples in training:
            position = int(random.integers(0, HIGHEST_POSITION))
            frames = round(len(samples) / 16000 * FRAME_RATE)
            self._known[id(samples)] = at_frame_rate(encoder.encode(samples, position=position), frames)
        table = np.concatenate(list(self._known.values())).astype(np.float64)
        self._mean = table.mean(0)
        self._spread = table.std(0) + 1e-6
        standard = (table - self._mean) / self._spread
        _, vectors = np.linalg.eigh(standard.T @ standard)
        self._basis = vectors[:, ::-1][:, :COMPONENTS]

    def __call__(self, samples: np.ndarray, frames: int) -> np.ndarray:
        encoded = self._known.get(id(samples))
        if encoded is None:
            encoded = at_frame_rate(self._encoder.encode(samples), frames)
        return with_context((encoded - self._mean) / self._spread @ self._basis)


@dataclass
class Ridge:
    """Linear map with a ridge weight per target."""

    mean: np.ndarray
    spread: np.ndarray
    weights: np.ndarray
    offset: np.ndarray

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """[F, D] -> [F, K]"""
        return (features - self.mean) / self.spread @ self.weights + self.offset


def fit_ridge(features: list[np.ndarray], targets: list[np.ndarray]) -> Ridge:
    """features, targets: one [F, D] and one [F, K] array for each training clip."""
    held = [number for number in range(len(features)) if number % 5 == 0]
    rest = [number for number in range(len(features)) if number % 5 != 0]
    x_rest, y_rest = np.concatenate([features[n] for n in rest]), np.concatenate([targets[n] for n in rest])
    x_held, y_held = np.concatenate([features[n] for n in held]), np.concatenate([targets[n] for n in held])
    errors = []
    for weight, model in _solutions(x_rest, y_rest, RIDGE_WEIGHTS):
        errors.append((weight, ((model(x_held) - y_held) ** 2).mean(0)))
    best = np.argmin([error for _, error in errors], 0)
    chosen = RIDGE_WEIGHTS[best]
    x, y = np.concatenate([x_rest, x_held]), np.concatenate([y_rest, y_held])
    models = dict(_solutions(x, y, np.unique(chosen)))
    first = next(iter(models.values()))
    columns = np.stack([models[weight].weights[:, k] for k, weight in enumerate(chosen)], 1)
    return Ridge(first.mean, first.spread, columns, first.offset)


def _solutions(x: np.ndarray, y: np.ndarray, ridge_weights: np.ndarray) -> list[tuple[float, Ridge]]:
    """One eigendecomposition serves every ridge weight."""
    mean, spread = x.mean(0), x.std(0) + 1e-6
    standard, offset = (x - mean) / spread, y.mean(0)
    values, vectors = np.linalg.eigh(standard.T @ standard)
    rotated = vectors.T @ (standard.T @ (y - offset))
    values = np.maximum(values, 0)[:, None]
    return [(float(w), Ridge(mean, spread, vectors @ (rotated / (values + w)), offset)) for w in ridge_weights]
