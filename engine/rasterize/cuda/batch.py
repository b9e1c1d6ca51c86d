# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory for a batch of frames of one size, and the recorded road from drive rows to pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ...errors import RenderError
from . import layout
from .device import Device
from .launch import Sizes, batch_bytes, launches


class Batch:
    """Made once for a size, run for every batch of that size."""

    def __init__(self, device: Device, sizes: Sizes, avatar: Mapping[str, int]) -> None:
        """avatar: those members of layout.Work that no frame changes. Raises RenderError."""
        self.sizes = sizes
        self._device = device
        self._addresses: dict[str, int] = {}
        self._host: dict[str, np.ndarray] = {}
        self._recorded: dict[bool, Callable[[], None]] = {}
        shape = (sizes.frames, sizes.height, sizes.width)
        try:
            for name, size in batch_bytes(sizes).items():
                self._addresses[name] = device.alloc(size)
            self._host["drives"] = device.pinned((sizes.frames, layout.DRIVE), np.float32)
            self._host["totals"] = device.pinned((sizes.frames,), np.int64)
            self._host["rgba"] = device.pinned((*shape, 4), np.float32)
            self._host["depth"] = device.pinned(shape, np.float32)
            self._host["srgb8"] = device.pinned((*shape, 4), np.uint8)
        except RenderError:
            self.close()
            raise
        self._work = layout.Work(
            **avatar,
            **self._addresses,
            face_count=sizes.face,
            mouth_count=sizes.mouth,
            width=sizes.width,
            height=sizes.height,
            tiles_x=sizes.tiles_x,
            tiles_y=sizes.tiles_y,
            capacity=sizes.capacity,
        )

    def run(self, drives: np.ndarray, linear: bool) -> int:
        """Draw drives float32 [frames, DRIVE]; returns how many pairs the fullest frame has.

        With more pairs than ``sizes.capacity`` the pictures are wrong, and must be drawn again with more room.
        """
        if linear not in self._recorded:
            self._recorded[linear] = self._device.record(lambda: self._queue(linear))
        self._host["drives"][:] = drives
        self._recorded[linear]()
        self._device.synchronize()
        return int(self._host["totals"].max())

    def linear(self) -> tuple[np.ndarray, np.ndarray]:
        """Copies: rgba float32 [frames,H,W,4] and depth float32 [frames,H,W] of the last linear run."""
        return self._host["rgba"].copy(), self._host["depth"].copy()

    def srgb8(self) -> np.ndarray:
        """A copy: uint8 [frames,H,W,4] of the last run that was not linear."""
        return self._host["srgb8"].copy()

    def close(self) -> None:
        """Give the memory back."""
        self._recorded.clear()
        self._device.forget()
        while self._addresses:
            self._device.free(self._addresses.popitem()[1])
        while self._host:
            self._device.unpin(self._host.popitem()[1])

    def _queue(self, linear: bool) -> None:
        device = self._device
        device.upload(self._addresses["drives"], self._host["drives"])
        for launch in launches(self.sizes, linear):
            device.launch(launch.kernel, launch.grid, launch.threads, self._work)
        for name in ("totals", "rgba", "depth") if linear else ("totals", "srgb8"):
            device.download(self._host[name], self._addresses[name])
