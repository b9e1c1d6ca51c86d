# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job on real speech, end to end, in Blender as an artist has it: the zip installed, nothing else.

    python benchmarks/demo.py --zip dist/hm_talker-0.1.0-linux_x64.zip [--audio file.mp3] [--out out/demo]

Run by a Python that has ``bpy``. Adds the bundled avatar, puts speech on the Sequencer as a sound strip, runs *Animate
from Strip* and *Render to Sequencer*, composites over a background strip, and leaves in the output folder:

* ``talking_head.mp4`` (512×512, 25 fps, H.264 and AAC),
* ``action_units.csv`` (frame, then the 17 Action Units, 0 to 5),
* ``talking_head.blend`` (strips, F-curves and avatar in place; frames beside it, sound packed),
* ``contact_sheet.png`` (16 frames with their AU25).

The last line on standard output is one JSON object. A failure is one sentence on standard error and exit status 1.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import itertools
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import bpy

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]
SIZE, FPS, SHEET_FRAMES = 512, 25, 16
FILES = "talking_head_files"
# Of the bundled recording: a stretch with speech, pauses and closed lips.
SAMPLE_START, SAMPLE_SECONDS = 0.0, 12.0
GRADIENT = ((0.16, 0.22, 0.31), (0.60, 0.66, 0.70))


class DemoError(Exception):
    """What is wrong, in one sentence."""


def install(archive: Path) -> Any:
    """Install the zip into the Blender of this process; returns the extension's module."""
    import build_addon

    try:
        return sys.modules[build_addon.install(archive)]
    except (build_addon.BuildError, RuntimeError) as error:
        raise DemoError(sentence(error)) from error


def sentence(error: BaseException) -> str:
    """The message of an operator's report, without Blender's prefix."""
    return str(error).strip().removeprefix("Error: ").splitlines()[0]


def new_scene(out: Path) -> bpy.types.Scene:
    """An empty file at ``out/talking_head.blend``, so that what follows is relative to it, and its scene."""
    import bpy
    import contact_sheet

    bpy.context.preferences.filepaths.save_version = 0  # no talking_head.blend1
    bpy.ops.wm.read_homefile(use_empty=True)
    scene = bpy.context.scene
    scene.render.resolution_x = scene.render.resolution_y = SIZE
    scene.render.resolution_percentage = 100
    scene.render.fps, scene.render.fps_base = FPS, 1.0
    contact_sheet.plain_colours(scene)
    scene.hmtalker.output_folder = f"//{FILES}/"
    bpy.ops.wm.save_as_mainfile(filepath=str(out / "talking_head.blend"))
    return scene


def add_sound(scene: bpy.types.Scene, audio: Path | None, seconds: float | None) -> bpy.types.SoundStrip:
    """Speech as a sound strip from frame 1: ``audio``, whole, or a stretch of the bundled sample."""
    import bpy

    if audio is None:
        bpy.ops.hmtalker.add_sample_speech()
        strip = next(s for s in scene.sequence_editor.strips if s.type == "SOUND")
        trim(strip, SAMPLE_START, seconds or SAMPLE_SECONDS)
        return strip
    strips = (scene.sequence_editor or scene.sequence_editor_create()).strips
    try:
        strip = strips.new_sound(name=audio.stem, filepath=str(audio.resolve()), channel=1, frame_start=1)
    except RuntimeError as error:
        raise DemoError(f"Blender cannot read {audio.name} as sound: {sentence(error)}.") from error
    if seconds:
        trim(strip, 0.0, seconds)
    scene.sequence_editor.active_strip = strip
    return strip


def trim(strip: bpy.types.SoundStrip, start: float, seconds: float) -> None:
    """Play ``seconds`` from ``start`` of the sound, at frame 1."""
    skipped, frames = round(start * FPS), round(seconds * FPS)
    new = hasattr(strip, "left_handle")
    first, end = ("left_handle", "right_handle") if new else ("frame_final_start", "frame_final_end")
    setattr(strip, "content_start" if new and hasattr(strip, "content_start") else "frame_start", 1 - skipped)
    setattr(strip, first, 1)
    setattr(strip, end, min(int(getattr(strip, end)), 1 + frames))


