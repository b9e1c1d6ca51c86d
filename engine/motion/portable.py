# SPDX-License-Identifier: GPL-3.0-or-later
"""The motion model without torch: what runs inside the host program, from the same weights, to the same numbers.

Deterministic: each block of Gaussians is computed by one thread in one order, so the thread count changes nothing.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ..errors import AvatarError
from ..rasterize.splat_rows import BLOCK
from . import portable_fields as kernels
from .config import CONDITION, MotionConfig
from .dense_ir import pack_layer
from .folded_field import fold_face, fold_mouth
from .portable_conditions import conditions, explicit_from_audio, readable_action_units
from .portable_speech import PortableSpeech
from .state import MotionState

TASK_BLOCKS = 64
"""Blocks that a thread takes at a time: 2048 Gaussians, about half a millisecond of work."""


class PortableMotion:
    """Speech features to motion states, and motion states to offsets of both Gaussian sets."""

    def __init__(
        self,
        weights: Mapping[str, np.ndarray],
        config: Mapping[str, Any] | MotionConfig,
        face_means: np.ndarray,
        mouth_means: np.ndarray,
        executor: ThreadPoolExecutor | None = None,
        threads: int = 2,
    ) -> None:
        """weights: arrays named as in MotionModel.state_dict(). config: MotionConfig or its dict.

        face_means [N,3], mouth_means [M,3]: canonical centres, metres; 0 Gaussians are allowed. executor: where to run
        the share of the work that is not done by the calling thread; None for a pool of this object's own.
        Raises AvatarError when weights are missing or of the wrong shape.
        """
        self.config = config if isinstance(config, MotionConfig) else MotionConfig.from_dict(config)
        self._w = {name: np.ascontiguousarray(value, np.float32) for name, value in weights.items()}
        try:
            self.speech = PortableSpeech(self._w)
            self.face = fold_face(self._w, self.config, np.asarray(face_means, np.float32))
            self.mouth = fold_mouth(self._w, self.config, np.asarray(mouth_means, np.float32))
            for condition in self.conditions(MotionState.rest()):
                if condition.shape != (CONDITION,):
                    raise ValueError(f"a condition is {condition.shape}, expected ({CONDITION},)")
            self.implicit(np.zeros((1, self.config.feature_dimension), np.float32), frames=1)
        except (KeyError, ValueError, IndexError) as error:
            raise AvatarError(f"The avatar's motion weights do not fit its motion settings ({error}).") from error
        self._threads = max(1, threads)
        self._executor = executor
        self._lock = threading.Lock()

    def implicit(self, encoded: np.ndarray, fps: float = 25.0, frames: int | None = None) -> np.ndarray:
        """Speech encoder output [T50,D] at 50 Hz -> implicit conditions float32 [frames,32] at `fps`.

        frames: None for as many as the speech lasts. An hour takes about 100 MB beside the features.
        """
        return self.speech.implicit(encoded, fps, frames)

    def predicted_action_units(self, implicit: np.ndarray) -> np.ndarray:
        """Pulls of the lower face that the voice asks for: [T,32] -> float32 [T,9], 0..5, as config.units.lower."""
        explicit = explicit_from_audio(self._w, np.asarray(implicit, np.float32))
        return readable_action_units(explicit, self.config.lower_channels)

    def conditions(self, state: MotionState) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(c_l of the face, c_u, c_l of the mouth), float32 [32] each."""
        return conditions(self._w, self.config, state)

    def drives(self, state: MotionState) -> tuple[np.ndarray, np.ndarray]:
        """What is new to the fields in a frame: the face's first layer, packed, and the bias of the mouth's."""
        lower, upper, mouth = self.conditions(state)
        first = pack_layer(self.face.condition * np.concatenate([upper, lower]))
        return first, np.ascontiguousarray(self.mouth.condition @ mouth)

    def face_offsets(self, state: MotionState) -> np.ndarray:
        """float32 [N,10]: d_mu 3 (metres), d_q 4 (add to the raw quaternion), d_s 3 (add to the raw scale)."""
        field, first = self.face, self.drives(state)[0]
        out = np.zeros((field.count, kernels.FACE_OUTPUTS), np.float32)
        index = field.order[: field.moving]
        self._run(
            field.moving,
            lambda start, stop: kernels.face_blocks(
                start, stop, field.constants, first, field.second, field.third, field.scale, index, out
            ),
        )
        return out

    def mouth_offsets(self, state: MotionState) -> np.ndarray:
        """float32 [M,3]: d_mu, metres."""
        field, bias = self.mouth, self.drives(state)[1]
        out = np.empty((field.count, kernels.MOUTH_OUTPUTS), np.float32)
        self._run(
            field.moving,
            lambda start, stop: kernels.mouth_blocks(
                start, stop, field.constants, bias, field.second, field.third, field.scale, field.order, out
            ),
        )
        return out

    def _run(self, count: int, work: Callable[[int, int], None]) -> None:
        """Do all blocks of `count` Gaussians: threads take tasks as they become free, the caller works too."""
        blocks = -(-count // BLOCK)
        tasks = -(-blocks // TASK_BLOCKS)
        ticket = itertools.count()

        def drain() -> None:
            while (task := next(ticket)) < tasks:
                work(task * TASK_BLOCKS, min(blocks, (task + 1) * TASK_BLOCKS))

        helpers = min(self._threads, tasks) - 1
        if helpers <= 0:
            drain()
            return
        futures = [self._pool().submit(drain) for _ in range(helpers)]
        drain()
        for future in futures:
            # A helper that never started has nothing left to do; waiting for it could deadlock in a busy pool.
            if not future.cancel():
                future.result()

    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(self._threads - 1, thread_name_prefix="hmtalker-motion")
            return self._executor
