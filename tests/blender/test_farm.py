# SPDX-License-Identifier: GPL-3.0-or-later
"""Any chunk of frames, baked by any process in any order, is the same bytes; and what a farm would miss is named."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import bpy
import pytest
from conftest import USER_FOLDER, speech_like

LENGTH = 0.4
FRAMES = list(range(1, 11))


@pytest.fixture
def shot(avatar, add_sound, tmp_path):
    """A saved .blend whose Sequencer shows ten baked frames."""
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot é.blend"))
    add_sound(speech_like(LENGTH), "voice", start=1)
    assert bpy.ops.hmtalker.animate_from_strip() == {"FINISHED"}
    assert bpy.ops.hmtalker.render_to_sequencer() == {"FINISHED"}
    bpy.ops.wm.save_mainfile()
    return tmp_path / "shot é.blend"


def frames_of(shot: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((shot.parent / "hmtalker").rglob("*.png"))}


def in_a_process_of_its_own(shot: Path, *arguments: str) -> subprocess.CompletedProcess:
    """As ``blender -b FILE --command hm_talker ...`` does it, with bpy in the place of the application."""
    script = (
        "import bpy, os, sys; bpy.ops.wm.open_mainfile(filepath=sys.argv[1]);"
        "from bl_ext.user_default.hm_talker.hmtalker_blender import command_line;"
        "code = command_line.run(sys.argv[2:]); sys.stdout.flush(); sys.stderr.flush(); os._exit(code)"
    )
    enable = "import bpy; bpy.ops.preferences.addon_enable(module='bl_ext.user_default.hm_talker');"
    command = [sys.executable, "-c", enable + script, str(shot), *arguments]
    environment = {"BLENDER_USER_RESOURCES": USER_FOLDER}
    import os

    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=300)


def test_shuffled_chunks_in_processes_of_their_own_are_the_same_bytes(shot):
    expected = frames_of(shot)
    assert len(expected) == len(FRAMES)
    for path in (shot.parent / "hmtalker").rglob("*.png"):
        path.unlink()
    chunks = ["1-3", "4,6", "5", "7-10"]
    random.Random(3).shuffle(chunks)
    for chunk in chunks:
        done = in_a_process_of_its_own(shot, "bake", "--frames", chunk)
        assert done.returncode == 0, done.stderr
    assert frames_of(shot) == expected


def test_a_chunk_that_is_there_already_is_kept(shot, part, capsys):
    command_line = part("hmtalker_blender.command_line")
    times = {path: path.stat().st_mtime_ns for path in (shot.parent / "hmtalker").rglob("*.png")}
    assert command_line.run(["bake", "--frames", "2-5"]) == 0
    assert "0 of 4 frames rendered" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_frames_that_nobody_shows_are_no_error(scene, part, capsys):
    assert part("hmtalker_blender.command_line").run(["bake", "--frames", "1-5"]) == 0
    assert "nothing to bake" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "frames"),
    [("7", [7]), ("1-4", [1, 2, 3, 4]), ("8..9", [8, 9]), ("3, 7-8,7", [3, 7, 8]), ("-2-1", [-2, -1, 0, 1])],
)
def test_frames_are_written_as_farms_write_them(part, text, frames):
    assert part("hmtalker_blender.farm").parse_frames(text) == frames


@pytest.mark.parametrize("text", ["", "x", "5-1", "1-99999999999", "1;2", "1-"])
def test_other_writings_are_one_sentence(part, capsys, text):
    assert part("hmtalker_blender.command_line").run(["bake", "--frames", text or ","]) == 2
    assert "write them as 1-250" in capsys.readouterr().err


def test_the_sound_of_a_range_is_as_long_as_the_range(shot, part, tmp_path):
    scene = bpy.context.scene
    before = scene.frame_start, scene.frame_end
    place = tmp_path / "new folder" / "sound.flac"
    assert part("hmtalker_blender.command_line").run(["sound", "--frames", "3-8", "--output", str(place)]) == 0
    assert (scene.frame_start, scene.frame_end) == before
    import aud

    sound = aud.Sound(str(place)).cache()
    rate, _ = sound.specs
    assert len(sound.data()) / rate == pytest.approx(6 / 25, abs=0.05)


def test_wrong_words_do_not_end_blender(part):
    assert part("hmtalker_blender.command_line").run(["dance"]) == 2
    assert part("hmtalker_blender.command_line").run(["--help"]) == 0


def test_what_a_farm_would_miss_is_named(shot, part, add_sound):
    problems = part("hmtalker_blender.farm").problems
    told = problems(bpy.context)
    assert any("absolute path" in line and "avatar file" in line for line in told)  # the tiny avatar lies elsewhere
    next((shot.parent / "hmtalker").rglob("0004.png")).unlink()
    assert any(line.startswith("1 baked frames") for line in problems(bpy.context))
    sound = bpy.context.scene.sequence_editor.strips_all["voice"].sound
    sound.filepath = "//not there.wav"
    assert any("voice" in line and "is missing" in line for line in problems(bpy.context))
    assert bpy.ops.hmtalker.check_for_farm() == {"FINISHED"}


def test_a_blend_that_was_never_saved_is_the_first_problem(avatar, part):
    told = part("hmtalker_blender.farm").problems(bpy.context)
    assert told == ["The .blend was never saved; save it where the farm can read it."]
