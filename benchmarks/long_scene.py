# SPDX-License-Identifier: GPL-3.0-or-later
"""Does work on one frame grow with the length of the scene? Scrubbing and rendering, 100 frames against 100,000.

    .venv/blender-5.2/bin/python benchmarks/long_scene.py --zip dist/hm_talker-0.1.0-linux_x64.zip

Two scenes with a small avatar, every Action Unit and the head keyed on every frame. In turn, so that other work on the
machine hits both alike: go to random frames and read the motion state, as the viewport does, and bake random frames
into files. Prints medians, their ratio, and the memory that the long scene's curves take, as one JSON object.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests/engine")]
PACKAGE = "bl_ext.user_default.hm_talker"
SHORT, LONG = 100, 100_000


def part(name: str) -> Any:
    return importlib.import_module(f"{PACKAGE}.{name}")


def megabytes() -> float:
    """What this process has in memory now (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def make_scene(bpy: Any, frames: int, file: Path, folder: Path) -> tuple[Any, Any]:
    """A scene of so many frames whose avatar moves in all of them; (scene, avatar)."""
    scene = bpy.data.scenes.new(f"{frames} frames")
    scene.render.fps, scene.frame_start, scene.frame_end = 25, 1, frames
    scene.hmtalker.output_folder = str(folder / str(frames))
    bpy.context.window.scene = scene
    bpy.ops.hmtalker.add_avatar(filepath=str(file))
    avatar = bpy.context.active_object
    rng = np.random.default_rng(1)
    rows = {"action_units": 17, "implicit": 32, "head": 6, "body": 3, "gaze": 2}
    values = {name: 0.1 * rng.random((frames, width), np.float32) for name, width in rows.items()}
    take = part("engine.take").Take(25.0, **values)
    part("hmtalker_blender.animation").write_imported(avatar, take, take.to_bytes(), "keys", scene, 1)
    return scene, avatar


def scrub(scene: Any, avatar: Any, frames: list[int]) -> list[float]:
    """Seconds for each frame."""
    motion_state, taken = part("hmtalker_blender.motion_state"), []
    for frame in frames:
        began = time.perf_counter()
        scene.frame_set(frame)
        motion_state.of_object(avatar.evaluated_get(scene.view_layers[0].depsgraph))
        taken.append(time.perf_counter() - began)
    return taken


def bake(bpy: Any, scene: Any, avatar: Any, frames: list[int]) -> float:
    """Seconds a frame."""
    prepared = part("hmtalker_blender.baking").prepare(bpy.context, scene, avatar, sorted(frames))
    began = time.perf_counter()
    prepared.job.run()
    assert prepared.job.error is None, prepared.job.error
    return (time.perf_counter() - began) / len(frames)


def measure(bpy: Any, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    from tiny_avatar import make_tiny_avatar

    file = folder / "tiny.hmt"
    part("engine.avatar").save_avatar(make_tiny_avatar(f"{PACKAGE}.engine", encoder="mel", dimension=80), file)
    scenes = {SHORT: make_scene(bpy, SHORT, file, folder)}
    before, began = megabytes(), time.perf_counter()
    scenes[LONG] = make_scene(bpy, LONG, file, folder)
    grown, written = megabytes() - before, time.perf_counter() - began
    chance = random.Random(options.seed)
    scrubbed: dict[int, list[float]] = {SHORT: [], LONG: []}
    baked: dict[int, list[float]] = {SHORT: [], LONG: []}
    for turn in range(options.rounds + 1):
        for frames, (scene, avatar) in scenes.items():
            bpy.context.window.scene = scene
            some = [chance.randint(1, frames) for _ in range(20)]
            seconds = scrub(scene, avatar, some), bake(bpy, scene, avatar, list(set(some[:8])))
            if turn:  # the first compiles and fills caches
                scrubbed[frames] += seconds[0]
                baked[frames].append(seconds[1])
    found: dict[str, Any] = {"long_scene_mb": round(grown), "long_scene_written_s": round(written, 1)}
    for name, taken in (("scrub", scrubbed), ("bake", baked)):
        medians = {frames: 1000 * statistics.median(values) for frames, values in taken.items()}
        found |= {f"{name}_ms_{frames}": round(value, 2) for frames, value in medians.items()}
        found[f"{name}_ratio"] = round(medians[LONG] / medians[SHORT], 2)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zip", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BLENDER_USER_RESOURCES"] = folder  # read by Blender when bpy is imported
        import bpy

        import build_addon

        build_addon.install(options.zip)
        print(json.dumps(measure(bpy, options, Path(folder))), flush=True)
    return 0


if __name__ == "__main__":
    status = main()
    os._exit(status)  # bpy 4.5 can hang while Python is torn down
