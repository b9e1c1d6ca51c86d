# SPDX-License-Identifier: GPL-3.0-or-later
"""Assemble the head in Blender: parts fitted to the morphed base mesh, 52 expression shapes, a two-bone neck."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from hair import comb_fringe_aside
from identity import Identity
from makehuman import Face, Fitting, Mesh, read_obj, read_target, to_blender
from materials import FACE_ATTRIBUTE, build_materials, image_pixels
from mathutils import Matrix, Vector

from hmtalker.head_pose import HeadPose

HEAD_ATTRIBUTE = "head_weight"
"""Point attribute of every part: how much of the head pose a point follows (linear blend skinning)."""
CANONICAL_TO_BLENDER = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])

_NECK_JOINT, _HEAD_JOINT = slice(14534, 14542), slice(14070, 14078)  # joint cubes of the base mesh
_EYE_HELPERS = slice(14598, 14742)
_LOWER_TEETH_HELPERS = np.arange(14992, 15060)
_CUT_HEIGHT, _CUT_HALF_WIDTH = 4.2, 2.4  # decimetres: keep only what the camera sees
_LINING_LIMIT = 600  # vertices; the mouth bag is the only small texture island on the midline


@dataclass(frozen=True)
class Head:
    """The rigged head. Poses are set through `pose`; all parts share one armature."""

    parts: dict[str, bpy.types.Object]
    rig: bpy.types.Object
    pivot: np.ndarray
    """[3] canonical metres: the head turns about it."""
    eye_centre: np.ndarray
    """[3] canonical metres, midway between the eyes."""
    shape_names: tuple[str, ...]
    """The 52 ARKit shapes, in alphabetical order."""

    def pose(self, shape_weights: Mapping[str, float], head: np.ndarray) -> None:
        """shape_weights: ARKit name -> weight; head [6]: pitch, yaw, roll (radians), x, y, z (canonical metres)."""
        for part in self.parts.values():
            if part.data.shape_keys:
                for key in part.data.shape_keys.key_blocks[1:]:
                    key.value = float(shape_weights.get(key.name, 0.0))
        matrix = head_matrix(head, self.pivot)
        bone = self.rig.data.bones["head"]
        self.rig.pose.bones["head"].matrix = Matrix(matrix.tolist()) @ bone.matrix_local


def head_matrix(head: np.ndarray, pivot: np.ndarray) -> np.ndarray:
    """The head bone's motion [4, 4] in Blender space, from a canonical pose [6] about a canonical pivot [3]."""
    turn = HeadPose.from_array(head).matrix()
    shift = pivot + head[3:6] - turn @ pivot
    matrix = np.eye(4)
    matrix[:3, :3] = CANONICAL_TO_BLENDER @ turn @ CANONICAL_TO_BLENDER.T
    matrix[:3, 3] = CANONICAL_TO_BLENDER @ shift
    return matrix


