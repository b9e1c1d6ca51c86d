# SPDX-License-Identifier: GPL-3.0-or-later
"""Do lips and voice belong together, and is one late? A scorer of our own, trained by ``train_sync``.

Two small networks place 200 ms of lip motion and 200 ms of speech features on a sphere, near each other where they
happened at once. Their mean cosine is compared at every shift of the sound: the summit tells the offset, and how far it
rises above the median the confidence. The idea is SyncNet's (Chung and Zisserman 2016), the networks, features and data
are not: these scores must not be set beside published LSE-C and LSE-D or Sync-C and Sync-D.

The scorer hears through the same encoder as the avatars, so it is deaf to what that encoder does not tell, and it was
trained on one speaker with 51 words (GRID s1). Set a score beside that of the person's real video.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ..errors import HMTalkerError
from .lip_motion import lip_motion

WEIGHTS = Path(__file__).with_name("sync_scorer.npz")
REACH = 15
"""Frames by which the sound is shifted either way: 0.6 s."""
FEWEST = 8
"""Frames that must overlap for a shift to be judged."""
HEARD_STEPS = 10
"""Steps of 20 ms that one look at the sound spans."""
SEEN_FRAMES = 5
"""Frames of 40 ms that one look at the lips spans."""
STEPS_A_FRAME = 2


@dataclass(frozen=True)
class SyncScore:
    """How well lips follow a voice."""

    offset: float
    """Frames by which the sound comes too late; negative where it comes too early. NaN where nothing is known."""
    confidence: float
    """Mean cosine at the best shift minus the median over all shifts. A chance summit shows here too, the higher the
    fewer frames there are."""
    similarity: float
    """Mean cosine at the best shift, -1..1."""
    distance: float
    """Root mean square distance on the sphere at the best shift, 0..2."""
    frames: int
    """Frames of lips that were compared."""
    curve: tuple[float, ...]
    """Mean cosine at the shifts -REACH..REACH; NaN where too few frames overlap."""


class SyncScorer:
    """The two networks, in numpy."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        """arrays: as ``sync_networks.export`` makes them. Raises KeyError or ValueError where some are missing."""
        floats = {name: value.astype(np.float32) for name, value in arrays.items() if value.dtype.kind == "f"}
        self._w = floats
        self.feature_dimension = len(floats["heard_mean"])
        self.watch(np.full((1, 478, 3), np.nan, np.float32))
        self.hear(np.zeros((2, self.feature_dimension), np.float32))

    def hear(self, encoded: np.ndarray) -> np.ndarray:
        """Speech features [T50,D] of ``whisper-tiny.en-l123`` -> unit vectors [T50 // 2, E], one a frame."""
        encoded = np.asarray(encoded, np.float32)
        if encoded.ndim != 2 or encoded.shape[1] != self.feature_dimension:
            raise HMTalkerError(
                f"The sync scorer hears {self.feature_dimension} speech features, not {encoded.shape[-1]}; capture the "
                "footage with the default speech encoder."
            )
        w = self._w
        reduced = ((encoded - w["heard_mean"]) / w["heard_scale"]) @ w["heard.reduce.weight"].T + w["heard.reduce.bias"]
        windows = _windows(reduced, HEARD_STEPS, STEPS_A_FRAME)[: len(encoded) // STEPS_A_FRAME]
        return _unit(self._layers("heard", windows))

    def watch(self, landmarks: np.ndarray) -> np.ndarray:
        """Landmarks [n,478,3] of a clip without a cut -> unit vectors [n,E]; NaN where lips are not seen."""
        motion = lip_motion(landmarks) @ self._w["seen_basis"].T / self._w["seen_scale"]
        return _unit(self._layers("seen", _windows(motion, SEEN_FRAMES, 1)))

    def score(self, clips: Iterable[tuple[np.ndarray, np.ndarray]]) -> SyncScore:
        """Of (landmarks [n,478,3], speech features [T50,D]) of each clip, from the same moment on, all together."""
        sums = np.zeros((2, 2 * REACH + 1))
        frames = 0
        for landmarks, encoded in clips:
            seen = self.watch(landmarks)
            sums += shifted_similarity(seen, self.hear(encoded))
            frames += int(np.isfinite(seen[:, 0]).sum())
        return judge(sums, frames)

    def _layers(self, name: str, x: np.ndarray) -> np.ndarray:
        count = sum(key.startswith(f"{name}.layers.") and key.endswith(".weight") for key in self._w)
        for index in range(count):
            if index:
                x = np.maximum(x, 0)
            x = x @ self._w[f"{name}.layers.{index}.weight"].T + self._w[f"{name}.layers.{index}.bias"]
        return x


def shifted_similarity(seen: np.ndarray, heard: np.ndarray, start: int = 0) -> np.ndarray:
    """[2, 2 REACH + 1]: sums of cosines at every shift of the sound, and of how many frames.

    seen: [n,E], NaN rows allowed. heard: [m,E]. start: the frame of `heard` at which `seen` begins.
    """
    out = np.zeros((2, 2 * REACH + 1))
    if len(seen) and len(heard):
        known = np.isfinite(seen).all(1)
        cosines = np.where(known[:, None], seen, 0) @ heard.T
        rows = np.arange(len(seen))
        for column, shift in enumerate(range(-REACH, REACH + 1)):
            at = rows + start + shift
            there = known & (at >= 0) & (at < len(heard))
            out[:, column] = cosines[rows[there], at[there]].sum(), there.sum()
    return out


def judge(sums: np.ndarray, frames: int = 0) -> SyncScore:
    """sums: [2, 2 REACH + 1] as :func:`shifted_similarity` returns them, added up over clips."""
    enough = sums[1] >= FEWEST
    curve = np.where(enough, sums[0] / np.maximum(sums[1], 1), np.nan)
    if not enough.any():
        nan = float("nan")
        return SyncScore(nan, nan, nan, nan, frames, tuple(map(float, curve)))
    best = int(np.nanargmax(curve))
    top = float(curve[best])
    return SyncScore(
        offset=best - REACH + _between(curve, best),
        confidence=top - float(np.nanmedian(curve)),
        similarity=top,
        distance=float(np.sqrt(max(2 - 2 * top, 0.0))),
        frames=frames,
        curve=tuple(round(float(value), 4) for value in curve),
    )


@cache
def load_sync_scorer(path: Path = WEIGHTS) -> SyncScorer:
    """The scorer that is shipped, or one in `path`. Raises :class:`HMTalkerError`."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return SyncScorer({name: file[name] for name in file.files})
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise HMTalkerError(
            f"The weights of the sync scorer cannot be read from '{path}'; install HM-Talker again."
        ) from error


def _windows(rows: np.ndarray, size: int, step: int) -> np.ndarray:
    """[n,D] -> [n / step, size D]: what lies around each step, zeros beyond the ends."""
    before = (size - step) // 2
    padded = np.pad(rows, ((before, size - step - before), (0, 0)))
    if len(padded) < size:
        return np.zeros((0, size * rows.shape[1]), np.float32)
    views: np.ndarray = np.lib.stride_tricks.sliding_window_view(padded, size, axis=0)
    return views[::step].transpose(0, 2, 1).reshape(-1, size * rows.shape[1])


def _unit(x: np.ndarray) -> np.ndarray:
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12))


def _between(curve: Sequence[float] | np.ndarray, best: int) -> float:
    """How far from the best shift the summit of a parabola through it and its neighbours lies, -0.5..0.5."""
    if not 0 < best < len(curve) - 1:
        return 0.0
    before, at, after = (float(value) for value in curve[best - 1 : best + 2])
    bend = before - 2 * at + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0  # false for NaN
