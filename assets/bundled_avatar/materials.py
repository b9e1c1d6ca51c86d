# SPDX-License-Identifier: GPL-3.0-or-later
"""Cycles materials of the head. Each also writes which class of the label image it belongs to (the AOV ``label``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
from identity import Colour, Identity

LABEL_PASS = "label"
"""Colour AOV: red = inside of the mouth, green = hair, blue = face above the neck, black = all else."""
MOUTH, HAIR, FACE, OTHER = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, 0.0)
SKIN_DETAIL = "skin_detail"
"""Name of the generated image of the skin's fine relief and gloss."""
FACE_ATTRIBUTE = "face_weight"
"""Point attribute of the body: above one half is face, below is neck."""


class _Shader:
    """A node tree under construction."""

    def __init__(self, name: str) -> None:
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.tree.nodes.clear()
        self.output = self.node("ShaderNodeOutputMaterial")

    def node(self, kind: str, inputs: dict[int | str, Any] | None = None, **settings: Any) -> Any:
        made = self.tree.nodes.new(kind)
        for name, value in settings.items():
            setattr(made, name, value)
        for socket, value in (inputs or {}).items():
            self.connect(made, socket, value)
        return made

    def connect(self, node: Any, socket: int | str, value: Any) -> None:
        if isinstance(value, bpy.types.Node):
            value = value.outputs[0]
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, node.inputs[socket])
        else:
            node.inputs[socket].default_value = value

    def math(self, operation: str, a: Any, b: Any = 0.0, clamp: bool = False) -> Any:
        return self.node("ShaderNodeMath", {0: a, 1: b}, operation=operation, use_clamp=clamp).outputs[0]

    def multiply(self, colour: Any, tint: Any) -> Any:
        mixed = self.node("ShaderNodeMix", {0: 1.0, 6: colour, 7: tint}, data_type="RGBA", blend_type="MULTIPLY")
        return mixed.outputs[2]

    def texture(self, picture: bpy.types.Image) -> Any:
        return self.node("ShaderNodeTexImage", image=picture)

    def label(self, colour: Colour, coverage: Any = None) -> None:
        """Write the class colour, times a coverage socket where the surface is partly transparent."""
        value: Any = (*colour, 1.0)
        if coverage is not None:
            channels = {i: coverage for i, channel in enumerate(colour) if channel}
            value = self.node("ShaderNodeCombineColor", channels)
        self.node("ShaderNodeOutputAOV", {0: value}, aov_name=LABEL_PASS)

    def finish(self, surface: Any) -> bpy.types.Material:
        self.connect(self.output, 0, surface)
        return self.material


def build_materials(assets: Path, identity: Identity) -> dict[str, bpy.types.Material]:
    """All materials by part name: skin, lining, teeth, tongue, eye, cornea, hair, brow, lash, cloth.

    assets: the folder that holds ``skins``, ``eyes``, ``hair``...
    """
    skin = load_image(assets / "skins" / "textures" / f"{identity.skin}.png")
    hair = load_image(assets / "hair" / identity.hair / f"{identity.hair}_diffuse.png")
    brow = load_image(assets / "eyebrows" / identity.brow / f"{identity.brow}.png")
    lash = load_image(assets / "eyelashes" / identity.lash / f"{identity.lash}.png")
    materials = {
        "skin": _skin(skin, identity),
        "lining": _lining(skin),
        "teeth": _teeth(load_image(assets / "teeth" / "materials" / "teeth.png")),
        "tongue": _tongue(load_image(assets / "tongue" / "tongue01" / "tongue01_diffuse.png")),
        "eye": _eye(load_image(assets / "eyes" / "materials" / f"{identity.eye}.png")),
        "cornea": _cornea(),
        "hair": _card("hair", hair, HAIR, identity.hair_tint, roughness=0.48, specular=0.18),
        "brow": _card(
            "brow", brow, FACE, identity.brow_tint, roughness=0.7, specular=0.1, opacity=identity.brow_opacity
        ),
        "lash": _card("lash", lash, FACE, (0.15, 0.1, 0.08), roughness=0.7, specular=0.1, opacity=0.9),
        "cloth": _cloth(assets / "clothes" / identity.cloth, identity),
    }
    materials["hair"].use_transparent_shadow = False  # dozens of cards deep: it would cost a fifth of every frame
    return materials