def build_head(assets: Path, identity: Identity) -> Head:
    """Build the head in an emptied Blender scene. assets: a folder with ``base.obj``, ``targets`` and ``assets``."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    base = read_obj(assets / "base.obj")
    shapes = _read_shapes(assets, len(base.vertices))
    vertices = _morph(assets, base.vertices, identity)
    for name, weight in identity.rest.items():
        vertices = vertices + weight * shapes[name]
        shapes[name] = shapes[name] * (1 - weight)  # a weight of one still means the full expression

    neck, skull = vertices[_NECK_JOINT].mean(0), vertices[_HEAD_JOINT].mean(0)
    pivot = to_blender((0.55 * neck + 0.45 * skull)[None])[0]
    rig = _build_rig(pivot)
    low, high = _along_neck(neck) - 0.30, _along_neck(skull) - 0.27

    parts_folder = assets / "assets"
    materials = build_materials(parts_folder, identity)
    maker = _PartMaker(rig, vertices, shapes, low, high)
    cloth = maker.fitting(parts_folder / "clothes" / identity.cloth / f"{identity.cloth}.mhclo")
    parts = {"body": _build_body(maker, base, cloth, materials)}
    parts["eye"] = _build_eyes(maker, parts_folder / "eyes" / "high-poly", materials)
    parts["teeth"] = _build_teeth(maker, parts_folder / "teeth" / "teeth_base", materials)
    for name, folder in (
        ("tongue", parts_folder / "tongue" / "tongue01"),
        ("brow", parts_folder / "eyebrows" / identity.brow),
        ("lash", parts_folder / "eyelashes" / identity.lash),
    ):
        fitting, mesh = maker.fitted(folder)
        parts[name] = maker.make(
            name, mesh, [materials[name]], {k: fitting.displacement(d) for k, d in shapes.items()}, 1
        )
    parts["hair"] = _build_hair(maker, parts_folder / "hair" / identity.hair, materials)
    parts["cloth"] = _build_cloth(maker, parts_folder / "clothes" / identity.cloth, materials)
    for name in ("brow", "lash"):
        parts[name].visible_shadow = False  # cards hover over the skin; their shadow would double them
    eyes = to_blender(vertices[_EYE_HELPERS].mean(0)[None])[0]
    return Head(parts, rig, CANONICAL_TO_BLENDER.T @ pivot, CANONICAL_TO_BLENDER.T @ eyes, tuple(sorted(shapes)))


def _read_shapes(assets: Path, count: int) -> dict[str, np.ndarray]:
    files = sorted((assets / "targets" / "faceunits01_arkit").glob("*.target"))
    return {file.stem: read_target(file, count) for file in files}


def _morph(assets: Path, vertices: np.ndarray, identity: Identity) -> np.ndarray:
    weights = {f"macrodetails/{name}": weight for name, weight in identity.macro.items()}
    for name, weight in identity.details.items():
        if name.startswith("both:"):
            folder, morph = name.removeprefix("both:").split("/")
            weights[f"{folder}/l-{morph}"] = weights[f"{folder}/r-{morph}"] = weight
        else:
            weights[name] = weight
    for name, weight in weights.items():
        vertices = vertices + weight * read_target(assets / "targets" / f"{name}.target.gz", len(vertices))
    return vertices


def _build_rig(pivot: np.ndarray) -> bpy.types.Object:
    armature = bpy.data.armatures.new("rig")
    rig = bpy.data.objects.new("rig", armature)
    bpy.context.scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    for name, tail, tip in (("torso", pivot - [0, 0, 0.3], pivot), ("head", pivot, pivot + np.array([0, 0, 0.2]))):
        bone = armature.edit_bones.new(name)
        bone.head, bone.tail = Vector(tail), Vector(tip)
    bpy.ops.object.mode_set(mode="OBJECT")
    rig.hide_render = True
    return rig


def _along_neck(points: np.ndarray) -> np.ndarray:
    """Height along a neck that leans forward: the jaw line is lower in front than the nape."""
    return points[..., 1] + 0.4 * points[..., 2]


def _smoothstep(low: float, high: float, x: np.ndarray) -> np.ndarray:
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


class _PartMaker:
    """Makes Blender objects from MakeHuman meshes, all on the same rig."""

    def __init__(
        self, rig: bpy.types.Object, vertices: np.ndarray, shapes: dict[str, np.ndarray], low: float, high: float
    ) -> None:
        self.rig, self.vertices, self.shapes, self.low, self.high = rig, vertices, shapes, low, high

    def fitting(self, path: Path) -> Fitting:
        return Fitting(path, self.vertices)

    def fitted(self, folder: Path) -> tuple[Fitting, Mesh]:
        """The part in a folder (named as the folder), placed on this identity."""
        fitting = self.fitting(folder / f"{folder.name}.mhclo")
        mesh = read_obj(folder / f"{folder.name}.obj")
        position = fitting.position(self.vertices)
        faces = [f for f in mesh.faces if max(f.vertices) < len(position)]
        return fitting, Mesh(position, mesh.uvs, faces)

    def head_weight(self, points: np.ndarray) -> np.ndarray:
        return _smoothstep(self.low, self.high, _along_neck(points))

    def make(
        self,
        name: str,
        mesh: Mesh,
        materials: list[bpy.types.Material],
        shapes: Mapping[str, np.ndarray] | None = None,
        subdivisions: int = 0,
        head_weight: np.ndarray | None = None,
        material_of_face: np.ndarray | None = None,
        attributes: Mapping[str, np.ndarray] | None = None,
    ) -> bpy.types.Object:
        used = np.unique([v for f in mesh.faces for v in f.vertices])
        index = np.full(len(mesh.vertices), -1)
        index[used] = np.arange(len(used))
        data = bpy.data.meshes.new(name)
        rest = to_blender(mesh.vertices[used])
        data.from_pydata(rest.tolist(), [], [index[list(f.vertices)].tolist() for f in mesh.faces])
        uvs = mesh.uvs[[t for f in mesh.faces for t in f.uvs]]
        data.uv_layers.new(name="UVMap").data.foreach_set("uv", uvs.astype(np.float32).ravel())
        for material in materials:
            data.materials.append(material)
        if material_of_face is not None:
            data.polygons.foreach_set("material_index", np.asarray(material_of_face, np.int32))
        data.polygons.foreach_set("use_smooth", np.ones(len(mesh.faces), bool))
        weight = (np.ones(len(mesh.vertices)) if head_weight is None else head_weight)[used]
        for key, values in {HEAD_ATTRIBUTE: weight, **{k: a[used] for k, a in (attributes or {}).items()}}.items():
            data.attributes.new(key, "FLOAT", "POINT").data.foreach_set("value", values.astype(np.float32))
        data.update()
        part = bpy.data.objects.new(name, data)
        bpy.context.scene.collection.objects.link(part)
        _add_shapes(part, rest, {k: to_blender(d[used]) for k, d in (shapes or {}).items()})
        if subdivisions:
            modifier = part.modifiers.new("subdivide", "SUBSURF")
            modifier.levels = modifier.render_levels = subdivisions
            modifier.uv_smooth = "PRESERVE_BOUNDARIES"
            modifier.use_limit_surface = False
        self._skin(part, weight)
        return part

    def _skin(self, part: bpy.types.Object, weight: np.ndarray) -> None:
        """Skinned after subdivision, so that a point moves exactly by its own interpolated weight."""
        for name, values in (("head", weight), ("torso", 1 - weight)):
            group = part.vertex_groups.new(name=name)
            for i in np.nonzero(values > 1e-4)[0]:
                group.add([int(i)], float(values[i]), "REPLACE")
        part.modifiers.new("skin", "ARMATURE").object = self.rig


def _add_shapes(part: bpy.types.Object, rest: np.ndarray, shapes: Mapping[str, np.ndarray]) -> None:
    moving = {name: delta for name, delta in shapes.items() if np.abs(delta).max() > 1e-6}
    if not moving:
        return
    part.shape_key_add(name="Basis")
    for name, delta in moving.items():
        key = part.shape_key_add(name=name, from_mix=False)
        key.slider_min, key.slider_max = -1, 2
        key.data.foreach_set("co", (rest + delta).astype(np.float32).ravel())


def _texture_islands(faces: list[Face]) -> np.ndarray:
    """Connected component of the texture layout of each face: [F] labels."""
    parent: dict[int, int] = {}

    def find(x: int) -> int:
        while parent.setdefault(x, x) != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        return x

    for face in faces:
        for corner in face.uvs[1:]:
            parent[find(corner)] = find(face.uvs[0])
    return np.array([find(face.uvs[0]) for face in faces])


def _build_body(maker: _PartMaker, base: Mesh, cloth: Fitting, materials: dict) -> bpy.types.Object:
    points = maker.vertices
    faces = [f for f in base.faces if f.group == "body"]
    islands = _texture_islands(faces)
    lining = set()
    for island in np.unique(islands):
        members = np.unique([v for f, i in zip(faces, islands, strict=True) if i == island for v in f.vertices])
        if abs(points[members].mean(0)[0]) < 0.05 and len(members) < _LINING_LIMIT:
            lining.add(island)
    keep = [
        (f, island in lining)
        for f, island in zip(faces, islands, strict=True)
        if points[list(f.vertices), 1].min() > _CUT_HEIGHT
        and np.abs(points[list(f.vertices), 0]).max() < _CUT_HALF_WIDTH
        and not cloth.hidden_base_vertices.issuperset(f.vertices)
    ]
    face = _smoothstep(maker.high - 0.10, maker.high - 0.06, _along_neck(points))
    return maker.make(
        "body",
        Mesh(points, base.uvs, [f for f, _ in keep]),
        [materials["skin"], materials["lining"]],
        maker.shapes,
        subdivisions=2,
        head_weight=maker.head_weight(points),
        material_of_face=np.array([inside for _, inside in keep]),
        attributes={FACE_ATTRIBUTE: face},
    )


def _build_eyes(maker: _PartMaker, folder: Path, materials: dict) -> bpy.types.Object:
    fitting, mesh = maker.fitted(folder)
    points = mesh.vertices
    for side in (points[:, 0] > 0, points[:, 0] < 0):  # 2% smaller, so that closed lids cover them
        centre = points[side].mean(0)
        points[side] = centre + (points[side] - centre) * 0.98 - [0, 0, 0.003]
    # The cornea is a shell of its own: the faces whose texels are transparent.
    eye_image = next(n.image for n in materials["eye"].node_tree.nodes if n.type == "TEX_IMAGE")
    pixels = image_pixels(eye_image)
    centres = np.array([mesh.uvs[list(f.uvs)].mean(0) for f in mesh.faces]) % 1
    rows = (centres * (np.array(pixels.shape[1::-1]) - 1)).astype(int)
    cornea = pixels[rows[:, 1], rows[:, 0], 3] < 0.5
    shapes = {k: fitting.displacement(d) for k, d in maker.shapes.items()}
    return maker.make("eye", mesh, [materials["eye"], materials["cornea"]], shapes, 1, material_of_face=cornea)


def _build_teeth(maker: _PartMaker, folder: Path, materials: dict) -> bpy.types.Object:
    """The lower teeth follow the jaw rigidly; the upper ones are part of the skull."""
    fitting, mesh = maker.fitted(folder)
    points = mesh.vertices
    lower = np.isin(fitting.anchors[:, 0], _LOWER_TEETH_HELPERS)
    points[~lower] += [0, -0.022, 0.006]  # the asset hides the upper incisors behind the lip
    points[lower] += [0, -0.012, -0.004]
    shapes = {}
    for name, delta in maker.shapes.items():
        if name.startswith("jaw"):
            moved = np.zeros_like(points)
            moved[lower] = _rigid(points[lower], points[lower] + fitting.displacement(delta)[lower]) - points[lower]
            shapes[name] = moved
    return maker.make("teeth", mesh, [materials["teeth"]], shapes)


def _rigid(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """source [N, 3] moved by the rigid motion that best takes it to target (Kabsch 1976)."""
    a, b = source.mean(0), target.mean(0)
    u, _, vt = np.linalg.svd((source - a).T @ (target - b))
    turn = vt.T @ np.diag([1, 1, np.sign(np.linalg.det(vt.T @ u.T))]) @ u.T
    return (source - a) @ turn.T + b


def _build_hair(maker: _PartMaker, folder: Path, materials: dict) -> bpy.types.Object:
    _, mesh = maker.fitted(folder)
    if folder.name == "bob02":
        mesh = comb_fringe_aside(mesh)
    return maker.make("hair", mesh, [materials["hair"]], None, 1)


def _build_cloth(maker: _PartMaker, folder: Path, materials: dict) -> bpy.types.Object:
    _, mesh = maker.fitted(folder)
    points = mesh.vertices
    faces = [
        f
        for f in mesh.faces
        if points[list(f.vertices), 1].min() > _CUT_HEIGHT and np.abs(points[list(f.vertices), 0]).max() < 2.6
    ]
    weight = 0.5 * maker.head_weight(points)  # a collar gives a little where the neck turns in it
    return maker.make("cloth", Mesh(points, mesh.uvs, faces), [materials["cloth"]], None, 1, weight)
