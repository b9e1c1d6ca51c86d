# SPDX-License-Identifier: GPL-3.0-or-later
"""Avatars that live in another .blend: linked, and overridden in the shot."""

from __future__ import annotations

import pytest
from conftest import bpy, speech_like, write_wav


@pytest.fixture
def shot(avatar, tmp_path):
    """A shot that links the collection of an avatar from a library, with a sound strip; returns its scene."""
    collection = bpy.data.collections.new("Cast")
    bpy.context.scene.collection.children.link(collection)
    collection.objects.link(avatar)
    bpy.context.scene.collection.objects.unlink(avatar)
    library = str(tmp_path / "cast.blend")
    bpy.ops.wm.save_as_mainfile(filepath=library)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    scene.render.fps = 25
    with bpy.data.libraries.load(library, link=True) as (_source, target):
        target.collections = ["Cast"]
    scene.collection.children.link(target.collections[0])
    sound = write_wav(tmp_path / "voice.wav", speech_like(1.0))
    scene.sequence_editor_create().strips.new_sound("voice", str(sound), 1, 1)
    return scene


def test_a_linked_avatar_is_told_to_be_overridden(shot):
    with pytest.raises(RuntimeError, match="library override"):
        bpy.ops.hmtalker.animate_from_strip()
    assert "library override" in shot.hmtalker.last_error


def test_an_overridden_avatar_speaks_and_still_does_after_loading(shot, tmp_path, part):
    linked = next(o for o in shot.objects if o.hmtalker.is_avatar)
    collection = bpy.data.collections["Cast"].override_hierarchy_create(shot, bpy.context.view_layer)
    assert collection is not None
    override = next(o for o in bpy.data.objects if o.override_library and o.hmtalker.is_avatar)
    assert override.override_library.reference == linked
    assert bpy.ops.hmtalker.animate_from_strip(avatar=override.name) == {"FINISHED"}
    states = part("hmtalker_blender.motion_state")
    before = dict(states.over_frames(shot, override, range(1, 26)))
    assert max(state.action_units.max() for state in before.values()) > 0.1
    path = str(tmp_path / "shot.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    scene = bpy.context.scene
    again = next(o for o in bpy.data.objects if o.override_library and o.hmtalker.is_avatar)
    for frame, state in states.over_frames(scene, again, range(1, 26)):
        assert abs(state.action_units - before[frame].action_units).max() < 1e-5
        assert abs(state.implicit - before[frame].implicit).max() < 1e-5
