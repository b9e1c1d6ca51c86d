# SPDX-License-Identifier: GPL-3.0-or-later
"""Render a performance of the synthetic head, frame by frame, with label masks.

    python render_frames.py --assets DIR --frames FRAMES.npz --out DIR [--first 0 --last N --stride 1 --spp 4]

FRAMES.npz: ``arkit`` [F, 52] shape weights, ``arkit_names`` [52], ``head`` [F, 6] (pitch, yaw, roll in radians, then
x, y, z in metres, canonical), ``split`` [F] "train" or "test", ``clip_index`` [F]. Writes ``frames/%06d.png`` (sRGB,
straight alpha), ``masks/%06d.png`` (red: inside of the mouth, green: hair, blue: face above the neck), ``camera.json``
and ``windows.npz``: held-out speech and one frame in --whole-every are rendered whole, of the others only a window
around the face, or the head where it is turned (the rest stays empty), at half the cost. Frames that are already there
are skipped, so a run may be interrupted, and several may share the work with different --first and --stride.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

import bpy
import numpy as np
from exr import encode_srgb, read_exr, write_png
from face_window import FACE, HEAD, face_windows
from head import Head, build_head
from identity import BUNDLED
from materials import LABEL_PASS
from stage import Stage, set_stage

TURNED = 7.0
"""Degrees of yaw or pitch from which the hair is rendered too."""


def main() -> None:
    options = _parse()
    performance = np.load(options.frames)
    names = [str(name) for name in performance["arkit_names"]]
    arkit, poses = performance["arkit"], performance["head"]
    if arkit.shape != (len(poses), len(names)) or poses.shape[1] != 6:
        raise SystemExit(f"{options.frames}: arkit {arkit.shape}, head {poses.shape} and {len(names)} names disagree")
    for folder in ("frames", "masks"):
        (options.out / folder).mkdir(parents=True, exist_ok=True)
    head = build_head(options.assets, BUNDLED)
    if unknown := set(names) - set(head.shape_names):
        raise SystemExit(f"{options.frames}: the head has no shapes called {sorted(unknown)}")
    stage = set_stage(head, options.size, options.spp, options.threads)
    _write_camera(options.out / "camera.json", stage, head)

    view = (head.eye_centre, head.pivot, stage.intrinsics, stage.world_to_camera, options.size)
    # A turned head shows the sides of its hair, which the face's window would cut off.
    turned = (np.abs(poses[:, :2]) > np.radians(TURNED)).any(1) | (performance["split"] == "test")
    windows = np.where(turned[:, None], face_windows(poses, *view, HEAD), face_windows(poses, *view, FACE))
    done = np.array([_done(options.out, i) for i in range(len(arkit))])
    spoken = performance["clip_index"] >= 0
    whole = (np.arange(len(poses)) % options.whole_every == 0) | ((performance["split"] == "test") & spoken)
    if (options.out / "windows.npz").exists():  # what is there stays what it was rendered as
        with np.load(options.out / "windows.npz") as before:
            whole[done], windows[done] = before["whole"][done], before["window"][done]
    np.savez(options.out / "windows.npz", window=windows, whole=whole)

    last = len(arkit) - 1 if options.last is None else min(options.last, len(arkit) - 1)
    wanted = options.only or range(options.first, last + 1, options.stride)
    todo = [i for i in wanted if not done[i]]
    print(f"{len(todo)} frames to render", flush=True)
    start, start_cpu = time.monotonic(), time.process_time()
    for count, i in enumerate(todo, 1):
        bpy.context.scene.frame_set(i)  # the noise is seeded by the frame number
        head.pose(dict(zip(names, arkit[i].tolist(), strict=True)), poses[i])
        _render(options.out, i, options.size, None if whole[i] else windows[i])
        each = (time.monotonic() - start) / count
        cpu = (time.process_time() - start_cpu) / count
        left = each * (len(todo) - count)
        print(
            f"frame {i} ({count}/{len(todo)}) {each:.2f} s, {cpu:.2f} cpu s each, {left / 60:.1f} min left", flush=True
        )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--assets", type=Path, required=True, help="MakeHuman CC0 folder: base.obj, targets, assets")
    parser.add_argument("--frames", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--last", type=int, help="inclusive; the default is the last frame there is")
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--only", type=int, nargs="+", help="these frames instead")
    parser.add_argument("--spp", type=int, default=4, help="samples per pixel")
    parser.add_argument("--whole-every", type=int, default=12, help="render every so many frames whole")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args(sys.argv[1:])


def _paths(out: Path, i: int) -> tuple[Path, Path]:
    return out / "frames" / f"{i:06d}.png", out / "masks" / f"{i:06d}.png"


def _done(out: Path, i: int) -> bool:
    return all(path.exists() for path in _paths(out, i))


def _render(out: Path, i: int, size: int, window: np.ndarray | None) -> None:
    """Render frame i, whole or only within `window` (left, top, right, bottom in pixels)."""
    scene = bpy.context.scene
    scene.render.use_border = scene.render.use_crop_to_border = window is not None
    left, top, right, bottom = (0, 0, size, size) if window is None else (int(v) for v in window)
    if window is not None:
        scene.render.border_min_x, scene.render.border_max_x = left / size, right / size
        scene.render.border_min_y, scene.render.border_max_y = 1 - bottom / size, 1 - top / size
    exr = out / f"_render.{os.getpid()}.exr"
    scene.render.filepath = str(exr.resolve())
    bpy.ops.render.render(write_still=True)
    channels = read_exr(exr)
    exr.unlink()

    def channel(name: str) -> np.ndarray:
        return next(v for k, v in channels.items() if k.endswith(name)).astype(np.float32)

    alpha = np.clip(channel("Combined.A"), 0, 1)
    premultiplied = np.stack([channel(f"Combined.{c}") for c in "RGB"], 2)
    straight = premultiplied / np.maximum(alpha, 1e-4)[..., None]
    straight[alpha < 1e-3] = 0
    label = np.stack([channel(f"{LABEL_PASS}.{c}") for c in "RGB"], 2).clip(0, 1)
    frame = np.concatenate([encode_srgb(straight), alpha[..., None]], 2)
    for path, part in zip(_paths(out, i), (frame, label), strict=True):
        image = np.zeros((size, size, part.shape[2]), np.float32)
        image[top:bottom, left:right] = part
        partial = path.with_suffix(f".{os.getpid()}.part")
        write_png(partial, np.ascontiguousarray((image * 255 + 0.5).astype(np.uint8)))
        partial.replace(path)  # a frame is either whole or not there


def _write_camera(path: Path, stage: Stage, head: Head) -> None:
    camera = {
        "width": stage.size,
        "height": stage.size,
        "K": stage.intrinsics.tolist(),
        "world_to_camera": stage.world_to_camera.tolist(),
        "pivot": head.pivot.tolist(),
    }
    partial = path.with_suffix(f".{os.getpid()}.part")
    partial.write_text(json.dumps(camera, indent=1))
    partial.replace(path)


if __name__ == "__main__":
    main()
