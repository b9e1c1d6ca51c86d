# SPDX-License-Identifier: GPL-3.0-or-later
"""*Dub with Avatar*: the new voice where it lies over the film, and the dubbed film above it."""

from __future__ import annotations

import json
import time
import wave

import fake_environment
import numpy as np
import pytest
from conftest import FPS, PACKAGE, bpy, speech_like
from pictures import prepare
from test_interface import draw

START, VOICE_AT, SECONDS = 5, 9, 0.4


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("environment") / "training"
    fake_environment.make(folder)
    return folder


def write_film(scene, folder, name: str = "film", fps: int = FPS):
    """Twenty frames of a film, made by Blender."""
    prepare(scene, 64, 48)
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "VIDEO"
    settings.file_format, scene.render.ffmpeg.format, scene.render.ffmpeg.codec = "FFMPEG", "MPEG4", "H264"
    settings.color_mode = "RGB"
    scene.frame_start, scene.frame_end, scene.render.fps = 1, 20, fps
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    camera.location.x = 50  # nobody is seen
    scene.render.filepath = str(folder / "made_")
    bpy.ops.render.render(animation=True)
    path = folder / f"{name}.mp4"
    (folder / "made_0001-0020.mp4").rename(path)
    scene.render.fps = FPS
    return path


@pytest.fixture
def dubbing(avatar, scene, environment, part, tmp_path, add_sound):
    """A film from frame 5 and a voice from frame 9, in a saved .blend, with an environment that is ready."""
    preferences = bpy.context.preferences.addons[PACKAGE].preferences
    preferences.training_environment = str(environment)
    part("hmtalker_blender.engine_environment").check(bpy.context)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))

    def make(name: str = "film", fps: int = FPS):
        add_sound(speech_like(SECONDS), "voice", start=VOICE_AT)
        return scene.sequence_editor.strips.new_movie(name, str(write_film(scene, tmp_path, name, fps)), 2, START)

    yield make
    part("hmtalker_blender.jobs").cancel_all()
    preferences.training_environment = ""
    part("hmtalker_blender.engine_environment").forget()


@pytest.fixture
def reason(part):
    return lambda: part("operators.dub").HMT_OT_dub.disabled_reason(bpy.context)


def test_the_dubbed_film_lies_above_where_the_voice_is_heard(dubbing, scene, part, tmp_path):
    film = dubbing()
    film.transform.offset_x = 12
    scene.hmtalker.dub.region = "HEAD"
    assert bpy.ops.hmtalker.dub() == {"FINISHED"}
    versions = part("hmtalker_blender.versions")
    (dubbed,) = [strip for strip in scene.sequence_editor.strips if "hmtalker_dub_of" in strip]
    assert (versions.left_handle(dubbed), versions.right_handle(dubbed)) == (VOICE_AT, VOICE_AT + 10)
    assert versions.content_start(dubbed) == START  # picture n of the film stays picture n
    assert dubbed.channel > film.channel
    assert dubbed.transform.offset_x == 12
    assert dubbed.filepath == "//hmtalker/dubbed/film - voice.mp4" or "\\" in dubbed.filepath
    folder = tmp_path / "hmtalker" / "dubbed"
    told = json.loads((folder / "options.json").read_text())
    assert (told["region"], told["footage"]) == ("head", str(tmp_path / "film.mp4"))
    assert not list(folder.glob("film*.wav"))  # the voice was for the worker alone
    with wave.open(str(folder / "heard.wav")) as file:
        heard = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767
    silence = round((VOICE_AT - START) / FPS * 16000)
    assert len(heard) == silence + round(SECONDS * 16000)
    assert not heard[:silence].any()
    assert np.allclose(heard[silence:], speech_like(SECONDS), atol=2e-3)


def test_dubbing_again_keeps_one_strip(dubbing, scene):
    dubbing()
    before = len(scene.sequence_editor.strips)
    for _ in range(2):
        assert bpy.ops.hmtalker.dub() == {"FINISHED"}
    assert len(scene.sequence_editor.strips) == before + 1


def test_a_voice_that_begins_before_the_film_is_cut(dubbing, scene, part, tmp_path):
    dubbing()
    voice = scene.sequence_editor.strips["voice"]
    part("hmtalker_blender.versions")
    setattr(voice, "content_start" if hasattr(voice, "content_start") else "frame_start", START - 4)
    assert bpy.ops.hmtalker.dub() == {"FINISHED"}
    with wave.open(str(tmp_path / "hmtalker" / "dubbed" / "heard.wav")) as file:
        heard = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767
    assert np.allclose(heard, speech_like(SECONDS)[round(4 / FPS * 16000) :], atol=2e-3)


def test_every_reason_is_told(dubbing, scene, part, reason, tmp_path):
    assert "movie strip" in reason()
    film = dubbing()
    assert reason() == ""
    voice = scene.sequence_editor.strips["voice"]
    second = scene.sequence_editor.strips.new_movie("second", film.filepath, 5, START)
    for strip in (film, second, voice):
        strip.select = False
    assert "movie strip" in reason()
    film.select = True
    assert reason() == ""
    scene.sequence_editor.strips.remove(second)
    scene.render.fps = 30
    assert "25 frames a second and the scene 30" in reason()
    scene.render.fps = FPS
    own = voice.sound
    voice.sound = bpy.data.sounds.load(film.filepath)
    assert "new voice" in reason()  # a film's own sound is not its new one
    voice.sound = own
    bpy.context.preferences.addons[PACKAGE].preferences.training_environment = str(tmp_path / "nothing")
    part("hmtalker_blender.engine_environment").forget()
    assert "training environment" in reason()
    with pytest.raises(RuntimeError, match="training environment"):
        bpy.ops.hmtalker.dub()


def test_what_the_dubber_says_is_shown_and_nothing_is_changed(dubbing, scene):
    dubbing("stranger")
    before = len(scene.sequence_editor.strips)
    with pytest.raises(RuntimeError, match="does not look like"):
        bpy.ops.hmtalker.dub()
    assert len(scene.sequence_editor.strips) == before
    assert "does not look like" in scene.hmtalker.last_error


def test_it_is_cancelled_like_any_job(dubbing, scene, part):
    dubbing("slow")
    job = part("hmtalker_blender.dub_job").make(bpy.context).job
    job.tick()
    end = time.monotonic() + 20
    while "Draw" not in job.text:
        assert time.monotonic() < end, job.error
        job.tick()
        time.sleep(0.01)
    assert job.fraction == 0.75
    assert bpy.ops.hmtalker.cancel_job() == {"FINISHED"}
    while not job.tick():
        time.sleep(0.01)
    assert "no film was written" in str(job.error)


def test_the_panel_shows_it_where_there_is_a_film(dubbing, scene, part):
    panel = part("ui.sequencer_panel").HMT_PT_sequencer
    assert ("operator", "hmtalker.dub", True) not in draw(panel).drawn
    dubbing()
    assert ("operator", "hmtalker.dub", True) in draw(panel).drawn


def test_check_again_sees_an_environment_come_and_go(dubbing, reason, part, tmp_path):
    dubbing()
    preferences = bpy.context.preferences.addons[PACKAGE].preferences
    there = preferences.training_environment
    for folder, ready in ((str(tmp_path / "nothing"), False), (there, True)):
        preferences.training_environment = folder
        assert bpy.ops.hmtalker.check_environment() == {"FINISHED"}
        assert (reason() == "") == ready