def load_image(path: Path, data: bool = False) -> bpy.types.Image:
    picture = bpy.data.images.load(str(path), check_existing=True)
    if data:
        picture.colorspace_settings.name = "Non-Color"
    return picture


def image_pixels(picture: bpy.types.Image) -> np.ndarray:
    """Stored values [H, W, 4] in 0..1, row 0 at the bottom (texture coordinates grow upwards)."""
    width, height = picture.size
    values = np.empty(width * height * 4, np.float32)
    picture.pixels.foreach_get(values)
    return values.reshape(height, width, 4)


def _box_blur(values: np.ndarray, radius: int) -> np.ndarray:
    """Two passes of a box along each axis."""
    for axis in (0, 1):
        for _ in range(2):
            pad = [(radius + 1, radius) if a == axis else (0, 0) for a in (0, 1)]
            sums = np.pad(values, pad, mode="edge").cumsum(axis)
            at = np.arange(values.shape[axis])
            values = (np.take(sums, at + 2 * radius + 1, axis) - np.take(sums, at, axis)) / (2 * radius + 1)
    return values


def _skin_detail(picture: bpy.types.Image) -> bpy.types.Image:
    """Red: fine relief read off the photograph's shading. Green: lips, which are glossier."""
    pixels = image_pixels(picture).astype(np.float64)
    height, width = pixels.shape[:2]
    light = pixels[..., :3].mean(2)
    relief = _box_blur(light, 1) - _box_blur(light, 7)
    redness = _box_blur(pixels[..., 0] - 0.5 * (pixels[..., 1] + pixels[..., 2]), 2)
    out = np.full((height, width, 4), 0.5, np.float32)
    out[..., 0] = np.clip(0.5 + 3 * relief, 0, 1)
    out[..., 1] = np.clip((redness - 0.26) / 0.12, 0, 1)
    out[..., 3] = 1
    detail = bpy.data.images.new(SKIN_DETAIL, width, height, alpha=False, is_data=True)
    detail.pixels.foreach_set(out.ravel())
    detail.update()
    detail.pack()
    return detail


def _skin(picture: bpy.types.Image, identity: Identity) -> bpy.types.Material:
    s = _Shader("skin")
    detail = s.node("ShaderNodeSeparateColor", {0: s.texture(_skin_detail(picture))})
    relief, gloss = detail.outputs[0], detail.outputs[1]
    tone = {"Saturation": identity.skin_saturation, "Value": identity.skin_value, "Color": s.texture(picture)}
    colour = s.node("ShaderNodeHueSaturation", tone)
    bump = s.node("ShaderNodeBump", {"Strength": 0.35, "Distance": 0.0012, "Height": relief})
    roughness = s.math("SUBTRACT", 0.52, s.math("MULTIPLY", gloss, 0.14))
    roughness = s.math("ADD", roughness, s.math("MULTIPLY", s.math("SUBTRACT", 0.5, relief), 0.3), clamp=True)
    surface = s.node(
        "ShaderNodeBsdfPrincipled",
        {
            "Base Color": colour,
            "Roughness": roughness,
            "Normal": bump,
            "Specular IOR Level": 0.38,
            "Subsurface Weight": 1.0,
            "Subsurface Scale": 0.0045,
            "Subsurface Radius": (1.0, 0.36, 0.18),
        },
        subsurface_method="BURLEY",  # random walk costs 70% more for a difference that 512 pixels do not show
    )
    weight = s.node("ShaderNodeAttribute", attribute_name=FACE_ATTRIBUTE, attribute_type="GEOMETRY").outputs["Fac"]
    s.label(FACE, s.math("GREATER_THAN", weight, 0.5))
    return s.finish(surface)


