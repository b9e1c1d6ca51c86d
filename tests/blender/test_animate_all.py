# SPDX-License-Identifier: GPL-3.0-or-later
"""Animate All: who speaks what, what is left out, what stays after Cancel and after a strip that cannot be spoken."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import bpy, speech_like


@pytest.fixture
def cast(avatar, tiny_file):
    """Anna and Bea, who speaks for the scene."""
    avatar.name = "Anna"
    bpy.ops.hmtalker.add_avatar(filepath=str(tiny_file))
    bpy.context.active_object.name = "Bea"
    bpy.context.scene.hmtalker.avatar = bpy.data.objects["Bea"]
    return avatar, bpy.data.objects["Bea"]


def performed(avatar) -> list[str]:
    return sorted(entry.name for entry in avatar.hmtalker.takes)


def test_every_strip_finds_its_speaker(cast, add_sound, scene):
    anna, bea = cast
    add_sound(speech_like(0.5), "anna_take3", start=1)
    add_sound(speech_like(0.5), "line 2", start=20)
    add_sound(speech_like(0.5), "line 3", start=40, channel=2).hmtalker.speaker = anna
    add_sound(speech_like(0.5), "line 4", start=60, channel=3)
    scene.sequence_editor.channels[3].name = "Anna's voice"
    add_sound(speech_like(0.5), "Annabel", start=80)
    assert bpy.ops.hmtalker.animate_all() == {"FINISHED"}
    assert performed(anna) == ["anna_take3", "line 3", "line 4"]
    assert performed(bea) == ["Annabel", "line 2"]


def test_music_and_muted_strips_are_left_out_and_bad_ones_do_not_stop_the_rest(cast, add_sound, scene, tmp_path):
    _anna, bea = cast
    add_sound(speech_like(0.5), "music", start=1).hmtalker.is_speech = False
    add_sound(speech_like(0.5), "muted", start=20).mute = True
    add_sound(np.zeros(8000), "silent", start=40)
    add_sound(speech_like(0.5), "gone", start=60)
    (tmp_path / "gone.wav").unlink()
    add_sound(speech_like(0.5), "good", start=80)
    assert bpy.ops.hmtalker.animate_all() == {"FINISHED"}
    assert performed(bea) == ["good"]


def test_selected_and_missing_only(cast, add_sound, scene, part):
    _anna, bea = cast
    strips = [add_sound(speech_like(0.5), name, start=1 + 20 * k) for k, name in enumerate(("one", "two", "three"))]
    meta = scene.sequence_editor.strips.new_meta("meta", 5, 41)
    strips[2].move_to_meta(meta)
    part("hmtalker_blender.versions").set_right_handle(meta, 60)
    for strip in strips:
        strip.select = False
    meta.select = True
    bpy.ops.hmtalker.animate_all(selected=True)
    assert performed(bea) == ["three"]
    action = bea.hmtalker.takes["three"].action
    bpy.ops.hmtalker.animate_all(missing=True)
    assert performed(bea) == ["one", "three", "two"]
    assert bea.hmtalker.takes["three"].action == action
    with pytest.raises(RuntimeError, match="no sound strip to be spoken"):
        bpy.ops.hmtalker.animate_all(missing=True)


def test_what_is_finished_stays_after_cancel(cast, add_sound, part, monkeypatch):
    _anna, bea = cast
    for k, name in enumerate(("one", "two", "three")):
        add_sound(speech_like(0.5), name, start=1 + 20 * k)
    performing, jobs = part("hmtalker_blender.performing"), part("hmtalker_blender.jobs")
    genuine, count = performing.perform, []

    def perform(*arguments):
        count.append(True)
        if len(count) == 2:
            for job in jobs.running:
                job.cancel()
        return genuine(*arguments)

    monkeypatch.setattr(performing, "perform", perform)
    assert bpy.ops.hmtalker.animate_all() == {"FINISHED"}
    assert performed(bea) == ["one"]


def test_nobody_to_tell_who_speaks_is_told(cast, add_sound, scene):
    scene.hmtalker.avatar = None
    bpy.context.view_layer.objects.active = None
    add_sound(speech_like(0.5), "line")
    with pytest.raises(RuntimeError, match="who speaks"):
        bpy.ops.hmtalker.animate_all()
    assert "who speaks" in scene.hmtalker.last_error


def test_a_strips_own_speaker_counts_for_one_strip_too(cast, add_sound, scene):
    anna, bea = cast
    strip = add_sound(speech_like(0.5), "line")
    strip.hmtalker.speaker = anna
    assert bpy.ops.hmtalker.animate_from_strip() == {"FINISHED"}
    assert (performed(anna), performed(bea)) == (["line"], [])
    assert bpy.ops.hmtalker.clear_take() == {"FINISHED"}
    assert performed(anna) == []


def test_performances_can_be_removed_after_their_strip_is_gone(cast, strip, scene):
    _anna, bea = cast
    bpy.ops.hmtalker.animate_from_strip()
    scene.sequence_editor.strips.remove(strip)
    bpy.context.view_layer.update()
    assert performed(bea) == ["voice"]
    assert bpy.ops.hmtalker.remove_performance(index=0) == {"FINISHED"}
    assert performed(bea) == []
    assert not bea.animation_data.nla_tracks