def strip_frames(strip: bpy.types.Strip) -> int:
    """Length of a strip on the timeline, in frames."""
    return int(strip.duration if hasattr(strip, "left_handle") else strip.frame_final_duration)


def add_background(scene: bpy.types.Scene, out: Path, frames: int) -> None:
    """A soft gradient as an image strip below everything."""
    import bpy
    import numpy as np

    rows, columns = np.mgrid[0:SIZE, 0:SIZE] / (SIZE - 1)  # row 0 is at the bottom, as Blender has it
    light = np.clip(1.1 - 1.25 * np.hypot(columns - 0.5, rows - 0.62), 0, 1)[..., None] ** 1.5
    colour = (1 - light) * np.array(GRADIENT[0]) + light * np.array(GRADIENT[1])
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (SIZE, SIZE, 1)) / 255  # against banding
    pixels = np.concatenate([colour + noise, np.ones((SIZE, SIZE, 1))], 2).astype(np.float32)
    image = bpy.data.images.new("background", SIZE, SIZE)
    image.pixels.foreach_set(pixels.ravel())
    path = out / FILES / "background.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()
    bpy.data.images.remove(image)
    strips = scene.sequence_editor.strips
    for strip in strips:
        strip.channel += 1
    strip = strips.new_image(name="Background", filepath=str(path), channel=1, frame_start=1)
    strip.directory = f"//{FILES}/"
    setattr(strip, "right_handle" if hasattr(strip, "right_handle") else "frame_final_end", 1 + frames)


def write_movie(scene: bpy.types.Scene, path: Path) -> None:
    """The Sequencer as H.264 and AAC."""
    import bpy

    settings, ffmpeg = scene.render.image_settings, scene.render.ffmpeg
    if hasattr(settings, "media_type"):
        settings.media_type = "VIDEO"
    settings.file_format, settings.color_mode = "FFMPEG", "RGB"
    ffmpeg.format, ffmpeg.codec, ffmpeg.constant_rate_factor, ffmpeg.gopsize = "MPEG4", "H264", "PERC_LOSSLESS", FPS
    ffmpeg.audio_codec, ffmpeg.audio_bitrate, ffmpeg.audio_channels = "AAC", 192, "STEREO"
    scene.render.use_sequencer, scene.render.use_file_extension = True, False
    scene.render.filepath = str(path)
    bpy.ops.render.render(animation=True, scene=scene.name)
    if not path.is_file() or path.stat().st_size == 0:
        raise DemoError(f"Blender wrote no movie at {path}; is the folder writable?")


def action_units(scene: bpy.types.Scene, avatar: bpy.types.Object, codes: tuple[str, ...]) -> list[list[float]]:
    """The face's Action Units at every frame of the scene, as drivers, F-curves and layers leave them."""
    import bpy

    rows = []
    for frame in range(scene.frame_start, scene.frame_end + 1):
        scene.frame_set(frame)
        face = avatar.evaluated_get(bpy.context.evaluated_depsgraph_get()).hmtalker
        rows.append([float(getattr(face, code)) for code in codes])
    return rows


