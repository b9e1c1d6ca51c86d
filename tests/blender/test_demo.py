# SPDX-License-Identifier: GPL-3.0-or-later
"""``benchmarks/demo.py`` from the zip to the movie, on a second of sound and a tiny avatar."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, bpy, speech_like, write_wav

FRAMES = 30
needs_one_blender = pytest.mark.skipif(bpy.app.version >= (5, 0), reason="the demo runs in Blender 4.5; one is enough")


def run_demo(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks/demo.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


@pytest.fixture(scope="module")
def demo(extension_zip: Path, tiny_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The demo's folder and its JSON line."""
    folder = tmp_path_factory.mktemp("demo")
    stereo = np.repeat(speech_like(FRAMES / 25, 44100)[:, None], 2, axis=1)
    audio = write_wav(folder / "stereo.wav", stereo, 44100)
    out = folder / "out"
    done = run_demo("--zip", extension_zip, "--avatar", tiny_file, "--audio", audio, "--out", out)
    assert done.returncode == 0, done.stderr[-2000:]
    return out, json.loads(done.stdout.strip().splitlines()[-1])


@needs_one_blender
def test_the_demo_ends_with_one_json_line(demo: tuple[Path, dict[str, Any]]) -> None:
    _, told = demo
    assert told["frames"] == FRAMES
    assert told["audio_seconds"] == FRAMES / 25
    assert {"animate", "render", "total"} <= set(told["seconds"])
    assert len(told["action_units"]) == 17
    assert all(0 <= unit["min"] <= unit["max"] <= 5 for unit in told["action_units"].values())


@needs_one_blender
def test_the_demo_writes_every_action_unit_of_every_frame(demo: tuple[Path, dict[str, Any]]) -> None:
    out, told = demo
    with (out / "action_units.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["frame"]) for row in rows] == list(range(1, FRAMES + 1))
    assert list(rows[0])[1:] == list(told["action_units"])


@needs_one_blender
def test_the_demo_movie_has_the_size_and_length_of_the_job(demo: tuple[Path, dict[str, Any]]) -> None:
    clip = bpy.data.movieclips.load(str(demo[0] / "talking_head.mp4"))
    assert tuple(clip.size) == (512, 512)
    assert clip.frame_duration == FRAMES
    assert clip.fps == 25


@needs_one_blender
def test_the_demo_file_opens_with_strips_curves_and_avatar(demo: tuple[Path, dict[str, Any]]) -> None:
    bpy.ops.wm.open_mainfile(filepath=str(demo[0] / "talking_head.blend"))
    strips = {strip.type: strip for strip in sorted(bpy.context.scene.sequence_editor.strips, key=lambda s: s.channel)}
    assert set(strips) == {"IMAGE", "SOUND"}
    assert strips["SOUND"].sound.packed_file is not None
    frames = strips["IMAGE"]  # the upper of the two
    assert frames.directory.startswith("//")
    assert len(frames.elements) == FRAMES
    assert all((demo[0] / frames.directory[2:] / element.filename).is_file() for element in frames.elements)
    avatar = next(candidate for candidate in bpy.data.objects if candidate.hmtalker.is_avatar)
    bag = avatar.hmtalker.takes[0].action.layers[0].strips[0].channelbags[0]
    assert {"hmtalker.AU01", "hmtalker.AU25", "hmtalker.AU45"} <= {curve.data_path for curve in bag.fcurves}
    assert avatar.animation_data.nla_tracks


@needs_one_blender
def test_the_contact_sheet_shows_pictures(demo: tuple[Path, dict[str, Any]]) -> None:
    sheet = bpy.data.images.load(str(demo[0] / "contact_sheet.png"))
    pixels = np.array(sheet.pixels[:]).reshape(sheet.size[1], sheet.size[0], 4)
    assert pixels[..., :3].std() > 0.05
    assert 0.1 < pixels[..., :3].mean() < 0.9


def test_an_audio_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    done = run_demo("--zip", tmp_path / "no.zip", "--audio", tmp_path / "no.mp3", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines() == [f"demo: There is no audio file at {tmp_path / 'no.mp3'}."]
