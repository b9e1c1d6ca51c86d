# SPDX-License-Identifier: GPL-3.0-or-later
"""Speech features to implicit conditions without torch, and the index maths that both engines share.

A video frame hears 16 encoder steps around its centre, and looks at 8 frames of such windows. Nothing outside its own
clip is heard: steps and frames beyond the ends are zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..speech.windows import RATE as STEP_RATE
from ..speech.windows import STEPS as WINDOW
from ..speech.windows import window_starts
from .config import CONDITION

CONTEXT = 8
"""Frames [t-4, t+4) that audio attention weighs."""

OUTSIDE = -1
"""Index of a step or frame beyond the ends of its clip."""

SLOPE = np.float32(0.02)
"""Negative slope of every LeakyReLU on the speech road."""

CHUNK = 1024
"""Frames at a time: keeps the memory of an hour-long take flat."""


@dataclass(frozen=True)
class ClipTable:
    """Which steps and neighbours each frame of one or more concatenated clips uses; OUTSIDE marks zeros."""

    steps: np.ndarray
    """int64 [F,16] into the concatenated encoder steps."""
    context: np.ndarray
    """int64 [F,8] into the concatenated frames."""


def frames_covered(steps: int, fps: float) -> int:
    """How many video frames at `fps` `steps` encoder steps last, at least one."""
    return max(1, int(np.floor(steps / STEP_RATE * fps + 0.5)))


def window_steps(frames: int, fps: float, steps: int) -> np.ndarray:
    """int64 [frames,16]: the encoder steps around each frame's centre, OUTSIDE where there are none."""
    index = window_starts(fps, frames)[:, None] + np.arange(WINDOW)
    return np.where((index >= 0) & (index < steps), index, OUTSIDE)


def context_frames(frames: int) -> np.ndarray:
    """int64 [frames,8]: the frames [t-4, t+4) of each frame t, OUTSIDE beyond the ends."""
    index = np.arange(frames)[:, None] + np.arange(CONTEXT) - CONTEXT // 2
    return np.where((index >= 0) & (index < frames), index, OUTSIDE)


def clip_table(step_counts: Sequence[int], frame_counts: Sequence[int], fps: float) -> ClipTable:
    """Index table of several clips laid end to end, in which no window or context crosses a cut."""
    steps, context = [], []
    step_start = frame_start = 0
    for step_count, frame_count in zip(step_counts, frame_counts, strict=True):
        inside = window_steps(frame_count, fps, step_count)
        steps.append(np.where(inside == OUTSIDE, OUTSIDE, inside + step_start))
        neighbours = context_frames(frame_count)
        context.append(np.where(neighbours == OUTSIDE, OUTSIDE, neighbours + frame_start))
        step_start += step_count
        frame_start += frame_count
    return ClipTable(np.concatenate(steps), np.concatenate(context))


def _leaky(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, x * SLOPE)


def _convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int) -> np.ndarray:
    """Conv1d with kernel 3 and padding 1. x [B,L,C], weight [O,C,3] -> [B,L',O]; channels last, so one matmul."""
    length = (x.shape[1] - 1) // stride + 1
    padded = np.pad(x, ((0, 0), (1, 1), (0, 0)))
    taps = [padded[:, k : k + stride * (length - 1) + 1 : stride] for k in range(3)]
    columns = np.concatenate(taps, axis=2).reshape(-1, 3 * x.shape[2])
    kernel = weight.transpose(2, 1, 0).reshape(-1, weight.shape[0])
    return (columns @ kernel + bias).reshape(x.shape[0], length, weight.shape[0])


class PortableSpeech:
    """The numpy twin of implicit.SpeechPath, from weights named as in MotionModel's state dict."""

    def __init__(self, weights: Mapping[str, np.ndarray], prefix: str = "speech.") -> None:
        self._w = {
            key[len(prefix) :]: np.ascontiguousarray(value, np.float32)
            for key, value in weights.items()
            if key.startswith(prefix)
        }

    @property
    def feature_dimension(self) -> int:
        return int(self._w["projection.weight"].shape[1])

    def project(self, encoded: np.ndarray) -> np.ndarray:
        """encoded [T50,D] at 50 Hz -> float32 [T50,P]: all that is needed of a step. ValueError for another D."""
        if encoded.ndim != 2 or encoded.shape[1] != self.feature_dimension:
            raise ValueError(f"speech features are {encoded.shape}; this model needs [T, {self.feature_dimension}]")
        projected = np.empty((len(encoded), self._w["projection.weight"].shape[0]), np.float32)
        for start in range(0, len(encoded), 4 * CHUNK):
            part = np.asarray(encoded[start : start + 4 * CHUNK], np.float32)
            part = (part - self._w["projection.mean"]) * self._w["projection.scale"]
            projected[start : start + len(part)] = part @ self._w["projection.weight"].T
        return projected

    def implicit(self, encoded: np.ndarray, fps: float = 25.0, frames: int | None = None) -> np.ndarray:
        """encoded [T50,D] at 50 Hz -> implicit conditions float32 [frames,32] at `fps`.

        Memory grows by 64 floats per step and 32 per frame only. Raises ValueError when D is not the model's.
        """
        return self.implicit_of_projected(self.project(encoded), fps, frames)

    def implicit_of_projected(self, projected: np.ndarray, fps: float = 25.0, frames: int | None = None) -> np.ndarray:
        """As :meth:`implicit`, from what :meth:`project` made of the features."""
        length = len(projected)
        count = frames_covered(length, fps) if frames is None else frames
        projected = np.concatenate([projected, np.zeros_like(projected, shape=(1, projected.shape[1]))])  # OUTSIDE
        steps = window_steps(count, fps, length)
        heard = np.empty((count + 1, CONDITION), np.float32)
        heard[count] = self._audio_net(np.zeros((1, WINDOW, projected.shape[1]), np.float32))[0]
        for start in range(0, count, CHUNK):
            stop = min(count, start + CHUNK)
            heard[start:stop] = self._audio_net(projected[steps[start:stop]])
        context = context_frames(count)
        implicit = np.empty((count, CONDITION), np.float32)
        for start in range(0, count, CHUNK):
            stop = min(count, start + CHUNK)
            implicit[start:stop] = self._attention(heard[context[start:stop]])
        return implicit

    def _audio_net(self, windows: np.ndarray) -> np.ndarray:
        x = windows
        for layer in range(4):
            name = f"audio_net.convolutions.{layer}"
            x = _leaky(_convolve(x, self._w[f"{name}.weight"], self._w[f"{name}.bias"], 2))
        x = x[:, 0]
        x = _leaky(x @ self._w["audio_net.hidden.weight"].T + self._w["audio_net.hidden.bias"])
        return x @ self._w["audio_net.output.weight"].T + self._w["audio_net.output.bias"]

    def _attention(self, heard: np.ndarray) -> np.ndarray:
        x = heard  # [B,8,32]
        for layer in range(5):
            name = f"attention.convolutions.{layer}"
            x = _leaky(_convolve(x, self._w[f"{name}.weight"], self._w[f"{name}.bias"], 1))
        score = x[:, :, 0] @ self._w["attention.output.weight"].T + self._w["attention.output.bias"]
        score = np.exp(score - score.max(axis=1, keepdims=True))
        share = score / score.sum(axis=1, keepdims=True)
        return np.einsum("bt,btc->bc", share, heard)
