# SPDX-License-Identifier: GPL-3.0-or-later
"""Random people from MakeHuman's CC0 assets, put together from morphs and parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from makehuman import METRES_PER_UNIT, Fitting

from hmtalker.capture.curves.arkit_action_units import ARKIT_NAMES

from .figure import Figure, Look, Part, assemble, smoothstep
from .makehuman_base import (
    EYE_HELPERS,
    base_head,
    base_lining,
    close_lips,
    combed,
    eye_texture,
    in_sight,
    lid_pairs,
    morph,
    read_part,
    rigid_motion,
    smooth_body,
    smooth_shapes,
)  # fmt: skip
from .makehuman_recipe import Recipe, random_recipe
from .openness import with_openness
from .raster import BODY, FACE, HAIR, MOUTH, SKIN
from .subdivision import compact, subdivide, triangulate
from .textures import load_texture

_NECK_JOINT, _HEAD_JOINT = slice(14534, 14542), slice(14070, 14078)  # joint cubes of the base mesh
_LOWER_TEETH_HELPERS = np.arange(14992, 15060)
_UPPER_LIP, _LOWER_LIP = 474, 493
_SHUT_AT = 0.8  # of the asset's blink: beyond, the upper lid slides over the lower one


class _Builder:
    """Puts parts on one identity's base mesh."""

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.folder, self.recipe, self.base = folder, recipe, base_head(folder)
        points = self.base.mesh.vertices.copy()
        for name, weight in recipe.morphs.items():
            rows, moved = morph(folder / "targets" / f"{name}.target.gz", len(points))
            points[rows] += weight * moved
        points = close_lips(folder, points)
        self.points, self.origin = points, points[EYE_HELPERS].mean(0)
        self.shapes = self._fitting_shapes()
        self.lips = np.zeros(2, int)
        self.neck, self.skull = points[_NECK_JOINT].mean(0), points[_HEAD_JOINT].mean(0)

    def _fitting_shapes(self) -> np.ndarray:
        """Blinks close as wide an eye as this person has."""
        shapes, before = self.base.shapes.copy(), self.base.mesh.vertices
        for side, sign in (("Left", 1), ("Right", -1)):
            index = ARKIT_NAMES.index(f"eyeBlink{side}")
            upper, lower = lid_pairs(before, shapes[index], sign)
            closing = shapes[index, lower, 1] - shapes[index, upper, 1]
            was = (before[upper, 1] - before[lower, 1]) / closing
            now = (self.points[upper, 1] - self.points[lower, 1]) / closing
            shapes[index] *= _SHUT_AT * np.clip(np.median(now / was), 0.5, 1.8)
        return shapes

    def metres(self, points: np.ndarray) -> np.ndarray:
        return (points - self.origin) * METRES_PER_UNIT

    def along_neck(self, points: np.ndarray) -> np.ndarray:
        """Height along a neck that leans forward: the jaw line is lower in front than the nape."""
        return points[..., 1] + 0.4 * points[..., 2]

    def head_weight(self, points: np.ndarray) -> np.ndarray:
        low, high = self.along_neck(self.neck) - 0.30, self.along_neck(self.skull) - 0.27
        return smoothstep(low, high, self.along_neck(points))

    def fitted(self, place: str) -> tuple[Fitting, np.ndarray, np.ndarray, np.ndarray]:
        """The part in a folder: its fitting, points (MakeHuman space), quads and uvs."""
        folder = self.folder / "assets" / place
        quads, uvs = read_part(folder / f"{folder.name}.obj")
        fitting = Fitting(folder / f"{folder.name}.mhclo", self.points)
        points = fitting.position(self.points)
        if folder.name == "bob02":
            points = points + combed(self.folder, folder)
        inside = quads.max(1) < len(points)
        return fitting, points, quads[inside], uvs[inside]

    def follow(self, fitting: Fitting) -> np.ndarray:
        """[52,N,3] metres by which a part follows the shapes of the base mesh."""
        moved = self.shapes[:, fitting.anchors] * fitting.weights[..., None]
        return moved.sum(2) * METRES_PER_UNIT

    def part(
        self,
        points: np.ndarray,
        quads: np.ndarray,
        uvs: np.ndarray,
        look: Look,
        deltas: np.ndarray | None = None,
        head_weight: np.ndarray | None = None,
        face_weight: np.ndarray | None = None,
    ) -> Part:
        triangles, coordinates = triangulate(quads, uvs)
        used, triangles = compact(triangles)
        return Part(
            self.metres(points[used]),
            triangles,
            coordinates,
            look,
            None if deltas is None else deltas[:, used],
            None if head_weight is None else head_weight[used],
            None if face_weight is None else face_weight[used],
        )

    def body(self) -> list[Part]:
        """The skin, and the lining of the mouth."""
        hidden = Fitting(
            self.folder / "assets" / "clothes" / self.recipe.cloth / f"{self.recipe.cloth}.mhclo", self.points
        ).hidden_base_vertices
        smooth = smooth_body(self.folder, hidden)
        points = smooth.matrix @ self.points
        deltas = smooth_shapes(self.folder, hidden) * METRES_PER_UNIT
        for index in np.flatnonzero([n.startswith("eyeBlink") for n in ARKIT_NAMES]):
            deltas[index] = (smooth.matrix @ self.shapes[index]) * METRES_PER_UNIT
        skin = load_texture(self.folder / "assets" / "skins" / "textures" / f"{self.recipe.skin}.png")
        look = Look(skin, SKIN, self.recipe.skin_tint, gloss=0.045, squarings=4, red_wrap=0.35)
        wet = Look(skin, MOUTH, (0.50, 0.22, 0.22), gloss=0.05, squarings=5, red_wrap=0.2)
        boundary = self.along_neck(self.skull) - 0.27
        face = 0.5 + (self.along_neck(points) - (boundary - 0.08)) / 0.2
        inside = np.repeat(base_lining(self.folder, hidden), 4)
        # subdividing keeps the old vertices' numbers
        self.lips = np.searchsorted(np.unique(smooth.quads[~inside]), [_UPPER_LIP, _LOWER_LIP])
        parts = []
        for chosen, material in ((~inside, look), (inside, wet)):
            part = self.part(
                points, smooth.quads[chosen], smooth.uvs[chosen], material, deltas, self.head_weight(points), face
            )
            parts.append(part)
        return parts

    def eyes(self) -> Part:
        fitting, points, quads, uvs = self.fitted("eyes/high-poly")
        for side in (points[:, 0] > 0, points[:, 0] < 0):  # 2% smaller, so that closed lids cover them
            centre = points[side].mean(0)
            points[side] = centre + (points[side] - centre) * 0.98 - [0, 0, 0.003]
        texture = eye_texture(self.folder / "assets" / "eyes" / "materials" / f"{self.recipe.eye}.png")
        width, height = texture.sizes[0, 1:]
        picture = texture.texels[: width * height].reshape(height, width, 4)
        centres = uvs.mean(1) % 1
        opaque = picture[((1 - centres[:, 1]) * (height - 1)).astype(int), (centres[:, 0] * (width - 1)).astype(int), 3]
        solid = opaque > 127  # the cornea is a shell of its own, of transparent texels
        look = Look(texture, FACE, (0.85, 0.80, 0.78), gloss=0.5, squarings=7, sunk=0.002)
        return self.part(points, quads[solid], uvs[solid], look, self.follow(fitting))

    def teeth(self) -> Part:
        """The lower teeth follow the jaw rigidly; the upper ones are part of the skull."""
        fitting, points, quads, uvs = self.fitted("teeth/teeth_base")
        lower = np.isin(fitting.anchors[:, 0], _LOWER_TEETH_HELPERS)
        points[~lower] += [0, -0.022, 0.006]  # the asset hides the upper incisors behind the lip
        points[lower] += [0, -0.012, -0.004]
        follow, deltas = self.follow(fitting), np.zeros((len(ARKIT_NAMES), len(points), 3))
        metres = self.metres(points)
        for index in np.flatnonzero([name.startswith("jaw") for name in ARKIT_NAMES]):
            deltas[index, lower] = rigid_motion(metres[lower], metres[lower] + follow[index, lower]) - metres[lower]
        texture = load_texture(self.folder / "assets" / "teeth" / "materials" / "teeth.png")
        look = Look(texture, MOUTH, (2.3, 2.2, 1.95), gloss=0.12, squarings=5, red_wrap=0.2, two_sided=True)
        return self.part(points, quads, uvs, look, deltas)

    def tongue(self) -> Part:
        fitting, points, quads, uvs = self.fitted("tongue/tongue01")
        texture = load_texture(self.folder / "assets" / "tongue" / "tongue01" / "tongue01_diffuse.png")
        look = Look(texture, MOUTH, (0.70, 0.42, 0.42), gloss=0.08, squarings=5, red_wrap=0.3, two_sided=True)
        return self.part(points, quads, uvs, look, self.follow(fitting))

    def cards(self) -> list[Part]:
        """Brows and lashes."""
        recipe, parts = self.recipe, []
        dark = tuple(0.8 * c for c in recipe.hair_tint)
        for place, name, tint, opacity in (
            ("eyebrows", recipe.brow, dark, recipe.brow_opacity),
            ("eyelashes", recipe.lash, (0.15, 0.1, 0.08), 0.9),
        ):
            fitting, points, quads, uvs = self.fitted(f"{place}/{name}")
            texture = load_texture(self.folder / "assets" / place / name / f"{name}.png", cut_out=True)
            look = Look(texture, FACE, tint, opacity=1.6 * opacity, card=True, two_sided=True, sunk=-0.0012)
            parts.append(self.part(points, quads, uvs, look, self.follow(fitting)))
        return parts

    def hair(self) -> list[Part]:
        name = self.recipe.hair
        if name is None:
            return []
        _, points, quads, uvs = self.fitted(f"hair/{name}")
        smooth = subdivide(quads, uvs, len(points))
        texture = load_texture(self.folder / "assets" / "hair" / name / f"{name}_diffuse.png", cut_out=True)
        look = Look(
            texture, HAIR, self.recipe.hair_tint, gloss=0.03, squarings=4, red_wrap=0.3, card=True, two_sided=True
        )
        return [self.part(smooth.matrix @ points, smooth.quads, smooth.uvs, look)]

    def cloth(self) -> Part:
        name = self.recipe.cloth
        _, points, quads, uvs = self.fitted(f"clothes/{name}")
        kept = in_sight(points, quads)
        texture = load_texture(self.folder / "assets" / "clothes" / name / f"{name}_diffuse.png")
        look = Look(texture, BODY, self.recipe.cloth_tint, two_sided=True)
        # a collar gives a little where the neck turns in it
        return self.part(points, quads[kept], uvs[kept], look, None, 0.5 * self.head_weight(points))


def build(folder: Path, recipe: Recipe) -> Figure:
    """The person of a recipe, from the folder of the assets (``base.obj``, ``targets``, ``assets``)."""
    builder = _Builder(folder, recipe)
    skin, lining = builder.body()
    parts = [skin, lining, builder.eyes(), builder.teeth(), builder.tongue(), builder.cloth()]
    parts += [*builder.hair(), *builder.cards()]
    left, right = np.split(builder.points[EYE_HELPERS], 2)
    if left[:, 0].mean() < right[:, 0].mean():
        left, right = right, left
    return assemble(
        parts,
        MOUTH,
        pivot=builder.metres(0.55 * builder.neck + 0.45 * builder.skull),
        eyes=builder.metres(np.stack([right.mean(0), left.mean(0)])),
        lips=builder.lips,
        description=f"MakeHuman, {recipe.skin}, {recipe.hair}",
    )


def random_person(folder: str | Path, seed: int, extent: float = 1.0) -> Figure:
    """A new adult for every seed. folder: MakeHuman's CC0 assets; extent: how unusual faces may be, 0..1."""
    rng = np.random.default_rng((seed, 4711))
    return with_openness(build(Path(folder), random_recipe(Path(folder), rng, extent)))
