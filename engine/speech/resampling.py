# SPDX-License-Identifier: GPL-3.0-or-later
"""Any sample rate to 16 kHz, block after block, so that hours of sound never lie in memory at their own rate."""

from __future__ import annotations

import math

import numpy as np

SAMPLE_RATE = 16_000
LONGEST_FACTOR = 1_000
BLOCK_SECONDS = 30


class Resampler:
    """Polyphase resampling (scipy) of a sound that comes in pieces. The pieces' lengths do not change the result."""

    def __init__(self, rate: int) -> None:
        """rate: Hz, of what will come."""
        common = math.gcd(SAMPLE_RATE, rate)
        up, down = SAMPLE_RATE // common, rate // common
        if (
            max(up, down) > LONGEST_FACTOR
        ):  # odd rates such as 44056 Hz: the filter would be as long as seconds of sound
            ratio = SAMPLE_RATE / rate
            best = min(range(1, LONGEST_FACTOR), key=lambda divisor: abs(round(divisor * ratio) / divisor - ratio))
            up, down = max(1, round(best * ratio)), best
        self._up, self._down = up, down
        self._block = max(1, BLOCK_SECONDS * rate // down) * down
        self._margin = 20 * down * -(-max(up, down) // down)  # a multiple of `down`, longer than half the filter
        self._waiting: list[np.ndarray] = []
        self._start = 0
        """Sample number of the first that waits."""
        self._end = 0
        self._next = 0
        """First sample of the block that is to be resampled next."""
        self._done: list[np.ndarray] = []

    def add(self, samples: np.ndarray) -> None:
        """samples: [n] float32."""
        if len(samples):
            # one NaN would spread over the length of the filter
            self._waiting.append(np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float32, copy=False))
            self._end += len(samples)
        while self._end >= self._next + self._block + self._margin:
            self._resample_block()

    def finish(self) -> np.ndarray:
        """float32 [ceil(n * 16000 / rate)]: everything that was added."""
        while self._next < self._end:
            self._resample_block()
        total = -(-self._end * self._up // self._down)
        whole = np.concatenate(self._done) if self._done else np.zeros(0, np.float32)
        return whole[:total]

    @property
    def seconds(self) -> float:
        """Of sound that was added."""
        return self._end * self._up / (self._down * SAMPLE_RATE)

    def _resample_block(self) -> None:
        begin = self._next
        low, high = max(0, begin - self._margin), min(self._end, begin + self._block + self._margin)
        held = self._waiting[0] if len(self._waiting) == 1 else np.concatenate(self._waiting)
        part = held[low - self._start : high - self._start]
        if self._up != self._down:
            from scipy.signal import resample_poly

            part = resample_poly(part, self._up, self._down)
        skip, size = (begin - low) // self._down * self._up, self._block // self._down * self._up
        self._done.append(np.array(part[skip : skip + size], np.float32))
        self._next = begin + self._block
        keep = max(0, min(self._next, self._end) - self._margin)
        self._waiting, self._start = [held[keep - self._start :].copy()], keep


def resample(samples: np.ndarray, rate: int) -> np.ndarray:  # [n] at `rate` Hz -> [ceil(n * 16000 / rate)] float32
    """The whole of `samples` at 16 kHz."""
    if rate == SAMPLE_RATE:
        return np.asarray(samples, np.float32)
    resampler = Resampler(rate)
    resampler.add(np.asarray(samples, np.float32))
    return resampler.finish()
