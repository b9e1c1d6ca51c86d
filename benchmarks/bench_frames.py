# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames: each stage, rates by Gaussians and pixels, latency of one frame."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from bench_clock import clock
from bench_subjects import avatar_of, performance

from hmtalker.frames.frame_range import render_range
from hmtalker.frames.pipeline import FramePipeline
from hmtalker.gaussians.posing import Poser
from hmtalker.motion.portable import PortableMotion
from hmtalker.rasterize.binning import TILE
from hmtalker.rasterize.cpu import ALPHA_MAX, CpuRasterizer
from hmtalker.rasterize.scratch import Scratch
from hmtalker.rasterize.workers import Workers
from hmtalker.render import Renderer

COUNTS = (10_000, 20_000, 40_000, 80_000)
SIZES = (256, 512, 1024)
REPEATS = 5


def stages(count: int = 40_000, size: int = 512, rounds: int = 15) -> dict[str, dict[str, float]]:
    """Milliseconds of one frame's stages on one thread, and what they worked on."""
    avatar = avatar_of(count)
    camera, state = avatar.camera.scaled(size, size), performance(40)[17]
    motion = PortableMotion(avatar.motion, avatar.motion_config, avatar.face.means, avatar.mouth.means, threads=1)
    pipeline, alone, scratch = FramePipeline(avatar, motion, ALPHA_MAX), Workers(1), Scratch()
    poser = Poser(avatar.face)
    offsets = motion.face_offsets(state)
    tiles_x = -(-size // TILE)
    pipeline.splat(state, camera, alone, scratch)
    lists = pipeline.bin(scratch, alone, tiles_x, tiles_x * tiles_x)
    linear, depth = np.empty((size, size, 4), np.float32), np.empty((size, size), np.float32)
    encoded = np.empty((size, size, 4), np.uint8)
    posed = poser.pose(offsets, state.head, avatar.pivot, camera.position)
    work: dict[str, Callable[[], Any]] = {
        "motion network, face, alone": lambda: motion.face_offsets(state),
        "posing, face, alone": lambda: poser.pose(offsets, state.head, avatar.pivot, camera.position),
        "motion, posing and projection, fused": lambda: pipeline.splat(state, camera, alone, scratch),
        "sorting and binning": lambda: pipeline.bin(scratch, alone, tiles_x, tiles_x * tiles_x),
        "blending and compositing, linear with depth": lambda: pipeline.draw(scratch, lists, alone, linear, depth),
        "blending and compositing, 8 bits": lambda: pipeline.draw(scratch, lists, alone, encoded, None),
        "whole frame, linear with depth": lambda: pipeline.linear(state, camera, alone),
        "whole frame, 8 bits": lambda: pipeline.srgb8(state, camera, alone),
    }
    table = {name: clock(function, rounds) for name, function in work.items()}
    rasterizer = CpuRasterizer(1)
    gradient = np.ones((size, size, 3), np.float32)
    table["training: face forward and backward"] = clock(
        lambda: rasterizer.backward(rasterizer.forward(posed, camera), gradient), max(3, rounds // 3)
    )
    return table


def frames_per_second(report: Callable[[str], None]) -> dict[str, dict[str, dict[str, float]]]:
    """Gaussians -> size -> rates of a range on all cores: motion state in, premultiplied linear RGBA and depth out."""
    table: dict[str, dict[str, dict[str, float]]] = {}
    for count in COUNTS:
        renderer = Renderer(avatar_of(count))
        for size in SIZES:
            camera = renderer.avatar.camera.scaled(size, size)
            states = performance(16 if size == 1024 else 32)
            sum(1 for _ in render_range(renderer, states[:4], camera))
            rates, costs = [], []
            for _ in range(REPEATS):
                begun, used = time.perf_counter(), time.process_time()
                for _frame in render_range(renderer, states, camera):
                    pass
                rates.append(len(states) / (time.perf_counter() - begun))
                costs.append(1e3 * (time.process_time() - used) / len(states))
            cost = statistics.median(costs)
            table.setdefault(str(count), {})[str(size)] = {
                "fps": statistics.median(rates),
                "fps_slowest": min(rates),
                "fps_fastest": max(rates),
                "cpu_ms": cost,
                "fps_of_the_cores": 1e3 * renderer.threads / cost,
            }
            report(f"{count} Gaussians, {size} x {size}: {statistics.median(rates):.0f} frames a second")
        renderer.close()
    return table


def slider_latency(count: int = 40_000, size: int = 512) -> dict[str, float]:
    """Milliseconds from a changed Action Unit to the frame, all cores on one frame."""
    renderer = Renderer(avatar_of(count))
    camera, states = renderer.avatar.camera.scaled(size, size), itertools.cycle(performance(50))
    latency = clock(lambda: renderer.render(next(states), camera), 50, warm=3)
    renderer.close()
    return latency
