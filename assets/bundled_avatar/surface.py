# SPDX-License-Identifier: GPL-3.0-or-later
"""Sample the synthetic head's visible surface: where its Gaussians start, and how every shape moves them.

    python surface.py --assets DIR --out surface.npz [--count 70000]

Writes, for P points of the neutral head in canonical metres: ``position`` and ``normal`` [P, 3], ``area_per_sample``
[P] in square metres, ``region`` [P] (see `REGIONS`), ``head_weight`` [P] (linear blend skinning), ``albedo`` [P, 3]
(sRGB 0..1), ``shape_delta`` [S, P, 3] float16 metres with ``shape_names`` [S], and ``pivot`` [3].
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from au_to_arkit import ACTION_UNITS, ARKIT_NAMES, to_arkit
from head import CANONICAL_TO_BLENDER, HEAD_ATTRIBUTE, Head, build_head
from identity import BUNDLED, Identity
from materials import FACE_ATTRIBUTE, SKIN_DETAIL, image_pixels
from stage import CAMERA_DISTANCE

from hmtalker.head_pose import HeadPose

REGIONS = ("face", "hair", "mouth", "eyes", "neck", "cloth", "brow")
"""Names of the values of ``region``; lashes count as brow."""
_REGION_OF_PART = {
    "hair": "hair",
    "teeth": "mouth",
    "tongue": "mouth",
    "eye": "eyes",
    "cloth": "cloth",
    "brow": "brow",
    "lash": "brow",
}
_DENSITY = {"face": 1.0, "hair": 0.8, "mouth": 6.0, "eyes": 3.0, "neck": 0.5, "cloth": 0.35, "brow": 4.0}
_DETAIL_DENSITY = 4.0
_DETAIL_SHAPES = {
    # where these shapes move the skin by more than so many metres, its detail matters: eyelids and lips
    "eyeBlinkLeft": 0.002,
    "eyeBlinkRight": 0.002,
    "mouthRollUpper": 0.0015,
    "mouthRollLower": 0.0015,
}
_TURNS = np.radians([-25.0, -12.0, 0.0, 12.0, 25.0])
_GRAZING = -0.1  # cosine; a little beyond the horizon, because shapes turn surfaces
_ALPHA = 0.5
_DEPTH_CELLS, _DEPTH_SPAN, _DEPTH_SLACK = 256, 0.64, 0.006
"""The depth image that tells what is hidden: cells across, width of view over distance, metres behind the nearest."""
_REVEALING = (
    # expressions that between them show all there is to see: at rest, shouting, laughing, blinking, whistling
    {},
    {"AU25": 5.0, "AU26": 5.0},
    {"AU12": 5.0, "AU06": 3.0, "AU10": 3.0, "AU25": 4.0, "AU26": 1.0},
    {"AU45": 2.0, "AU25": 5.0, "AU20": 5.0},
    {"AU05": 5.0, "AU25": 2.0, "AU26": 2.0, "funnel": 5.0},
)


@dataclass
class _Surface:
    """One part, subdivided and triangulated at rest, in canonical metres."""

    points: np.ndarray  # [V, 3]
    triangles: np.ndarray  # [T, 3]
    uvs: np.ndarray  # [T, 3, 2]
    materials: np.ndarray  # [T]
    head_weight: np.ndarray  # [V]
    face_weight: np.ndarray  # [V]
    shapes: dict[str, np.ndarray]  # name -> [V, 3]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--assets", type=Path, required=True, help="MakeHuman CC0 folder: base.obj, targets, assets")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=70000, help="about how many points")
    options = parser.parse_args(sys.argv[1:])
    head = build_head(options.assets, BUNDLED)
    samples = sample_surface(head, BUNDLED, options.count)
    np.savez_compressed(options.out, pivot=head.pivot, shape_names=np.array(ARKIT_NAMES), **samples)
    regions = {name: int((samples["region"] == i).sum()) for i, name in enumerate(REGIONS)}
    print(f"{len(samples['position'])} points: {regions}")


def sample_surface(head: Head, identity: Identity, count: int) -> dict[str, np.ndarray]:
    """About `count` samples of all parts, as described at the top of this file."""
    surfaces = {name: _evaluate(part) for name, part in head.parts.items()}
    rng = np.random.default_rng(0)
    # Much of what is drawn is dropped as unseen or transparent: draw a trial first to learn how much is left.
    trial = _draw(surfaces, head, identity, count, rng)
    return _draw(surfaces, head, identity, count * count / len(trial["position"]), rng)


def _draw(
    surfaces: dict[str, _Surface], head: Head, identity: Identity, count: float, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    prepared = {}
    for name, surface in surfaces.items():
        corners = surface.points[surface.triangles]
        cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        area = np.linalg.norm(cross, axis=1) / 2
        region, density = _regions(name, surface)
        prepared[name] = (cross, area, region, density)
    total = sum((area * density).sum() for _, area, _, density in prepared.values())
    collected: list[dict[str, np.ndarray]] = []
    for name, (cross, area, region, density) in prepared.items():
        surface = surfaces[name]
        mass = area * density
        number = round(count * mass.sum() / total)
        triangle = rng.choice(len(area), number, p=mass / mass.sum())
        bary = _barycentric(number, rng)
        vertices = surface.triangles[triangle]

        def blend(values: np.ndarray, vertices: np.ndarray = vertices, bary: np.ndarray = bary) -> np.ndarray:
            return np.einsum("pk,pk...->p...", bary, values[vertices])

        position = blend(surface.points)
        normal = cross[triangle] / np.maximum(2 * area[triangle, None], 1e-20)
        colour, alpha = _albedo(head, name, surface, triangle, bary, identity)
        keep = alpha > _ALPHA
        if name in ("body", "teeth", "tongue", "eye"):  # the others are open cards, seen from both sides
            keep &= _faces_camera(position, normal, head.pivot)
        part = {
            "position": position.astype(np.float32),
            "normal": normal.astype(np.float32),
            "area_per_sample": (total / count / density[triangle]).astype(np.float32),
            "region": region[triangle].astype(np.uint8),
            "head_weight": np.clip(blend(surface.head_weight), 0, 1).astype(np.float32),
            "albedo": colour.astype(np.float32),
            "shape_delta": np.zeros((number, len(ARKIT_NAMES), 3), np.float16),
        }
        for shape, values in surface.shapes.items():
            part["shape_delta"][:, ARKIT_NAMES.index(shape)] = blend(values)
        collected.append({key: values[keep] for key, values in part.items()})
    out = {key: np.concatenate([part[key] for part in collected]) for key in collected[0]}
    keep = np.zeros(len(out["position"]), bool)
    for weights in _revealing_weights():
        posed = out["position"] + np.tensordot(out["shape_delta"], weights.astype(np.float32), (1, 0))
        keep |= _uncovered(posed, head.pivot)
    out = {key: values[keep] for key, values in out.items()}
    out["shape_delta"] = np.ascontiguousarray(out["shape_delta"].transpose(1, 0, 2))
    return out


def _evaluate(part: bpy.types.Object) -> _Surface:
    """Rest and shapes of the subdivided mesh. Subdivision is linear, so shapes may be taken one by one."""
    keys = list(part.data.shape_keys.key_blocks[1:]) if part.data.shape_keys else []
    for key in keys:
        key.value = 0
    evaluated, mesh = _evaluated_mesh(part)
    points = _points(mesh)
    mesh.calc_loop_triangles()
    count = len(mesh.loop_triangles)
    triangles, loops, polygons = np.empty(count * 3, np.int32), np.empty(count * 3, np.int32), np.empty(count, np.int32)
    mesh.loop_triangles.foreach_get("vertices", triangles)
    mesh.loop_triangles.foreach_get("loops", loops)
    mesh.loop_triangles.foreach_get("polygon_index", polygons)
    uvs = np.empty(len(mesh.loops) * 2, np.float32)
    mesh.uv_layers[0].data.foreach_get("uv", uvs)
    materials = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("material_index", materials)
    surface = _Surface(
        points,
        triangles.reshape(-1, 3),
        uvs.reshape(-1, 2)[loops].reshape(-1, 3, 2),
        materials[polygons],
        _attribute(mesh, HEAD_ATTRIBUTE),
        _attribute(mesh, FACE_ATTRIBUTE) if FACE_ATTRIBUTE in mesh.attributes else np.ones(len(points), np.float32),
        {},
    )
    evaluated.to_mesh_clear()
    for key in keys:
        key.value = 1
        evaluated, mesh = _evaluated_mesh(part)
        surface.shapes[key.name] = _points(mesh) - points
        evaluated.to_mesh_clear()
        key.value = 0
    return surface


def _evaluated_mesh(part: bpy.types.Object) -> tuple[bpy.types.Object, bpy.types.Mesh]:
    bpy.context.view_layer.update()
    evaluated = part.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return evaluated, evaluated.to_mesh()


def _points(mesh: bpy.types.Mesh) -> np.ndarray:
    values = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", values)
    return values.reshape(-1, 3).astype(np.float64) @ CANONICAL_TO_BLENDER


def _attribute(mesh: bpy.types.Mesh, name: str) -> np.ndarray:
    values = np.empty(len(mesh.vertices), np.float32)
    mesh.attributes[name].data.foreach_get("value", values)
    return values


def _regions(name: str, surface: _Surface) -> tuple[np.ndarray, np.ndarray]:
    """Region and sampling density of every triangle."""
    count = len(surface.triangles)
    if name != "body":
        region = REGIONS.index(_REGION_OF_PART[name])
        return np.full(count, region), np.full(count, _DENSITY[REGIONS[region]])
    lining = surface.materials == 1
    neck = surface.face_weight[surface.triangles].mean(1) < 0.5
    region = np.where(lining, REGIONS.index("mouth"), np.where(neck, REGIONS.index("neck"), REGIONS.index("face")))
    density = np.array([_DENSITY[r] for r in REGIONS])[region]
    for shape, threshold in _DETAIL_SHAPES.items():
        moved = np.linalg.norm(surface.shapes[shape], axis=1)[surface.triangles].mean(1)
        density[(moved > threshold) & ~lining] = _DETAIL_DENSITY
    return region, density


def _barycentric(count: int, rng: np.random.Generator) -> np.ndarray:
    """Uniform in the triangle (Turk 1990): [count, 3]."""
    a, b = np.sqrt(rng.random(count)), rng.random(count)
    return np.stack([1 - a, a * (1 - b), a * b], 1)


def _albedo(
    head: Head, name: str, surface: _Surface, triangle: np.ndarray, bary: np.ndarray, identity: Identity
) -> tuple[np.ndarray, np.ndarray]:
    """Rough sRGB colour [P, 3] and opacity [P]: texture times tint, as the materials do in short."""
    uv = np.einsum("pk,pkc->pc", bary, surface.uvs[triangle])
    colour, alpha = np.full((len(uv), 3), 0.5), np.ones(len(uv))
    tints = {"hair": identity.hair_tint, "brow": identity.brow_tint, "lash": (0.15, 0.1, 0.08)}
    if name == "cloth":
        return np.tile(_encode(np.array(identity.cloth_colour)), (len(uv), 1)), alpha
    if name == "eye":
        alpha[surface.materials[triangle] == 1] = 0  # the cornea is clear
    material = head.parts[name].data.materials[0]
    textures = [n.image for n in material.node_tree.nodes if n.type == "TEX_IMAGE"]
    pixels = image_pixels(next(t for t in textures if t.name != SKIN_DETAIL))
    at = ((uv % 1) * (np.array(pixels.shape[1::-1]) - 1)).astype(int)
    texel = pixels[at[:, 1], at[:, 0]]
    colour = texel[:, :3] * _encode(np.array(tints.get(name, (1.0, 1.0, 1.0))))
    if name in tints:
        alpha = texel[:, 3]
    if name == "body":
        colour = np.where((surface.materials[triangle] == 1)[:, None], colour * (0.77, 0.58, 0.58), colour)
    return colour, alpha


def _encode(linear: np.ndarray) -> np.ndarray:
    return np.clip(linear, 0, 1) ** (1 / 2.2)


def _turned(position: np.ndarray, pivot: np.ndarray) -> Iterator[np.ndarray]:
    """Points in head turns of up to 25 degrees, relative to the camera (canonical axes)."""
    camera = np.array([0.0, pivot[1] + 0.1, CAMERA_DISTANCE + 0.1])
    for yaw in _TURNS:
        yield (position - pivot) @ HeadPose((0.0, float(yaw), 0.0)).matrix().T + pivot - camera


def _faces_camera(position: np.ndarray, normal: np.ndarray, pivot: np.ndarray) -> np.ndarray:
    """Whether the outside of a point shows in any turn of the head: [P] bool."""
    seen = np.zeros(len(position), bool)
    for yaw, ray in zip(_TURNS, _turned(position, pivot), strict=True):
        turned = normal @ HeadPose((0.0, float(yaw), 0.0)).matrix().T
        seen |= -(turned * ray).sum(1) / np.linalg.norm(ray, axis=1) > _GRAZING
    return seen


def _revealing_weights() -> np.ndarray:
    """Shape weights [E, 52] of `_REVEALING`."""
    units = np.array([[pose.get(code, 0.0) for code in ACTION_UNITS] for pose in _REVEALING])
    return to_arkit(units, funnel=np.array([pose.get("funnel", 0.0) for pose in _REVEALING]))


def _uncovered(position: np.ndarray, pivot: np.ndarray) -> np.ndarray:
    """Whether a point is among the nearest in its cell of a depth image, in any turn of the head: [P] bool."""
    seen = np.zeros(len(position), bool)
    for ray in _turned(position, pivot):
        depth = -ray[:, 2]
        cells = np.floor((ray[:, :2] / depth[:, None] / _DEPTH_SPAN + 0.5) * _DEPTH_CELLS).astype(int)
        column, row = np.clip(cells, 1, _DEPTH_CELLS - 2).T
        nearest = np.full((_DEPTH_CELLS, _DEPTH_CELLS), np.inf)
        for down in (-1, 0, 1):  # a point also covers the cells around its own: there are about as many cells as points
            for right in (-1, 0, 1):
                np.minimum.at(nearest, (row + down, column + right), depth)
        seen |= depth < nearest[row, column] + _DEPTH_SLACK
    return seen


if __name__ == "__main__":
    main()
