# SPDX-License-Identifier: GPL-3.0-or-later
"""Every difference between Blender 4.5 LTS and 5.x that the extension meets, in one place.

Differences are detected by what the API offers, never by version number.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import bpy


def sequencer_scene(context: bpy.types.Context) -> bpy.types.Scene:
    """Return the scene whose timeline the Sequencer shows: the workspace's own since 5.0, the window's before."""
    workspace_scene = getattr(context, "sequencer_scene", None)
    return workspace_scene if workspace_scene is not None else context.scene


def top_level_strips(scene: bpy.types.Scene) -> bpy.types.StripsTopLevel:
    """Return the editable list of the scene's strips, making the sequence editor if there is none yet."""
    return (scene.sequence_editor or scene.sequence_editor_create()).strips


def left_handle(strip: bpy.types.Strip) -> int:
    """Return the first frame that the strip shows or plays."""
    return int(strip.left_handle if hasattr(strip, "left_handle") else strip.frame_final_start)


def right_handle(strip: bpy.types.Strip) -> int:
    """Return the frame after the last one that the strip shows or plays."""
    return int(strip.right_handle if hasattr(strip, "right_handle") else strip.frame_final_end)


def set_right_handle(strip: bpy.types.Strip, frame: int) -> None:
    """Trim or extend the strip's end."""
    setattr(strip, "right_handle" if hasattr(strip, "right_handle") else "frame_final_end", frame)


def set_left_handle(strip: bpy.types.Strip, frame: int) -> None:
    """Trim or extend the strip's start."""
    setattr(strip, "left_handle" if hasattr(strip, "left_handle") else "frame_final_start", frame)


def content_start(strip: bpy.types.Strip) -> float:
    """Return the frame where the strip's content begins, before any trimming (may be fractional)."""
    return float(strip.content_start if hasattr(strip, "content_start") else strip.frame_start)


def content_length(strip: bpy.types.Strip) -> int:
    """Return how many frames the strip's content lasts before any trimming."""
    return int(strip.content_duration if hasattr(strip, "content_duration") else strip.frame_duration)


def scene_override(scene: bpy.types.Scene) -> dict[str, bpy.types.Scene]:
    """Return the context members that make a sequencer operator work on `scene`."""
    members = {"scene": scene}
    if "sequencer_scene" in bpy.types.WorkSpace.bl_rna.properties:
        members["sequencer_scene"] = scene
    return members


def action_fcurves(id_block: bpy.types.ID) -> Iterator[bpy.types.FCurve]:
    """Yield the F-curves of the datablock's active action, for its slot."""
    animation = id_block.animation_data
    if animation is None or animation.action is None or animation.action_slot is None:
        return
    for layer in animation.action.layers:
        for strip in layer.strips:
            bag = strip.channelbag(animation.action_slot)
            if bag is not None:
                yield from bag.fcurves


def node_tree(owner: bpy.types.Material | bpy.types.World) -> bpy.types.ShaderNodeTree:
    """Return the shader nodes of a material or world, switched on. Since 5.0 they always are."""
    if not _always_has_nodes(owner) and not owner.use_nodes:
        owner.use_nodes = True
    return owner.node_tree


def used_nodes(owner: bpy.types.Material | bpy.types.World) -> list[bpy.types.Node]:
    """Return the shader nodes that count, none where the owner is shown by its plain colour."""
    if owner.node_tree is None or not (_always_has_nodes(owner) or owner.use_nodes):
        return []
    return list(owner.node_tree.nodes)


def _always_has_nodes(owner: bpy.types.ID) -> bool:
    switch = owner.bl_rna.properties.get("use_nodes")
    return switch is None or getattr(switch, "is_deprecated", False)


def compositor(scene: bpy.types.Scene) -> bpy.types.NodeTree | None:
    """Return the scene's compositor nodes, None where they do not count: a node group since 5.0, its own before."""
    if "compositing_node_group" in scene.bl_rna.properties:
        return scene.compositing_node_group
    return scene.node_tree if scene.use_nodes else None


def file_output_items(node: bpy.types.Node) -> list[tuple[str, bpy.types.ImageFormatSettings]]:
    """Return the path of each file that a File Output node writes, without number and extension, and its format."""
    several = node.format.file_format == "OPEN_EXR_MULTILAYER"  # all inputs in one file
    if hasattr(node, "file_output_items"):
        begin = os.path.join(node.directory, node.file_name)
        items = [
            (begin + item.name, item.format if item.override_node_format else node.format)
            for item in node.file_output_items
        ]
        return [(begin, node.format)] if several else items
    if several:
        return [(node.base_path, node.format)]
    return [
        (os.path.join(node.base_path, slot.path), node.format if slot.use_node_format else slot.format)
        for slot in node.file_slots
    ]
