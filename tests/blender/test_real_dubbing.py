# SPDX-License-Identifier: GPL-3.0-or-later
"""*Dub with Avatar* with the dubber that draws, from the button to the pixels of the Sequencer.

Needs a training environment, which HMTALKER_TRAINING names, and is skipped without one:

    HMTALKER_TRAINING=.venv/test .venv/blender-5.2/bin/python -m pytest tests/blender/test_real_dubbing.py
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import FPS, PACKAGE, ROOT, bpy
from pictures import encoded, still

COUNT, START, VOICE_AT = 12, 5, 9
HISS = 0.002
"""A voice that says nothing; silence is refused."""
FILM = """
import sys
from pathlib import Path

sys.path += [{tests!r}, {engine_tests!r}]
import conftest
import numpy as np
from footage_of_avatar import OPEN, drawn, film_avatar, units_of

filmed = film_avatar(Path({folder!r}), OPEN, {count})
np.save({folder!r} + "/shut.npy", drawn(units_of({count}, {{}}), filmed.head))
"""
MOUTH, EYES, WALL = ((140, 165), (110, 150)), ((66, 88), (105, 155)), ((0, 200), (0, 36))
"""Rows and columns of the film. The region that is drawn begins below the eyes."""


@pytest.fixture(scope="module")
def environment():
    """A training environment."""
    if "HMTALKER_TRAINING" not in os.environ:
        pytest.skip("dubbing draws with SciPy, OpenCV and PyAV: HMTALKER_TRAINING names a training environment")
    return Path(os.environ["HMTALKER_TRAINING"]).absolute()


@pytest.fixture(scope="module")
def footage(environment, tmp_path_factory):
    """A film of the bundled avatar whose mouth gapes, its dataset, and `shut.npy`: the same with a shut mouth."""
    folder = tmp_path_factory.mktemp("footage")
    tests = ROOT / "tests"
    program = FILM.format(
        tests=str(tests), engine_tests=str(tests / "engine"), folder=str(folder / "made"), count=COUNT
    )
    python = next(path for path in (environment / "bin/python", environment / "Scripts/python.exe") if path.exists())
    subprocess.run([str(python), "-c", program], check=True, cwd=tests)
    return folder / "made"


def apart(first, second, place):
    """Mean difference of colour, of 255, in a part of the picture."""
    (top, bottom), (left, right) = place
    return float(abs(first - second)[top:bottom, left:right].mean())


@pytest.fixture
def chosen(environment, part):
    """The environment, chosen in the preferences and found to be ready."""
    preferences = bpy.context.preferences.addons[PACKAGE].preferences
    preferences.training_environment = str(environment)
    part("hmtalker_blender.engine_environment").check(bpy.context)
    yield
    preferences.training_environment = ""
    part("hmtalker_blender.engine_environment").forget()


def test_in_silence_a_gaping_mouth_is_shut_and_all_else_is_the_film(scene, chosen, footage, add_sound, tmp_path):
    assert bpy.ops.hmtalker.add_avatar() == {"FINISHED"}
    add_sound(HISS * np.random.default_rng(0).standard_normal(16000), "voice", start=VOICE_AT)
    film = scene.sequence_editor.strips.new_movie("film", str(footage / "take.mp4"), 2, START)
    scene.hmtalker.dub.dataset = str(footage / "dataset")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    assert bpy.ops.hmtalker.dub() == {"FINISHED"}
    (dubbed,) = [strip for strip in scene.sequence_editor.strips if "hmtalker_dub_of" in strip]
    assert Path(bpy.path.abspath(dubbed.filepath)).is_file()

    render = scene.render
    render.engine, render.resolution_x, render.resolution_y, render.resolution_percentage = "HMTALKER", 260, 200, 100
    scene.view_settings.view_transform = "Standard"
    render.image_settings.file_format, render.image_settings.color_depth = "OPEN_EXR", "32"

    def shown(frame: int, with_dub: bool) -> np.ndarray:
        dubbed.mute = not with_dub
        scene.frame_set(frame)
        return encoded(still(scene, tmp_path))[..., :3] * 255

    truth = np.load(footage / "shut.npy").astype(float)
    for frame in (VOICE_AT, VOICE_AT + 4, START + COUNT - 1):
        before, after, shut = shown(frame, False), shown(frame, True), truth[frame - START]
        assert apart(after, shut, MOUTH) < 0.3 * apart(before, shut, MOUTH), frame
        # H.264 codes the eyes a second time; a step aside of one pixel would be much more
        assert apart(after, before, EYES) < 0.4 * apart(np.roll(before, 1, 1), before, EYES), frame
        assert apart(after, before, WALL) < 1
        assert abs((after - before)[: WALL[0][1], : WALL[1][1]].mean()) < 0.5  # nor is the film darker
    assert not np.any(shown(VOICE_AT - 1, True) - shown(VOICE_AT - 1, False))  # nobody speaks yet
    assert film.fps == FPS