def _lining(skin: bpy.types.Image) -> bpy.types.Material:
    s = _Shader("lining")
    colour = s.multiply(s.texture(skin), (0.55, 0.30, 0.30, 1))
    s.label(MOUTH)
    return s.finish(s.node("ShaderNodeBsdfPrincipled", {"Base Color": colour, "Roughness": 0.35}))


def _teeth(picture: bpy.types.Image) -> bpy.types.Material:
    s = _Shader("teeth")
    bright = s.node("ShaderNodeHueSaturation", {"Saturation": 0.7, "Value": 1.5, "Color": s.texture(picture)})
    colour = s.multiply(bright, (1.0, 0.96, 0.88, 1))
    s.label(MOUTH)
    # A little light of their own: enamel is translucent, and two diffuse bounces do not carry light behind the lips.
    look = {"Base Color": colour, "Roughness": 0.22, "Emission Color": colour, "Emission Strength": 0.16}
    return s.finish(s.node("ShaderNodeBsdfPrincipled", look))


def _tongue(picture: bpy.types.Image) -> bpy.types.Material:
    s = _Shader("tongue")
    colour = s.multiply(s.texture(picture), (0.80, 0.58, 0.58, 1))
    s.label(MOUTH)
    return s.finish(s.node("ShaderNodeBsdfPrincipled", {"Base Color": colour, "Roughness": 0.38}))


def _eye(picture: bpy.types.Image) -> bpy.types.Material:
    s = _Shader("eye")
    colour = s.multiply(s.texture(picture), (0.96, 0.93, 0.91, 1))
    s.label(FACE)
    look = {"Base Color": colour, "Roughness": 0.30, "Specular IOR Level": 0.3}
    return s.finish(s.node("ShaderNodeBsdfPrincipled", look))


def _cornea() -> bpy.types.Material:
    s = _Shader("cornea")
    mirror = s.node("ShaderNodeBsdfGlossy", {"Roughness": 0.06})
    fresnel = s.node("ShaderNodeFresnel", {"IOR": 1.40})
    s.label(OTHER)
    return s.finish(s.node("ShaderNodeMixShader", {0: fresnel, 1: s.node("ShaderNodeBsdfTransparent"), 2: mirror}))


def _card(
    name: str,
    picture: bpy.types.Image,
    label: Colour,
    tint: Colour,
    roughness: float,
    specular: float,
    opacity: float = 1.0,
) -> bpy.types.Material:
    """Strands drawn on cards: the picture's alpha cuts them out."""
    s = _Shader(name)
    strands = s.texture(picture)
    alpha = s.math("MULTIPLY", strands.outputs[1], opacity, clamp=True)
    s.label(label, s.math("GREATER_THAN", alpha, 0.5))
    look = {
        "Base Color": s.multiply(strands, (*tint, 1.0)),
        "Roughness": roughness,
        "Specular IOR Level": specular,
        "Alpha": alpha,
    }
    return s.finish(s.node("ShaderNodeBsdfPrincipled", look))


def _cloth(folder: Path, identity: Identity) -> bpy.types.Material:
    """One plain colour: a busy pattern costs splats that the face needs."""
    s = _Shader("cloth")
    shade = s.texture(load_image(folder / f"{folder.name}_ao.png", data=True))
    normal = s.node(
        "ShaderNodeNormalMap", {"Color": s.texture(load_image(folder / f"{folder.name}_normal.png", data=True))}
    )
    s.label(OTHER)
    look = {
        "Base Color": s.multiply(shade, (*identity.cloth_colour, 1.0)),
        "Roughness": 0.85,
        "Specular IOR Level": 0.2,
        "Normal": normal,
    }
    return s.finish(s.node("ShaderNodeBsdfPrincipled", look))
