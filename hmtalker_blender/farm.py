# SPDX-License-Identifier: GPL-3.0-or-later
"""What a render farm needs of a .blend: frames baked in pieces, its sound, and nothing that only one machine has."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import bpy

from ..engine.errors import AvatarError, RenderError
from . import avatar_object, baking, image_strips, versions

LARGEST_FRAME = 1_048_574
"""Blender's own limit."""
RANGE = re.compile(r"(-?\d+)(?:(?:-|\.\.)(-?\d+))?")


def parse_frames(text: str) -> list[int]:
    """Read frames as farms write them: "7", "1-250", "1..250", "3,7-9". Raises RenderError."""
    frames: set[int] = set()
    for part in text.split(","):
        match = RANGE.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not -LARGEST_FRAME <= first <= last <= LARGEST_FRAME:
            raise RenderError(f"'{text}' are no frames; write them as 1-250 or 3,7-9.")
        frames.update(range(first, last + 1))
    return sorted(frames)


def bake(
    context: bpy.types.Context, scene: bpy.types.Scene, frames: list[int], say: Callable[[str], None]
) -> tuple[int, int]:
    """Bake those of `frames` that the scene's strips of baked frames show; frames that are up to date are kept.

    The strips stay as they are. Returns how many frames were rendered, of how many. Raises HMTalkerError.
    """
    rendered = total = 0
    for speaker, numbers in shown_frames(scene):
        wanted = sorted(numbers.intersection(frames))
        if not wanted:
            continue
        prepared = baking.prepare(context, scene, speaker, wanted)
        if prepared.temporary:
            raise RenderError("The .blend was never saved, so there is no place for its frames; save it first.")
        prepared.job.run()
        if prepared.job.error is not None:
            raise prepared.job.error
        result = prepared.job.result
        rendered, total = rendered + result.rendered, total + len(result.names)
        say(f"{speaker.name}: {result.rendered} of {len(result.names)} frames rendered into {result.folder}")
    return rendered, total


def shown_frames(scene: bpy.types.Scene) -> list[tuple[bpy.types.Object, set[int]]]:
    """Return the avatars whose baked frames the scene shows, with the numbers of these frames. Raises AvatarError."""
    shown: dict[str, set[int]] = {}
    for strip, name in image_strips.baked(scene):
        shown.setdefault(name, set()).update(int(Path(element.filename).stem) for element in strip.elements)
    missing = [name for name in shown if name not in bpy.data.objects]
    if missing:
        raise AvatarError(
            f'The avatar "{missing[0]}", whose frames the Sequencer shows, is gone or was renamed; render them again.'
        )
    return [(bpy.data.objects[name], numbers) for name, numbers in shown.items()]


def write_sound(scene: bpy.types.Scene, frames: list[int], path: Path) -> None:
    """Write what the scene plays from the first to the last of `frames` as FLAC. Raises RenderError."""
    before = scene.frame_start, scene.frame_end
    scene.frame_start, scene.frame_end = min(frames), max(frames)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with bpy.context.temp_override(**versions.scene_override(scene)):
            bpy.ops.sound.mixdown(filepath=str(path), container="FLAC", codec="FLAC", format="S16")
    except (OSError, RuntimeError) as error:
        raise RenderError(f"The sound cannot be written to {path} ({error}); choose another place.") from None
    finally:
        scene.frame_start, scene.frame_end = min(before[0], scene.frame_end), before[1]
        scene.frame_start = before[0]


def problems(context: bpy.types.Context) -> list[str]:
    """Say, a sentence each, what another machine would not find."""
    if not bpy.data.is_saved:
        return ["The .blend was never saved; save it where the farm can read it."]
    found = ["The .blend has changes that are not saved."] if bpy.data.is_dirty else []
    home = Path(bpy.data.filepath).parent
    for scene in bpy.data.scenes:
        for avatar in avatar_object.avatars_of(scene):
            if avatar.hmtalker.avatar_path:
                found += _file_problems(f'The avatar file of "{avatar.name}"', avatar.hmtalker.avatar_path,
                                        avatar_object.file_of(avatar), home)  # fmt: skip
        if scene.sequence_editor is None:
            continue
        for strip in scene.sequence_editor.strips_all:
            if strip.type == "SOUND" and strip.sound is not None and strip.sound.packed_file is None:
                path = strip.sound.filepath
                found += _file_problems(f'The sound of "{strip.name}"', path, Path(bpy.path.abspath(path)), home)
        for strip, name in image_strips.baked(scene):
            folder = Path(bpy.path.abspath(strip.directory))
            gone = sum(not (folder / element.filename).is_file() for element in strip.elements)
            if gone:
                found.append(f'{gone} baked frames of "{name}" are missing in {folder}; the farm has to bake them.')
            found += _place_problems(f'The baked frames of "{name}"', strip.directory, folder, home)
    return list(dict.fromkeys(found))


def _file_problems(what: str, written: str, path: Path, home: Path) -> list[str]:
    if not path.is_file():
        return [f"{what} is missing: {path}."]
    return _place_problems(what, written, path, home)


def _place_problems(what: str, written: str, path: Path, home: Path) -> list[str]:
    if not written.startswith("//"):
        return [f"{what} has an absolute path, which other machines may not have: {written}."]
    if not path.resolve().is_relative_to(home.resolve()):
        return [f"{what} lies outside the .blend's folder: {written}."]
    return []
