# SPDX-License-Identifier: GPL-3.0-or-later
"""One avatar's frames: rest, motion, projection, binning and drawing strung together on some threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from ..gaussians.posing import common_row
from ..gaussians.rest_rows import rest_rows
from ..rasterize.binning import TILE, find_tiles, place_pairs, reserve_pairs
from ..rasterize.projection import NOT_DRAWN, camera_vector
from ..rasterize.record import LEFT, RIGHT
from ..rasterize.scratch import Scratch
from ..rasterize.sorting import depth_sort
from ..rasterize.splat_rows import BLOCK
from ..rasterize.workers import Workers
from .drawing import draw
from .splatting import splat_face, splat_mouth

if TYPE_CHECKING:
    from ..avatar import Avatar
    from ..camera import Camera
    from ..motion.portable import PortableMotion
    from ..motion.state import MotionState


class FramePipeline:
    """Draws frames of one avatar. Calls may overlap: nothing of a frame is kept for the next one but memory."""

    def __init__(self, avatar: Avatar, motion: PortableMotion, alpha_max: float) -> None:
        """motion: made for the avatar's Gaussians. alpha_max: see rasterize.cpu.CpuRasterizer."""
        self.avatar, self.motion = avatar, motion
        self._alpha_max = np.float32(alpha_max)
        self._face_rest = rest_rows(avatar.face, motion.face.order)
        self._mouth_rest = rest_rows(avatar.mouth, motion.mouth.order)
        self._mouth_index = motion.mouth.order + np.int32(avatar.face.count)
        self._record = np.argsort(np.concatenate([motion.face.order, self._mouth_index])).astype(np.int32)
        """Of every Gaussian: where the blocks, and so the records, have it."""
        self._coefficients = [3 * gaussians.sh.shape[1] for gaussians in (avatar.face, avatar.mouth)]
        self._free: list[Scratch] = []
        self._lock = threading.Lock()

    def linear(self, state: MotionState, camera: Camera, workers: Workers) -> tuple[np.ndarray, np.ndarray]:
        """rgba float32 [H,W,4] premultiplied linear and depth float32 [H,W] metres, both 0 where there is nothing."""
        shape = (camera.height, camera.width)
        rgba, depth = np.empty((*shape, 4), np.float32), np.empty(shape, np.float32)
        self._draw(state, camera, workers, rgba, depth)
        return rgba, depth

    def srgb8(self, state: MotionState, camera: Camera, workers: Workers) -> np.ndarray:
        """uint8 [H,W,4], straight alpha, sRGB-encoded."""
        rgba = np.empty((camera.height, camera.width, 4), np.uint8)
        self._draw(state, camera, workers, rgba, None)
        return rgba

    def _draw(
        self, state: MotionState, camera: Camera, workers: Workers, rgba: np.ndarray, depth: np.ndarray | None
    ) -> None:
        with self._borrowed() as scratch:
            tiles_x = -(-camera.width // TILE)
            tiles = tiles_x * -(-camera.height // TILE)
            self.splat(state, camera, workers, scratch)
            self.draw(scratch, self.bin(scratch, workers, tiles_x, tiles), workers, rgba, depth)

    def splat(self, state: MotionState, camera: Camera, workers: Workers, scratch: Scratch) -> None:
        """Records and sort keys of all Gaussians, the mouth's after the face's."""
        face, mouth = self.motion.face, self.motion.mouth
        scratch.fit_splats(face.count + mouth.count)
        view = camera_vector(camera)
        if not np.isfinite(view).all():
            scratch.keys[:] = NOT_DRAWN
            scratch.irecord[:, LEFT] = scratch.irecord[:, RIGHT] = 0
            return
        first, bias = self.motion.drives(state)
        head = state.head
        common = common_row(head.matrix(), head.translation, self.avatar.pivot, camera.position, state.body)
        s = scratch
        seen = (common, view, camera.width, camera.height)
        out = (s.record, s.irecord, s.radii, s.keys)
        workers.run(
            splat_face, _counter(), -(-face.moving // BLOCK), face.constants, first, face.second, face.third,
            face.scale, self._face_rest, self._coefficients[0], face.order, *seen, 0, *out,
        )  # fmt: skip
        workers.run(
            splat_mouth, _counter(), mouth.constants, bias, mouth.second, mouth.third, mouth.scale, self._mouth_rest,
            self._coefficients[1], self._mouth_index, *seen, face.count, *out,
        )  # fmt: skip

    def bin(self, s: Scratch, workers: Workers, tiles_x: int, tiles: int) -> np.ndarray:
        """The lists of both layers: those of the face's tiles, then those of the mouth's."""
        split, count = self.motion.face.count, self.motion.face.count + self.motion.mouth.count
        drawn = depth_sort(s.keys[:split], s.order, s.keys_a, s.order_b, s.keys_b)
        behind = depth_sort(s.keys[split:count], s.order[drawn:], s.keys_a, s.order_b, s.keys_b)
        s.order[drawn : drawn + behind] += split
        s.order[: drawn + behind] = self._record[s.order[: drawn + behind]]
        slots = reserve_pairs(count, s.irecord, s.splat_start)
        s.fit_pairs(slots)
        histogram = np.empty((workers.threads, 2 * tiles), np.int32)
        tile_start = np.empty(2 * tiles + 1, np.int32)
        workers.run(
            find_tiles, count, split, tiles, s.record, s.irecord, tiles_x, s.splat_start, s.slot_tile, histogram
        )  # fmt: skip
        place_pairs(drawn + behind, s.order, s.splat_start, s.slot_tile, histogram, tile_start, s.pair_splat)
        return tile_start

    def draw(
        self, s: Scratch, tile_start: np.ndarray, workers: Workers, rgba: np.ndarray, depth: np.ndarray | None
    ) -> None:
        """The pixels: rgba float32 with depth, or uint8 without; see drawing.draw."""
        tiles = len(tile_start) // 2
        # The longest lists first, so that the workers finish together.
        lengths = np.diff(tile_start)
        order = np.argsort(-(lengths[:tiles] + lengths[tiles:]), kind="stable").astype(np.int32)
        tiles_x, pixel = -(-rgba.shape[1] // TILE), np.zeros(1, rgba.dtype)
        workers.run(
            draw, _counter(), order, tiles_x, tile_start, s.pair_splat, s.record, self._alpha_max, rgba, depth, pixel
        )

    @contextmanager
    def _borrowed(self) -> Iterator[Scratch]:
        with self._lock:
            scratch = self._free.pop() if self._free else Scratch()
        try:
            yield scratch
        finally:
            with self._lock:
                self._free.append(scratch)


def _counter() -> np.ndarray:
    """From which the workers of one kernel take what to do next."""
    return np.zeros(1, np.int64)
