# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames of one avatar on an NVIDIA card: from the motion state to pixels in one recorded graph."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...avatar import Avatar
from ...camera import Camera
from ...errors import RenderError
from ...motion.portable import PortableMotion
from ...motion.state import MotionState
from ...render import MAX_PIXELS, Frame
from . import launch
from .batch import Batch
from .compile import compiled
from .device import Device
from .driver import Driver, Gpu
from .program import KERNELS, program_text
from .weights import avatar_arrays, drive_row


def open_gpu(ordinal: int = 0, cache: Path | None = None) -> Gpu:
    """A card with the kernels on it. Raises RenderError: no driver, no such card, no compiler, a card too old."""
    driver = Driver()
    cards = driver.cards()
    if not 0 <= ordinal < len(cards):
        raise RenderError(f"There is no NVIDIA card number {ordinal}; {len(cards)} were found, counted from 0.")
    return Gpu(driver, ordinal, compiled(program_text(), cards[ordinal].capability, cache), KERNELS)


class CudaRenderer:
    """Draws what render.Renderer draws. Calls may come from several threads; they take turns."""

    def __init__(self, avatar: Avatar, device: Device | None = None) -> None:
        """device: a card, closed with the renderer; None for the first one. Raises RenderError, AvatarError."""
        self.avatar = avatar
        self.threads = 1
        """Frames that are worth asking for side by side; for more at once there is :meth:`render_many`."""
        self.motion = PortableMotion(
            avatar.motion, avatar.motion_config, avatar.face.means, avatar.mouth.means, threads=1
        )
        self._lock = threading.Lock()
        self._batch: Batch | None = None
        self._device: Device = device or open_gpu()
        self._addresses: dict[str, int] = {}
        self._device.enter()
        arrays = {name: np.ascontiguousarray(array) for name, array in avatar_arrays(avatar, self.motion).items()}
        try:
            for name, array in arrays.items():
                self._addresses[name] = self._device.alloc(max(1, array.nbytes))
                if array.size:
                    self._device.upload(self._addresses[name], array)
            self._device.synchronize()
        except RenderError:
            self.close()
            raise

    def render(self, state: MotionState, camera: Camera | None = None, threads: int | None = None) -> Frame:
        """As render.Renderer.render; `threads` has no meaning here."""
        return self.render_many([state], camera)[0]

    def render_srgb8(self, state: MotionState, camera: Camera | None = None, threads: int | None = None) -> np.ndarray:
        """As render.Renderer.render_srgb8; `threads` has no meaning here."""
        return np.asarray(self.render_many_srgb8([state], camera)[0])

    def render_many(self, states: Sequence[MotionState], camera: Camera | None = None) -> list[Frame]:
        """One frame a state, drawn together. Raises RenderError. Ask for the same number again and again: memory and
        graph are kept for it."""
        if not states:
            return []
        with self._lock:
            rgba, depth = self._drawn(states, camera or self.avatar.camera, True).linear()
        return [Frame(one, other) for one, other in zip(rgba, depth, strict=True)]

    def render_many_srgb8(self, states: Sequence[MotionState], camera: Camera | None = None) -> np.ndarray:
        """uint8 [frames,H,W,4], straight alpha, sRGB-encoded; as :meth:`render_many` otherwise."""
        camera = camera or self.avatar.camera
        if not states:
            return np.empty((0, camera.height, camera.width, 4), np.uint8)
        with self._lock:
            return self._drawn(states, camera, False).srgb8()

    def close(self) -> None:
        """Give the card back; the renderer cannot be used afterwards."""
        with self._lock:
            self._device.enter()
            self._drop_batch()
            while self._addresses:
                self._device.free(self._addresses.popitem()[1])
            self._device.close()

    def _drawn(self, states: Sequence[MotionState], camera: Camera, linear: bool) -> Batch:
        """The batch that holds the pictures."""
        if camera.width < 1 or camera.height < 1 or camera.width * camera.height > MAX_PIXELS:
            raise RenderError(
                f"A frame of {camera.width} x {camera.height} pixels cannot be rendered; choose another size."
            )
        drives = np.stack([drive_row(self.avatar, self.motion, state, camera) for state in states])
        self._device.enter()
        batch = self._fitting(
            launch.first_sizes(
                self.avatar.face.count, self.avatar.mouth.count, camera.width, camera.height, len(states)
            )
        )
        while (needed := batch.run(drives, linear)) > batch.sizes.capacity:
            batch = self._made(launch.grown(batch.sizes, needed))
        return batch

    def _fitting(self, sizes: launch.Sizes) -> Batch:
        """The last batch, with the room that it has grown to, if it was made for the same; else a new one."""
        if self._batch is not None:
            kept = self._batch.sizes
            if (kept.width, kept.height, kept.frames) == (sizes.width, sizes.height, sizes.frames):
                return self._batch
        return self._made(sizes)

    def _made(self, sizes: launch.Sizes) -> Batch:
        self._drop_batch()
        avatar, face = self.avatar, self.motion.face
        coefficients = {
            f"{layer}_coefficients": 3 * gaussians.sh.shape[1]
            for layer, gaussians in (("face", avatar.face), ("mouth", avatar.mouth))
        }
        self._batch = Batch(self._device, sizes, {**self._addresses, **coefficients, "face_moving": face.moving})
        return self._batch

    def _drop_batch(self) -> None:
        if self._batch is not None:
            self._batch.close()
            self._batch = None
