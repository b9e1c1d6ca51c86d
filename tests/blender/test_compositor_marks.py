# SPDX-License-Identifier: GPL-3.0-or-later
"""What the compositor's File Output nodes write with a face of ours in the frame says that it is synthetic media."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from conftest import bpy
from pictures import compositor_nodes
from test_synthetic_marks import marked, shot  # noqa: F401


@pytest.fixture
def outputs(shot, scene, tmp_path):  # noqa: F811
    """A function that adds a File Output node which writes the render under some names, in a folder of its own."""
    scene.frame_end = 1
    scene.render.filepath = str(tmp_path / "main_")
    tree, layers = compositor(scene)

    def add(*names: str, kind: str = "PNG", folder: str = "files", into: Any = None) -> Any:
        node = (into or tree).nodes.new("CompositorNodeOutputFile")
        if hasattr(node.format, "media_type"):
            node.format.media_type = "MULTI_LAYER_IMAGE" if "MULTI" in kind else "IMAGE"
        node.format.file_format = kind
        several = "MULTI" in kind
        if hasattr(node, "file_output_items"):
            node.directory, node.file_name = str(tmp_path / folder), names[0] if several else ""
            node.file_output_items.clear()
            for name in names:
                node.file_output_items.new("RGBA", name)
        else:
            node.base_path = str(tmp_path / folder / names[0]) if several else str(tmp_path / folder)
            slots = node.layer_slots if several else node.file_slots
            slots.clear()
            for name in names:
                slots.new(name)
        for socket in range(len(names)):
            if into is None:
                tree.links.new(layers.outputs["Image"], node.inputs[socket])
        return node

    return add


def compositor(scene) -> tuple[Any, Any]:
    """The scene's nodes, new, and the one of them that is the render."""
    tree, end = compositor_nodes(scene)
    layers = tree.nodes.new("CompositorNodeRLayers")
    layers.scene = scene
    tree.links.new(layers.outputs["Image"], end.inputs[0])
    return tree, layers


def written(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def names(folder: Path) -> list[str]:
    """Their names with every number as #."""
    return [re.sub(r"\d+", "#", path.name) for path in written(folder)]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "OPEN_EXR", "OPEN_EXR_MULTILAYER"])
def test_files_of_every_kind_say_it(outputs, tmp_path, marked, kind):  # noqa: F811
    outputs("one", "second##", kind=kind)
    bpy.ops.render.render(animation=True)
    files = written(tmp_path / "files")
    assert len(files) == (1 if "MULTI" in kind else 2)
    assert all(map(marked, files))
    assert all(map(marked, tmp_path.glob("main_*")))


def test_a_render_that_is_not_written_writes_them_too(outputs, scene, tmp_path, marked):  # noqa: F811
    node = outputs("one", "picture.png", "##left##")
    scene.frame_set(2)
    bpy.ops.render.render()
    files = written(tmp_path / "files")
    assert len(files) == 3
    assert all(map(marked, files))
    assert not list(tmp_path.glob("main_*"))
    for path in files:
        path.unlink()
    node.mute = True
    bpy.ops.render.render()
    assert not written(tmp_path / "files")


def test_frames_without_a_face_and_older_files_say_nothing(shot, outputs, scene, tmp_path, marked):  # noqa: F811
    outputs("one_####")
    scene.frame_end = 2
    shot.hide_render = True
    shot.keyframe_insert("hide_render", frame=1)
    shot.hide_render = False
    shot.keyframe_insert("hide_render", frame=2)
    bpy.ops.render.render(animation=True)
    files = written(tmp_path / "files")
    assert names(tmp_path / "files") == ["one_#.png"] * 2
    assert list(map(marked, files)) == [False, True]
    plain = files[0].read_bytes()
    others = [files[0].with_name(name) for name in ("one_0003.png", "one_0002.jpg", "another_0002.png")]
    for other in others:
        other.write_bytes(plain)
    scene.frame_start = 2
    bpy.ops.render.render(animation=True)
    assert not any(map(marked, others))
    assert marked(files[1])


def test_nodes_in_groups_and_both_eyes_are_found(outputs, scene, tmp_path, marked):  # noqa: F811
    scene.render.use_multiview = True
    group = bpy.data.node_groups.new("Inner", "CompositorNodeTree")
    group.interface.new_socket("Image", in_out="INPUT", socket_type="NodeSocketColor")
    begin = group.nodes.new("NodeGroupInput")
    inner = outputs("inner", folder="inner", into=group)
    group.links.new(begin.outputs[0], inner.inputs[0])
    tree, layers = outputs("outer").id_data, None
    layers = next(node for node in tree.nodes if node.bl_idname == "CompositorNodeRLayers")
    user = tree.nodes.new("CompositorNodeGroup")
    user.node_tree = group
    tree.links.new(layers.outputs["Image"], user.inputs[0])
    bpy.ops.render.render(animation=True)
    for folder, name in (("files", "outer"), ("inner", "inner")):
        assert names(tmp_path / folder) == [f"{name}#_L.png", f"{name}#_R.png"]
        assert all(map(marked, written(tmp_path / folder)))


def test_a_name_that_blender_fills_in(outputs, tmp_path, marked):  # noqa: F811
    outputs("{blend_name}_####", folder="of_{blend_name}")
    bpy.ops.render.render(animation=True)
    assert names(tmp_path / "of_shot") == ["shot_#.png"]
    assert all(map(marked, written(tmp_path / "of_shot")))


def test_the_sequencers_scenes_have_compositors_of_their_own(outputs, scene, tmp_path, marked):  # noqa: F811
    outputs("one")
    cut = bpy.data.scenes.new("Cut")
    cut.render.resolution_x, cut.render.resolution_y, cut.render.resolution_percentage = 64, 48, 100
    cut.render.filepath, cut.frame_end = str(tmp_path / "cut_"), 1
    cut.sequence_editor_create().strips.new_scene("shot", scene, channel=1, frame_start=1)
    bpy.ops.render.render(animation=True, scene=cut.name)
    files = [*tmp_path.glob("cut_*"), *written(tmp_path / "files")]
    assert len(files) == 2
    assert all(map(marked, files))
