# SPDX-License-Identifier: GPL-3.0-or-later
"""The second verb: a motion state and a camera in, a frame out.

A frame is a pure function of the two and of the avatar: no history, no clock, the same bits on any number of threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from . import rasterize
from .avatar import Avatar
from .camera import Camera
from .errors import RenderError
from .gaussians.posing import Poser
from .motion.state import MotionState
from .rasterize import Layer, Rasterizer, Splats
from .rasterize.workers import Workers, available_threads

__all__ = ["Frame", "Renderer", "available_threads", "avatar_camera"]

MAX_PIXELS = 8192 * 8192
ROWS = 32
"""Rows of pixels that are not worth a thread of their own."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture, row 0 at the top."""

    rgba: np.ndarray
    """float32 [H,W,4], premultiplied, linear (Rec. 709 primaries); alpha is exactly 0 where there is nothing."""
    depth: np.ndarray
    """float32 [H,W], metres along the camera's axis; 0 where there is nothing."""


def avatar_camera(avatar: Avatar) -> Camera:
    """The camera that the avatar was filmed with."""
    return avatar.camera


class Renderer:
    """Renders one avatar. Calls may come from several threads.

    With the CPU rasterizer the frames then run side by side, over the short road of frames.pipeline; other rasterizers
    take turns. Its motion model is :attr:`motion` (motion.portable.PortableMotion).
    """

    def __init__(self, avatar: Avatar, rasterizer: str | Rasterizer = "cpu", threads: int | None = None) -> None:
        """rasterizer: a name that rasterize.create knows, or a rasterizer. threads: None for all available.

        Raises AvatarError for weights that do not fit, RenderError for a rasterizer that cannot run here.
        """
        from .motion.portable import PortableMotion

        self.avatar = avatar
        self.threads = max(1, threads or available_threads())
        self.rasterizer = rasterize.create(rasterizer, self.threads) if isinstance(rasterizer, str) else rasterizer
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="hmtalker-frame")
        self.motion = PortableMotion(
            avatar.motion,
            avatar.motion_config,
            avatar.face.means,
            avatar.mouth.means,
            executor=self._pool,
            threads=self.threads,
        )
        self._face = Poser(avatar.face, self.threads, self._pool)
        self._mouth = Poser(avatar.mouth, self.threads, self._pool)
        self._alone, self._together = Workers(1), Workers(self.threads)
        self._pipeline = None
        if self.rasterizer.name == "cpu":
            from .frames.pipeline import FramePipeline
            from .rasterize.cpu import CpuRasterizer

            assert isinstance(self.rasterizer, CpuRasterizer)
            self._pipeline = FramePipeline(avatar, self.motion, float(self.rasterizer.alpha_max))

    def posed(self, state: MotionState, camera: Camera | None = None) -> tuple[Splats, Splats]:
        """Face and mouth Gaussians as `state` moves them, coloured as `camera` sees them; canonical space, metres."""
        view, pivot, body = (camera or self.avatar.camera).position, self.avatar.pivot, state.body
        face = self._face.pose(self.motion.face_offsets(state), state.head, pivot, view, body)
        mouth = self._mouth.pose(self.motion.mouth_offsets(state), state.head, pivot, view, body)
        return face, mouth

    def layers(self, state: MotionState, camera: Camera | None = None, depth: bool = True) -> tuple[Layer, Layer]:
        """Face and mouth drawn apart, premultiplied, sRGB-encoded: as the loss of training sees them."""
        camera = self._checked(camera)
        face, mouth = self.posed(state, camera)
        return self._layer(face, camera, depth), self._layer(mouth, camera, depth)

    def render(self, state: MotionState, camera: Camera | None = None, threads: int | None = None) -> Frame:
        """The frame that `camera` (default: the avatar's) sees. Raises RenderError.

        threads: 1 to leave the renderer's other threads alone, as for frames side by side; None for all of them.
        """
        camera = self._checked(camera)
        if self._pipeline is not None:
            return Frame(*self._pipeline.linear(state, camera, self._workers(threads)))
        from .composite import linear_rows

        with self._lock:
            face, mouth = self.layers(state, camera)
            height, width = face.alpha.shape
            rgba = np.empty((height, width, 4), np.float32)
            depth = np.empty((height, width), np.float32)
            inputs = (face.rgb, face.alpha, face.depth, mouth.rgb, mouth.alpha, mouth.depth)
            self._rows(height, lambda start, stop: linear_rows(start, stop, *inputs, rgba, depth))
        return Frame(rgba, depth)

    def render_srgb8(self, state: MotionState, camera: Camera | None = None, threads: int | None = None) -> np.ndarray:
        """The same frame for files: uint8 [H,W,4], straight alpha, sRGB-encoded. As :meth:`render` otherwise."""
        camera = self._checked(camera)
        if self._pipeline is not None:
            return self._pipeline.srgb8(state, camera, self._workers(threads))
        from .composite import srgb8_rows

        with self._lock:
            face, mouth = self.layers(state, camera, depth=False)
            height, width = face.alpha.shape
            rgba = np.empty((height, width, 4), np.uint8)
            inputs = (face.rgb, face.alpha, mouth.rgb, mouth.alpha)
            self._rows(height, lambda start, stop: srgb8_rows(start, stop, *inputs, rgba))
        return rgba

    def close(self) -> None:
        """Stop the threads; the renderer cannot be used afterwards."""
        self._pool.shutdown(wait=True)
        self._together.close()

    def _workers(self, threads: int | None) -> Workers:
        return self._alone if threads == 1 else self._together

    def _checked(self, camera: Camera | None) -> Camera:
        camera = camera or self.avatar.camera
        if camera.width < 1 or camera.height < 1 or camera.width * camera.height > MAX_PIXELS:
            raise RenderError(
                f"A frame of {camera.width} x {camera.height} pixels cannot be rendered; choose another size."
            )
        return camera

    def _layer(self, splats: Splats, camera: Camera, depth: bool) -> Layer:
        if splats.count == 0:
            shape = (camera.height, camera.width)
            return Layer(np.zeros((*shape, 3), np.float32), np.zeros(shape, np.float32), np.zeros(shape, np.float32))
        return self.rasterizer.render(splats, camera, depth=depth)

    def _rows(self, height: int, work: Callable[[int, int], None]) -> None:
        parts = min(self.threads, max(1, height // ROWS))
        edges = [height * part // parts for part in range(parts + 1)]
        rest = [self._pool.submit(work, edges[part], edges[part + 1]) for part in range(1, parts)]
        work(edges[0], edges[1])
        for future in rest:
            future.result()
