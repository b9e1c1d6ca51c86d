# SPDX-License-Identifier: GPL-3.0-or-later
"""The face as a thing in the scene: the avatar's own mesh, shaped and coloured by the frame that the scene camera sees.

The mesh is a relief with one vertex a pixel and the pixel's colour on it, premultiplied, so that EEVEE and Cycles draw
it without any image: nothing is left unsaved, nothing is cached from an older frame, and no edge gets a fringe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
import numpy as np

from . import camera_view, versions

if TYPE_CHECKING:
    from .depth_relief import Relief

COLOUR = "hmtalker_colour"
"""Name of the colour attribute."""
MARK = "hmtalker_card"
"""Property of meshes that may be rewritten. An artist's own mesh never is."""
MATERIAL = "HM-Talker Face"
OUTLINE, CARD = "BOUNDS", "TEXTURED"
"""Display types of an avatar object: the edges of its box, or the card. Any other is the artist's choice, and stays."""
CLEAR = (1.0, 1.0, 1.0, 0.0)
"""Colour of the card in Solid shading, where the face is drawn by ``viewport_face``: nothing is seen of it."""


def is_card(candidate: bpy.types.Object) -> bool:
    """Say whether the object's mesh is one that may be rewritten now."""
    return candidate.type == "MESH" and candidate.mode == "OBJECT" and bool(candidate.data.get(MARK))


def new_mesh(name: str, avatar_bounds: np.ndarray, object_from_canonical: np.ndarray) -> bpy.types.Mesh:
    """Return a mesh for a new avatar: the outline of its box, until there is a face."""
    mesh = _empty_mesh(name)
    write_box(mesh, avatar_bounds, object_from_canonical)
    return mesh


def own_mesh(avatar_object: bpy.types.Object) -> bpy.types.Mesh:
    """Return the object's card, one of its own if it has that of a library: linked meshes cannot be rewritten.

    Overrides keep theirs; a plainly linked object has it for this session, and gets another in the next.
    """
    if avatar_object.data.library is not None:
        avatar_object.data = _empty_mesh(avatar_object.data.name)
    return avatar_object.data


def write(mesh: bpy.types.Mesh, relief: Relief) -> None:
    """Give the mesh this surface."""
    # As attributes, whole arrays are copied; as `vertices` and `loops` each number is set by itself
    mesh.clear_geometry()
    mesh.vertices.add(len(relief.vertices))
    mesh.attributes["position"].data.foreach_set("vector", np.ascontiguousarray(relief.vertices, np.float32).ravel())
    mesh.loops.add(relief.quads.size)
    mesh.attributes[".corner_vert"].data.foreach_set("value", np.ascontiguousarray(relief.quads, np.int32).ravel())
    mesh.polygons.add(len(relief.quads))
    mesh.polygons.foreach_set("loop_start", np.arange(0, relief.quads.size, 4, dtype=np.int32))
    colours = mesh.attributes.new(COLOUR, "FLOAT_COLOR", "POINT")
    colours.data.foreach_set("color", np.ascontiguousarray(relief.colours, np.float32).ravel())
    mesh.attributes.active_color = colours
    mesh.update(calc_edges=True)


def write_box(mesh: bpy.types.Mesh, avatar_bounds: np.ndarray, object_from_canonical: np.ndarray) -> None:
    """Give the mesh the edges of a box, which are seen in the viewport and not rendered.

    avatar_bounds: float64 [2,3] in canonical space. object_from_canonical: float64 [4,4].
    """
    placed = camera_view.corners_of(avatar_bounds) @ object_from_canonical[:3, :3].T + object_from_canonical[:3, 3]
    edges = [(a, a | bit) for a in range(8) for bit in (1, 2, 4) if not a & bit]
    mesh.clear_geometry()
    mesh.vertices.add(8)
    mesh.vertices.foreach_set("co", placed.astype(np.float32).ravel())
    mesh.edges.add(len(edges))
    mesh.edges.foreach_set("vertices", np.array(edges, np.int32).ravel())
    mesh.update()


def set_display(avatar_object: bpy.types.Object, kind: str) -> None:
    """Display an avatar as OUTLINE or as CARD. In Front keeps the card's depth out of Solid viewports' own."""
    avatar_object.display_type, avatar_object.show_in_front = kind, kind == CARD


def clear(mesh: bpy.types.Mesh) -> None:
    """Leave nothing to see of the mesh."""
    mesh.clear_geometry()
    mesh.update()


def _empty_mesh(name: str) -> bpy.types.Mesh:
    mesh = bpy.data.meshes.new(name)
    mesh[MARK] = True
    mesh.materials.append(_material())
    return mesh


def _material() -> bpy.types.Material:
    """Return the material of all cards: the vertices' colour as light, over what alpha leaves of what is behind."""
    for known in bpy.data.materials:
        if known.get(MARK) and known.library is None:
            return known
    material = bpy.data.materials.new(MATERIAL)
    material[MARK] = True
    tree = versions.node_tree(material)
    tree.nodes.clear()
    kinds = ("Attribute", "Math", "BsdfTransparent", "Emission", "AddShader", "OutputMaterial")
    colour, left, through, light, both, output = nodes = [tree.nodes.new(f"ShaderNode{kind}") for kind in kinds]
    colour.attribute_name = COLOUR
    left.operation = "SUBTRACT"
    left.inputs[0].default_value = 1.0
    for source, target in (
        (colour.outputs["Color"], light.inputs["Color"]),
        (colour.outputs["Alpha"], left.inputs[1]),
        (left.outputs[0], through.inputs["Color"]),
        (light.outputs[0], both.inputs[0]),
        (through.outputs[0], both.inputs[1]),
        (both.outputs[0], output.inputs["Surface"]),
    ):
        tree.links.new(source, target)
    for column, node in enumerate(nodes):
        node.location = 180 * column, 0
    material.surface_render_method = "BLENDED"  # exact where hair is half transparent; Dithered would be noise there
    material.use_transparent_shadow = True
    material.diffuse_color = CLEAR
    if hasattr(material, "cycles"):
        material.cycles.emission_sampling = "NONE"  # a face is no lamp: looking for its light only costs samples
    return material
