# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames of an avatar as PNG files with alpha: only those whose inputs changed are rendered, none is half written."""

from __future__ import annotations

import hashlib
import queue
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
import numpy as np

from .. import engine
from ..engine.errors import CancelledError, RenderError

if TYPE_CHECKING:
    from ..engine.camera import Camera
    from ..engine.motion.state import MotionState
    from .avatar_object import LoadedAvatar
    from .jobs import Job

INPUTS_KEY = "hmtalker:inputs"
"""PNG text that holds the hash of everything that the frame depends on."""


@dataclass(frozen=True)
class BakedFrames:
    """What a render job leaves."""

    folder: Path
    names: list[str]
    rendered: int
    """How many were rendered now; the others were up to date."""


def folder_for(scene: bpy.types.Scene, avatar_name: str) -> tuple[Path, bool]:
    """Return the folder for an avatar's frames, made and writable, and whether it is a temporary one.

    A folder relative to a .blend that was never saved becomes a temporary one. Raises RenderError.
    """
    chosen = scene.hmtalker.output_folder or "//hmtalker/"
    temporary = chosen.startswith("//") and not bpy.data.is_saved
    root = Path(bpy.app.tempdir) / "hmtalker" if temporary else Path(bpy.path.abspath(chosen))
    folder = root / (re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", avatar_name).strip(" .") or "avatar")
    probe = folder / ".writable"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise RenderError(
            f"Frames cannot be written to {folder} ({error.strerror or error}); choose another Frames Folder."
        ) from None
    return folder, temporary


def file_name(frame: int) -> str:
    """Return the name of a frame's file."""
    return f"{frame:04d}.png"


def render(
    job: Job,
    loaded: LoadedAvatar,
    states: dict[int, MotionState],
    folder: Path,
    resolution_percentage: int,
    threads: int,
) -> BakedFrames:
    """Render every frame whose file is missing or was made from other inputs. Runs on a worker thread.

    states: frame number -> motion state. Raises CancelledError, keeping whole frames only, or RenderError.
    """
    from ..engine.png_file import read_text

    camera = _camera(loaded, resolution_percentage)
    hashes = {frame: _inputs_hash(loaded, state, camera) for frame, state in states.items()}
    due = [frame for frame in states if read_text(folder / file_name(frame)).get(INPUTS_KEY) != hashes[frame]]
    done = _render_due(job, loaded, states, hashes, due, folder, camera, threads)
    if job.cancelled():
        finished = len(states) - len(due) + done
        raise CancelledError(f"Cancelled; {finished} of {len(states)} frames are finished and kept.")
    return BakedFrames(folder, [file_name(frame) for frame in states], done)


def _render_due(
    job: Job,
    loaded: LoadedAvatar,
    states: dict[int, MotionState],
    hashes: dict[int, str],
    due: list[int],
    folder: Path,
    camera: Camera,
    threads: int,
) -> int:
    """Render frames side by side, each on one thread, which wastes less than sharing one frame among threads."""
    from ..engine.render import Renderer

    if not due:
        return 0
    job.progress(0.0, "Preparing (the first time takes a little longer)")
    workers = max(1, min(threads, len(due)))
    # A frame's buffers belong to its renderer, so there is one for every worker
    idle: queue.SimpleQueue[Renderer] = queue.SimpleQueue()
    renderers = [Renderer(loaded.avatar, threads=max(1, threads // workers)) for _ in range(workers)]
    for renderer in renderers:
        idle.put(renderer)
    count, counting, failed = 0, threading.Lock(), threading.Event()

    def bake(frame: int) -> None:
        nonlocal count
        if job.cancelled() or failed.is_set():
            return
        renderer = idle.get()
        try:
            _write(folder / file_name(frame), renderer.render_srgb8(states[frame], camera), hashes[frame], loaded)
        except BaseException:
            failed.set()
            raise
        finally:
            idle.put(renderer)
        with counting:
            count += 1
            job.progress(count / len(due), f"Frame {count} of {len(due)}")

    try:
        with ThreadPoolExecutor(workers, thread_name_prefix="HM-Talker frame") as pool:
            for future in [pool.submit(bake, frame) for frame in due]:
                future.result()
    finally:
        for renderer in renderers:
            renderer.close()
    return count


def _camera(loaded: LoadedAvatar, resolution_percentage: int) -> Camera:
    camera = loaded.avatar.camera
    if resolution_percentage == 100:
        return camera
    return camera.scaled(*(max(1, round(side * resolution_percentage / 100)) for side in (camera.width, camera.height)))


def _inputs_hash(loaded: LoadedAvatar, state: MotionState, camera: Camera) -> str:
    digest = hashlib.sha256(f"{engine.__version__} {loaded.sha256} {camera.width} {camera.height}".encode())
    implicit = state.implicit if state.implicit is not None and state.audio_influence > 0.0 else np.zeros(0)
    for values in (state.action_units, implicit, [state.audio_influence], state.head.rotation, state.head.translation):
        digest.update(np.asarray(values, np.float32).tobytes())
    return digest.hexdigest()


def _write(path: Path, pixels: np.ndarray, inputs: str, loaded: LoadedAvatar) -> None:
    """pixels: uint8 [height, width, 4], straight alpha, sRGB. The file appears whole or not at all."""
    from ..engine import png_file

    header = loaded.avatar.header
    text = png_file.synthetic_media_text(
        creator=str(header.get("attribution", "")),
        software=f"HM-Talker {engine.__version__}",
        description=f"Talking head of {loaded.avatar.name}",
    )
    try:
        png_file.write_png(path, pixels, text | {INPUTS_KEY: inputs})
    except OSError as error:
        raise RenderError(
            f"The frame {path} cannot be written ({error.strerror or error}); finished frames are kept."
        ) from None
