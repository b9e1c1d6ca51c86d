# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames of an avatar as PNG or EXR files: only those whose inputs changed are rendered, none is half written."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
import numpy as np

from .. import engine
from ..engine.errors import CancelledError, RenderError
from . import avatars_shown, camera_view

if TYPE_CHECKING:
    from ..engine.motion.state import MotionState
    from ..engine.render import Renderer
    from ..engine.visible_mark import VisibleMark
    from .avatar_object import LoadedAvatar
    from .camera_view import Projection, View
    from .jobs import Job

INPUTS_KEY = "hmtalker:inputs"
"""Text in the file that holds the hash of everything that the frame depends on."""


@dataclass(frozen=True, eq=False)
class Moment:
    """What one frame shows."""

    state: MotionState
    projection: Projection | None = None
    """Of the scene camera; None for the camera that the avatar was filmed with."""
    world_from_object: np.ndarray | None = None
    """float64 [4,4]; where the avatar stands, for a scene camera."""


@dataclass(frozen=True)
class Look:
    """What is the same for all frames of a strip."""

    file_format: str = "PNG"
    """PNG or EXR."""
    background: tuple[float, float, float] | None = None
    """Linear colour behind the avatar; None for transparent frames."""
    resolution_percentage: int = 100
    """Of the avatar's own camera; a scene camera's projection has its size already."""
    mark: VisibleMark | None = field(default=None, repr=False)


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


def file_name(frame: int, file_format: str = "PNG") -> str:
    """Return the name of a frame's file."""
    return f"{frame:04d}.{file_format.lower()}"


def render(
    job: Job, loaded: LoadedAvatar, moments: dict[int, Moment], folder: Path, look: Look, threads: int
) -> BakedFrames:
    """Render every frame whose file is missing or was made from other inputs. Runs on a worker thread.

    moments: by frame number. Raises CancelledError, keeping whole frames only, or RenderError.
    """
    from ..engine import exr_file, png_file

    read_text = exr_file.read_text if look.file_format == "EXR" else png_file.read_text
    names = {frame: file_name(frame, look.file_format) for frame in moments}
    views = {frame: _view(loaded, moment, look) for frame, moment in moments.items()}
    hashes = {frame: _inputs_hash(loaded, moments[frame].state, views[frame], look) for frame in moments}
    due = [frame for frame in moments if read_text(folder / names[frame]).get(INPUTS_KEY) != hashes[frame]]

    def bake(renderer: Renderer, frame: int) -> None:
        _write(folder / names[frame], renderer, moments[frame].state, views[frame], look, hashes[frame], loaded)

    done = _bake_due(job, loaded, due, bake, threads)
    if job.cancelled():
        finished = len(moments) - len(due) + done
        raise CancelledError(f"Cancelled; {finished} of {len(moments)} frames are finished and kept.")
    return BakedFrames(folder, list(names.values()), done)


def _bake_due(
    job: Job, loaded: LoadedAvatar, due: list[int], bake: Callable[[Renderer, int], None], threads: int
) -> int:
    """Render frames side by side, each on one thread, which wastes less than sharing one frame among threads."""
    from ..engine.render import Renderer

    if not due:
        return 0
    job.progress(0.0, "Preparing (the first time takes a little longer)")
    workers = max(1, min(threads, len(due)))
    renderer = Renderer(loaded.avatar, threads=max(1, threads // workers))
    count, counting, failed = 0, threading.Lock(), threading.Event()

    def bake_one(frame: int) -> None:
        nonlocal count
        if job.cancelled() or failed.is_set():
            return
        try:
            bake(renderer, frame)
        except BaseException:
            failed.set()
            raise
        with counting:
            count += 1
            job.progress(count / len(due), f"Frame {count} of {len(due)}")

    try:
        with ThreadPoolExecutor(workers, thread_name_prefix="HM-Talker frame") as pool:
            for future in [pool.submit(bake_one, frame) for frame in due]:
                future.result()
    finally:
        renderer.close()
    return count


def _view(loaded: LoadedAvatar, moment: Moment, look: Look) -> View:
    if moment.projection is not None and moment.world_from_object is not None:
        return camera_view.looking_at(moment.projection, moment.world_from_object, loaded.avatar)
    view, percentage = camera_view.of_avatar(loaded.avatar), look.resolution_percentage
    if percentage == 100:
        return view
    sides = (max(1, round(side * percentage / 100)) for side in (view.camera.width, view.camera.height))
    return view._replace(camera=view.camera.scaled(*sides))


def _inputs_hash(loaded: LoadedAvatar, state: MotionState, view: View, look: Look) -> str:
    camera = view.camera
    digest = hashlib.sha256(f"{loaded.sha256} {camera.width} {camera.height} {look}".encode())
    digest.update(camera.K.tobytes() + camera.world_to_camera.tobytes())
    digest.update(avatars_shown.state_hash(state))
    if look.mark is not None:
        digest.update(str(look.mark).encode())
    return digest.hexdigest()


def _write(
    path: Path, renderer: Renderer, state: MotionState, view: View, look: Look, inputs: str, loaded: LoadedAvatar
) -> None:
    """Render one frame to a file, which appears whole or not at all."""
    from ..engine import exr_file, png_file
    from ..engine.visible_mark import lay_over

    header = loaded.avatar.header
    text = png_file.synthetic_media_text(
        creator=str(header.get("attribution", "")),
        software=f"HM-Talker {engine.__version__}",
        description=f"Talking head of {loaded.avatar.name}",
    ) | {INPUTS_KEY: inputs}
    try:
        if look.file_format == "PNG" and look.background is None and look.mark is None:
            png_file.write_png(path, renderer.render_srgb8(state, view.camera), text)
            return
        frame = renderer.render(state, view.camera)
        depth = np.where(frame.rgba[..., 3] > 0.0, frame.depth - np.float32(view.behind), np.float32(1e10))
        if look.mark is not None and frame.rgba[..., 3].any():
            lay_over(frame.rgba, look.mark)
        rgba = _over(frame.rgba, look.background)
        if look.file_format == "EXR":
            exr_file.write_exr(path, rgba, depth, text)
        else:
            png_file.write_png(path, _srgb8(rgba), text)
    except OSError as error:
        raise RenderError(
            f"The frame {path} cannot be written ({error.strerror or error}); finished frames are kept."
        ) from None


def _over(rgba: np.ndarray, background: tuple[float, float, float] | None) -> np.ndarray:
    """Lay premultiplied linear rgba [H,W,4] over a colour."""
    if background is None:
        return rgba
    through = 1.0 - rgba[..., 3:]
    return np.concatenate([rgba[..., :3] + through * np.float32(background), np.ones_like(through)], axis=2)


def _srgb8(rgba: np.ndarray) -> np.ndarray:
    """Encode premultiplied linear rgba [H,W,4] as uint8 with straight alpha."""
    from ..engine.colour import linear_to_srgb, straight

    alpha = rgba[..., 3]
    encoded = linear_to_srgb(straight(rgba[..., :3], alpha))
    return (np.concatenate([encoded, np.clip(alpha, 0.0, 1.0)[..., None]], axis=2) * 255.0 + 0.5).astype(np.uint8)
