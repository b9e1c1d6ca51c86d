# SPDX-License-Identifier: GPL-3.0-or-later
"""What is heard is what is spoken: the samples of a strip."""

from __future__ import annotations

import struct
import wave

import numpy as np
import pytest
from conftest import bpy, speech_like, write_wav

RATE = 16000


@pytest.fixture
def heard(scene, part):
    """Samples of a strip."""
    sound_strips = part("hmtalker_blender.sound_strips")
    return lambda strip: sound_strips.prepare(scene, strip).read()


def test_a_whole_strip_is_its_file(heard, add_sound):
    samples = speech_like(2.0)
    got = heard(add_sound(samples))
    assert got.dtype == np.float32
    assert got.shape == (2 * RATE,)
    assert abs(got - samples).max() < 1e-3


def test_trims_and_volume_count(heard, add_sound, part):
    samples = speech_like(4.0)
    strip = add_sound(samples, start=10)
    versions = part("hmtalker_blender.versions")
    versions.set_left_handle(strip, 20)
    versions.set_right_handle(strip, 80)
    strip.volume = 0.5
    got = heard(strip)
    expected = samples[round(10 / 25 * RATE) : round(70 / 25 * RATE)] * 0.5
    assert got.shape == expected.shape
    assert abs(got - expected)[: len(got) - 100].max() < 1e-3


