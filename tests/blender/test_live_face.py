# SPDX-License-Identifier: GPL-3.0-or-later
"""The face answers: the newest wish is drawn beside a living interface, linked and overridden avatars included."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from conftest import bpy
from pictures import CYCLES_SEES_TWICE, add_camera, apart, prepare, still, use_cycles


@pytest.fixture
def live(part):
    """The live face, idle before and after."""
    module = part("hmtalker_blender.live_face")
    yield module
    module.worker.stop()
    module._asked.clear()


@pytest.fixture
def work(part):
    """A worker of the test's own."""
    worker = part("hmtalker_blender.latest_work").LatestWork("test")
    yield worker
    worker.stop()


def settle(worker) -> None:
    for _ in range(3000):
        if not worker.collect():
            return
        time.sleep(0.01)
    raise AssertionError("the worker did not come to rest")


def coordinates(avatar) -> np.ndarray:
    values = np.empty(3 * len(avatar.data.vertices), np.float32)
    avatar.data.vertices.foreach_get("co", values)
    return values


def colours(avatar) -> np.ndarray:
    values = np.empty(4 * len(avatar.data.vertices), np.float32)
    avatar.data.attributes["hmtalker_colour"].data.foreach_get("color", values)
    return values


def test_only_the_newest_wish_is_done(work):
    gate, done, told = threading.Event(), [], []

    def first(cancelled):
        gate.wait()
        told.append(cancelled())
        return "first"

    work.ask("face", first, done.append)
    while work._waiting:
        time.sleep(0.001)
    for name in ("second", "third"):
        work.ask("face", lambda cancelled, name=name: name, done.append)
    gate.set()
    settle(work)
    assert told == [True]
    assert done == ["first", "third"]


def test_wishes_under_other_names_are_not_dropped(work):
    done = []
    for name in ("a", "b", "c"):
        work.ask(name, lambda cancelled, name=name: name, done.append)
    settle(work)
    assert done == ["a", "b", "c"]


def test_an_error_is_delivered_and_the_worker_goes_on(work):
    done = []
    work.ask("a", lambda cancelled: 1 / 0, done.append)
    work.ask("b", lambda cancelled: "well", done.append)
    settle(work)
    assert isinstance(done[0], ZeroDivisionError)
    assert done[1] == "well"


def test_after_stopping_it_starts_again(work):
    done = []
    work.ask("a", lambda cancelled: 1, done.append)
    work.stop()
    work.ask("a", lambda cancelled: 2, done.append)
    settle(work)
    assert done[-1] == 2


def test_a_slider_changes_the_face(avatar, scene, live):
    add_camera(scene)
    graph = bpy.context.evaluated_depsgraph_get()
    live.update(graph, wait=False, for_render=False)
    assert len(avatar.data.polygons) == 0  # nobody waited
    settle(live.worker)
    before = colours(avatar)
    avatar.hmtalker.AU26 = 5.0
    graph.update()
    live.update(graph, wait=False, for_render=False)
    settle(live.worker)
    after = colours(avatar)
    assert len(before) != len(after) or abs(before - after).max() > 0.05


def test_what_is_shown_is_not_drawn_again(avatar, scene, live, monkeypatch, part):
    add_camera(scene)
    graph = bpy.context.evaluated_depsgraph_get()
    live.update(graph, wait=True, for_render=False)
    monkeypatch.setattr(part("hmtalker_blender.card"), "write", lambda *_: pytest.fail("drawn again"))
    live.update(graph, wait=False, for_render=False)
    assert not live.worker.collect()
    avatar.hmtalker.display.relief = 0.5  # the same state in another shape is another face
    monkeypatch.undo()
    before = coordinates(avatar)
    live.update(graph, wait=True, for_render=False)
    assert abs(coordinates(avatar) - before).max() > 0.001


def test_the_viewports_face_is_coarser_than_the_renders(avatar, scene, live):
    add_camera(scene)
    graph = bpy.context.evaluated_depsgraph_get()
    live.update(graph, wait=True, for_render=True)
    fine = len(avatar.data.vertices)
    live.update(graph, wait=True, for_render=False)
    assert 0.2 < len(avatar.data.vertices) / fine < 0.35


def test_an_answer_for_a_removed_avatar_is_dropped(avatar, scene, live):
    add_camera(scene)
    live.update(bpy.context.evaluated_depsgraph_get(), wait=False, for_render=False)
    bpy.data.objects.remove(avatar)
    settle(live.worker)
    assert not live.problems


def test_a_missing_file_is_told_once(avatar, scene, live, caplog):
    avatar.hmtalker.avatar_path = "/nowhere/gone.hmt"
    graph = bpy.context.evaluated_depsgraph_get()
    for _ in range(3):
        live.update(graph, wait=False, for_render=False)
        live.worker.collect()
    assert "gone.hmt" in live.problems[avatar.name]
    assert len([record for record in caplog.records if "gone.hmt" in record.message]) == 1


def test_handlers_come_and_go_with_the_extension(live):
    for event, handler in live.HANDLERS:
        assert handler in getattr(bpy.app.handlers, event)
    live.attach()
    live.detach()
    for event, handler in live.HANDLERS:
        assert handler not in getattr(bpy.app.handlers, event)
    live.attach()
    for event, handler in live.HANDLERS:
        assert getattr(bpy.app.handlers, event).count(handler) == 1


@pytest.fixture
def library(avatar, tmp_path):
    """A .blend whose collection "Cast" holds the avatar; then an empty scene with a camera."""
    collection = bpy.data.collections.new("Cast")
    bpy.context.scene.collection.children.link(collection)
    collection.objects.link(avatar)
    bpy.context.scene.collection.objects.unlink(avatar)
    path = str(tmp_path / "cast.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    prepare(bpy.context.scene)
    add_camera(bpy.context.scene)
    with bpy.data.libraries.load(path, link=True) as (_source, target):
        target.collections = ["Cast"]
    return target.collections[0]


@pytest.mark.parametrize("way", ["linked", "instanced", "overridden"])
def test_avatars_of_a_library_are_shown(library, tmp_path, way):
    scene = bpy.context.scene
    if way == "instanced":
        instance = bpy.data.objects.new("instance", None)
        instance.instance_type, instance.instance_collection = "COLLECTION", library
        instance.location.x = 0.05
        scene.collection.objects.link(instance)
    else:
        scene.collection.children.link(library)
    if way == "overridden":
        library.override_hierarchy_create(scene, bpy.context.view_layer)
        override = next(o for o in bpy.data.objects if o.override_library and o.hmtalker.is_avatar)
        override.hmtalker.AU26 = 4.0
    frame = still(scene, tmp_path)
    assert 0.05 < frame[..., 3].mean() < 0.9
    use_cycles(scene)
    assert apart(still(scene, tmp_path), frame, CYCLES_SEES_TWICE) < 1.0