def write_csv(path: Path, codes: tuple[str, ...], rows: list[list[float]]) -> None:
    """``frame,AU01,…,AU45``, one line a frame, from frame 1."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["frame", *codes])
        writer.writerows([frame, *(f"{value:.4f}" for value in row)] for frame, row in enumerate(rows, 1))


def sheet_frames(parting: list[float], count: int) -> list[int]:
    """``count`` frames over the whole performance, by turns the widest and the most closed mouth of their stretch."""
    edges = [round(i * len(parting) / count) for i in range(count + 1)]
    chosen = []
    for index, (first, end) in enumerate(itertools.pairwise(edges)):
        stretch = range(first, max(end, first + 1))
        pick = min if index % 2 else max
        chosen.append(1 + min(pick(stretch, key=lambda i: parting[min(i, len(parting) - 1)]), len(parting) - 1))
    return chosen


def write_sheet(scene: bpy.types.Scene, path: Path, title: str, parting: list[float]) -> None:
    """16 composited frames with their moment and AU25."""
    import contact_sheet

    with tempfile.TemporaryDirectory() as folder:
        pictures = []
        for index, frame in enumerate(sheet_frames(parting, SHEET_FRAMES)):
            scene.frame_set(frame)
            picture = Path(folder) / f"{index:02d}.png"
            contact_sheet.render_still(scene, picture)
            pictures.append((picture, f"AU25  {parting[frame - 1]:.2f}      {(frame - 1) / FPS:.2f} s"))
        contact_sheet.write(path, title, pictures)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """The whole job; returns what the JSON line says. The job's total begins when the extension is installed."""
    if options.audio and not options.audio.is_file():
        raise DemoError(f"There is no audio file at {options.audio}.")
    out = options.out.resolve()
    try:
        out.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(out / FILES, ignore_errors=True)
    except OSError as error:
        raise DemoError(f"Cannot write into {out}: {error.strerror}.") from error
    import bpy

    marks = [time.monotonic()]
    extension = install(options.zip)
    marks.append(time.monotonic())
    engine = importlib.import_module(f"{extension.__name__}.engine.action_units")
    scene = new_scene(out)
    bpy.ops.hmtalker.add_avatar(**({"filepath": str(options.avatar.resolve())} if options.avatar else {}))
    avatar = bpy.context.view_layer.objects.active
    strip = add_sound(scene, options.audio, options.seconds)
    frames = strip_frames(strip)
    scene.frame_start, scene.frame_end = 1, frames
    add_background(scene, out, frames)

    marks.append(time.monotonic())
    bpy.ops.hmtalker.animate_from_strip(strip=strip.name, avatar=avatar.name)
    marks.append(time.monotonic())
    bpy.ops.hmtalker.render_to_sequencer(strip=strip.name, avatar=avatar.name)
    marks.append(time.monotonic())

    rows = action_units(scene, avatar, engine.CODES)
    write_csv(out / "action_units.csv", engine.CODES, rows)
    write_movie(scene, out / "talking_head.mp4")
    scene.render.filepath = "//talking_head.mp4"
    scene.frame_set(1)
    if strip.sound.packed_file is None:
        strip.sound.pack()
    strip.sound.filepath = f"//{FILES}/{Path(strip.sound.filepath).name}"  # where it goes when it is unpacked
    bpy.ops.wm.save_as_mainfile(filepath=str(out / "talking_head.blend"))
    title = f"HM-Talker    {options.audio.name if options.audio else 'speech sample'}    lips part (AU25)"
    write_sheet(scene, out / "contact_sheet.png", title, [row[engine.CODES.index("AU25")] for row in rows])

    columns = dict(zip(engine.CODES, zip(*rows, strict=True), strict=True))
    return {
        "frames": frames,
        "audio_seconds": round(frames / FPS, 3),
        "seconds": {
            "install": round(marks[1] - marks[0], 2),
            "animate": round(marks[3] - marks[2], 2),
            "render": round(marks[4] - marks[3], 2),
            "total": round(time.monotonic() - marks[1], 2),
        },
        "rasterizer": "cpu",
        "action_units": {code: {"min": round(min(v), 4), "max": round(max(v), 4)} for code, v in columns.items()},
        "blender": bpy.app.version_string,
        "out": str(out),
    }


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--zip", type=Path, required=True, help="the built extension")
    parser.add_argument("--audio", type=Path, help="wav, mp3, flac, ogg or m4a (default: the speech sample in the zip)")
    parser.add_argument("--out", type=Path, default=ROOT / "out/demo")
    parser.add_argument("--avatar", type=Path, help="an .hmt file (default: the avatar in the zip)")
    parser.add_argument("--seconds", type=float, help="at most this much of the audio")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hm-talker-user-") as user:
        os.environ["BLENDER_USER_RESOURCES"] = user  # read when bpy is imported: the artist's own Blender is left alone
        try:
            result = run(options)
        except (DemoError, RuntimeError, OSError) as error:
            print(f"demo: {sentence(error)}", file=sys.stderr, flush=True)
            return 1
    print(json.dumps(result), flush=True)
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # bpy 4.5 can hang while the interpreter is torn down