def test_sound_offset_counts(heard, add_sound):
    samples = speech_like(2.0)
    strip = add_sound(samples)
    strip.sound_offset = 0.25
    got = heard(strip)
    assert not got[: RATE // 4].any()
    assert abs(got[RATE // 4 : RATE] - samples[: RATE - RATE // 4]).max() < 1e-3
    strip.sound_offset = -0.25
    assert abs(heard(strip)[:RATE] - samples[RATE // 4 : RATE // 4 + RATE]).max() < 1e-3


def test_any_rate_and_stereo_become_mono_16_khz(heard, add_sound):
    mono = speech_like(2.0, rate=44100)
    got = heard(add_sound(np.stack([mono, mono], 1), rate=44100))
    expected = speech_like(2.0)
    assert got.shape == (2 * RATE,)
    assert np.corrcoef(got, expected)[0, 1] > 0.999


def test_packed_sounds_need_no_file(heard, add_sound, tmp_path):
    samples = speech_like(1.0)
    strip = add_sound(samples, "packed")
    strip.sound.pack()
    (tmp_path / "packed.wav").unlink()
    assert abs(heard(strip) - samples).max() < 1e-3


def test_animated_volume_counts(heard, add_sound, scene, part):
    samples = speech_like(2.0)
    strip = add_sound(samples)
    add_sound(np.full(RATE * 2, 0.9), "loud neighbour", channel=2)
    for frame, volume in ((1, 0.0), (25, 0.0), (26, 1.0)):
        strip.volume = volume
        strip.keyframe_insert("volume", frame=frame)
    before = scene.frame_start, scene.frame_end, [s.mute for s in scene.sequence_editor.strips]
    got = heard(strip)
    assert (scene.frame_start, scene.frame_end, [s.mute for s in scene.sequence_editor.strips]) == before
    assert got.shape == (2 * RATE,)
    assert abs(got[: RATE // 2]).max() < 1e-3
    assert np.corrcoef(got[RATE + 4000 :], samples[RATE + 4000 :])[0, 1] > 0.99


def test_speed_counts(heard, add_sound, part):
    if bpy.app.version < (5, 0):
        pytest.skip("adding a speed key from Python crashes bpy 4.5 outside the application")
    time = np.arange(4 * RATE) / RATE
    strip = add_sound(0.5 * np.sin(2 * np.pi * 300 * time) * (time >= 2.0))
    strip.retiming_keys.add(timeline_frame=51)
    strip.retiming_keys[-1].timeline_frame += 50
    strip.pitch_correction = False
    got = heard(strip)
    assert len(got) == 6 * RATE
    assert abs(got[: 2 * RATE - 400]).max() < 1e-3
    slow = got[3 * RATE : 5 * RATE]
    assert abs(np.count_nonzero(np.diff(np.signbit(slow))) / 2 / 2.0 - 150) < 10


def test_a_strip_inside_a_meta_strip_is_found(heard, add_sound, scene, part):
    samples = speech_like(1.0)
    strip = add_sound(samples, "inside", start=5)
    meta = scene.sequence_editor.strips.new_meta("meta", 2, 1)
    strip.move_to_meta(meta)
    versions = part("hmtalker_blender.versions")
    versions.set_right_handle(meta, 40)
    inside = part("hmtalker_blender.sound_strips").find(scene, "inside")
    assert abs(heard(inside) - samples).max() < 1e-3
    versions.set_left_handle(meta, 10)
    trimmed = part("hmtalker_blender.sound_strips").prepare(scene, inside)
    assert (trimmed.start, trimmed.frames) == (10, 20)
    assert abs(trimmed.read() - samples[RATE // 5 :]).max() < 1e-3
    meta.mute = True
    with pytest.raises(part("engine.errors").AudioError, match="muted"):
        heard(inside)


def test_a_muted_strip_or_channel_is_told(avatar, strip, scene):
    strip.mute = True
    assert "muted" in problem(bpy.ops.hmtalker.animate_from_strip)
    strip.mute = False
    scene.sequence_editor.channels[strip.channel].mute = True
    assert "muted" in problem(bpy.ops.hmtalker.animate_from_strip)


def problem(call) -> str:
    with pytest.raises(RuntimeError) as caught:
        call()
    message = str(caught.value)
    assert "Traceback" not in message
    return message


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: write_wav(path, np.zeros(RATE)), "silent"),
        (lambda path: write_wav(path, np.zeros(0)), "voice"),
        (lambda path: path.write_bytes(b"this is not audio" * 100), "cannot be read"),
        (lambda path: path.unlink(), "is gone"),
    ],
    ids=["silent", "empty", "unreadable", "gone"],
)
def test_bad_audio_is_one_sentence_and_changes_nothing(avatar, add_sound, tmp_path, scene, make, told):
    strip = add_sound(speech_like(1.0))
    bpy.ops.hmtalker.animate_from_strip()
    action = avatar.hmtalker.takes[0].action
    make(tmp_path / "voice.wav")
    message = problem(bpy.ops.hmtalker.animate_from_strip)
    assert told in message
    assert strip.name in message
    assert avatar.hmtalker.last_error in message
    assert scene.hmtalker.last_error in message
    assert avatar.hmtalker.takes[0].action == action
    write_wav(tmp_path / "voice.wav", speech_like(1.0))
    bpy.ops.hmtalker.animate_from_strip()
    assert avatar.hmtalker.last_error == ""


def test_volume_zero_is_told(avatar, strip):
    strip.volume = 0.0
    assert "volume is 0" in problem(bpy.ops.hmtalker.animate_from_strip)


def test_nobody_to_speak_is_told(scene, strip, tiny_file):
    assert "Talking Avatar" in problem(bpy.ops.hmtalker.animate_from_strip)
    for _ in range(2):
        bpy.ops.hmtalker.add_avatar(filepath=str(tiny_file))
    scene.hmtalker.avatar = None
    bpy.context.view_layer.objects.active = None
    assert "No avatar is selected" in problem(bpy.ops.hmtalker.animate_from_strip)
    assert "No avatar is selected" in scene.hmtalker.last_error


def test_a_dropped_file_becomes_a_strip_that_is_spoken(avatar, scene, tmp_path):
    path = write_wav(tmp_path / "drop.wav", speech_like(1.0))
    scene.frame_set(8)
    assert bpy.ops.hmtalker.speak_file(filepath=str(path)) == {"FINISHED"}
    (strip,) = scene.sequence_editor.strips
    assert (strip.name, avatar.hmtalker.takes[0].name) == ("drop", "drop")
    path.write_bytes(b"no audio" * 200)
    for bad in (path, tmp_path / "nothing.wav"):
        problem(lambda bad=bad: bpy.ops.hmtalker.speak_file(filepath=str(bad)))
        assert bad.name in scene.hmtalker.last_error


def test_no_sound_strip_is_told(avatar, scene):
    assert "no sound strip" in problem(bpy.ops.hmtalker.animate_from_strip)


def test_ten_hours_are_refused_before_any_of_it_is_decoded(avatar, scene, tmp_path):
    resource = pytest.importorskip("resource", reason="looks at this process's memory")
    seconds, rate = 10 * 3600, 8000
    with wave.open(str(tmp_path / "long.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(rate)
        file.setnframes(seconds * rate)
        file.writeframes(b"\x80")
    with (tmp_path / "long.wav").open("r+b") as raw:
        raw.truncate(44 + seconds * rate)  # a file with a hole: it takes no space
        raw.seek(4)
        raw.write(struct.pack("<I", 36 + seconds * rate))
        raw.seek(40)
        raw.write(struct.pack("<I", seconds * rate))
    scene.sequence_editor_create().strips.new_sound("long", str(tmp_path / "long.wav"), 1, 1)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RuntimeError, match='The strip "long" is longer than 6 hours; animate it in parts'):
        bpy.ops.hmtalker.animate_from_strip()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most < 100_000  # kB
    assert not avatar.hmtalker.takes
