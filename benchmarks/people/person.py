# SPDX-License-Identifier: GPL-3.0-or-later
"""A person in front of a camera: pose in, picture and exact labels out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from hmtalker.head_pose import HeadPose

from . import raster, shading
from .background import Background
from .camera_effects import SRGB_BYTES, CameraEffects
from .figure import ARKIT_COUNT, Figure
from .openness import ShadowMap


@dataclass(frozen=True)
class View:
    """A pinhole camera looking along -z of its canonical axes (x right, y up, z toward the camera).

    The middle of the resting eyes lies at `offset` (metres, right and up) and `distance` metres away.
    """

    width: int = 512
    height: int = 512
    distance: float = 0.8
    focal: float = 1100.0
    """Pixels."""
    offset: tuple[float, float] = (0.0, 0.02)

    @property
    def intrinsics(self) -> np.ndarray:
        """float64 [3,3]; the picture's corner is (0, 0). Subtract 0.5 from the last column for pixel centres at 0."""
        return np.array([[self.focal, 0, self.width / 2], [0, self.focal, self.height / 2], [0, 0, 1.0]])


@dataclass(frozen=True)
class Lighting:
    """lamps [L,6]: direction towards the lamp in the camera's canonical axes, linear colour. sky, ground, up: [3]."""

    lamps: np.ndarray = field(
        default_factory=lambda: np.array(
            [[-0.5, 0.5, 0.8, 0.75, 0.72, 0.69], [0.8, 0.1, 0.6, 0.25, 0.26, 0.28], [0.3, 0.5, -0.7, 0.35, 0.34, 0.33]]
        )
    )
    sky: tuple[float, float, float] = (0.42, 0.44, 0.48)
    ground: tuple[float, float, float] = (0.20, 0.18, 0.17)
    up: tuple[float, float, float] = (0.0, 0.9, 0.436)
    shadows: bool = True
    """Whether the first lamp casts shadows."""


@dataclass(frozen=True)
class Pose:
    """One frame. arkit [52]: weights in the order of ARKIT_NAMES (0..1, up to 1.6 from Action Units)."""

    arkit: np.ndarray = field(default_factory=lambda: np.zeros(ARKIT_COUNT))
    head: HeadPose = field(default_factory=HeadPose)
    view: View = field(default_factory=View)
    lighting: Lighting = field(default_factory=Lighting)
    background: Background = field(default_factory=Background)
    effects: CameraEffects | None = None
    units: object = None
    """Labels carried along (`units.UnitLabels`); they do not act on the picture."""


@dataclass(frozen=True)
class Rendered:
    """A picture and what is true of it. All masks are float32 [H,W] 0..1 and sum to `alpha`."""

    rgb: np.ndarray
    """uint8 [H,W,3], composited."""
    alpha: np.ndarray
    face: np.ndarray
    hair: np.ndarray
    mouth: np.ndarray
    """Teeth, tongue and cavity seen between the lips."""
    body: np.ndarray
    """Neck and torso."""
    foreground: np.ndarray
    """float32 [H,W,3] linear light, premultiplied with `alpha`."""
    rotation: np.ndarray
    """float64 [3,3]: head -> the camera's canonical axes."""
    translation: np.ndarray
    """float64 [3] metres: x_camera = rotation @ x_head + translation."""
    intrinsics: np.ndarray
    """float64 [3,3]; the picture's corner is (0, 0)."""
    eye_distance: float
    """Metres between the centres of the eyeballs."""
    eyes: np.ndarray
    """float64 [2,3] centres of the eyeballs in head space: the person's right, left."""


class Person:
    """A figure that can be rendered. Not for several threads at once: buffers are used again."""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        self._buffers: dict[tuple[int, int], tuple[np.ndarray, ...]] = {}
        self._box = (0, 0, 0, 0)  # where cards were drawn last
        self._shadows = ShadowMap(figure)

    def points(self, arkit: np.ndarray) -> np.ndarray:
        """float32 [V,3] of the figure with an expression, head at rest, in head space."""
        active = np.flatnonzero(np.abs(arkit) > 1e-6)
        moved = np.tensordot(np.asarray(arkit, np.float32)[active], self.figure.deltas[active], 1)
        return self.figure.points + moved

    def render(self, pose: Pose, blur_to: Pose | None = None, blur_steps: int = 3) -> Rendered:
        """One frame. blur_to: what the person does when the shutter closes; the picture is the mean of `blur_steps`
        moments and the labels are those of `pose`, which is in the middle of the exposure if `blur_to` is as far
        ahead as half the exposure (the motion is mirrored backwards)."""
        moments = [pose]
        if blur_to is not None and blur_steps > 1:
            moments = [_between(pose, blur_to, s) for s in np.linspace(-1, 1, blur_steps)]
        colour, cover = self._draw(moments[0])
        for moment in moments[1:]:
            more = self._draw(moment)
            colour += more[0]
            cover += more[1]
        if len(moments) > 1:
            colour /= len(moments)
            cover /= len(moments)
        behind = pose.background.linear(pose.view.width, pose.view.height)
        rgb, alpha = shading.encode(colour, cover, behind, SRGB_BYTES)
        if pose.effects is not None:
            rgb = pose.effects.apply(colour + (1 - alpha)[..., None] * behind)
        rotation = pose.head.matrix()
        pivot = np.asarray(self.figure.pivot, np.float64)
        shift = pivot + np.array(pose.head.translation) - rotation @ pivot
        return Rendered(
            rgb,
            alpha,
            *(np.ascontiguousarray(cover[..., i]) for i in range(raster.CLASSES)),
            colour,
            rotation,
            shift + np.array([*pose.view.offset, -pose.view.distance]),
            pose.view.intrinsics,
            self.figure.eye_distance,
            np.asarray(self.figure.eyes, np.float64),
        )

    def _draw(self, pose: Pose) -> tuple[np.ndarray, np.ndarray]:
        """Premultiplied linear colour [H,W,3] and cover [H,W,4] (face, hair, mouth, body)."""
        f, t, view, light = self.figure, self.figure.tables, pose.view, pose.lighting
        rest = self.points(pose.arkit)
        openness = self._openness(rest, f)
        points = _skin(rest, f, pose.head) + np.array([*view.offset, -view.distance], np.float32)
        points = points.astype(np.float32)
        normals = raster.vertex_normals(points, f.triangles)
        screen = raster.project(points, f.sunk, view.focal, view.focal, view.width / 2, view.height / 2)
        drawn = self._cleared(view.width, view.height)
        nearest, ids, layer, face_layer, levels = drawn
        raster.draw_opaque(
            screen, f.triangles, 0, f.first_card, f.uvs, f.material, t["two_sided"], t["textures"], t["table"],
            nearest, ids, levels,
        )  # fmt: skip
        cards = f.triangles[f.first_card :]
        order = f.first_card + np.argsort(-points[cards, 2].sum(1))
        look = (t["textures"], t["table"], t["texels"], t["linear"], t["looks"], t["squarings"], t["classes"])
        lamps = np.asarray(light.lamps, np.float32).reshape(-1, 6).copy()
        lamps[:, :3] /= np.linalg.norm(lamps[:, :3], axis=1, keepdims=True)
        lit = (lamps, *(np.asarray(v, np.float32) for v in (light.sky, light.ground, light.up)))
        key = self._key_light(points, normals, openness, lamps, light.shadows)
        glow = shading.light_cards(
            points, normals, openness, key, f.triangles, f.first_card, f.material, t["looks"], t["squarings"], *lit
        )
        self._box = shading.draw_cards(
            screen, glow, order, f.triangles, f.uvs, f.material, t["two_sided"], t["textures"], t["table"], t["texels"],
            t["linear"], t["looks"], t["classes"], nearest, layer, face_layer,
        )  # fmt: skip
        colour = np.zeros((view.height, view.width, 3), np.float32)
        cover = np.zeros((view.height, view.width, raster.CLASSES), np.float32)
        box = self._frame_box(screen, view)
        shading.shade(
            screen, points, normals, openness, key, f.face_weight, f.triangles, f.uvs, f.material, *look, *lit, ids,
            levels, layer, face_layer, box, colour, cover,
        )  # fmt: skip
        return colour, cover

    def _key_light(
        self, points: np.ndarray, normals: np.ndarray, openness: np.ndarray, lamps: np.ndarray, shadows: bool
    ) -> np.ndarray:
        """[V] how much of the first lamp reaches each vertex."""
        around = openness * (0.5 + 0.5 * openness)
        if not shadows or not len(lamps):
            return around
        middle = points[self.figure.is_mouth].mean(0) + np.array([0.0, 0.05, -0.04])
        solid, hair = self._shadows.seen(points, normals, middle, lamps[0, :3].astype(float), 2, 0.004)
        seen = 0.4 * solid + 0.6 * hair
        return np.where(self.figure.is_mouth, around, seen * np.sqrt(openness)).astype(np.float32)

    @staticmethod
    def _frame_box(screen: np.ndarray, view: View) -> tuple[int, int, int, int]:
        """First and last + 1 row, first and last + 1 column that the person may cover."""
        seen = screen[screen[:, 2] > 0]
        if len(screen) != len(seen) or not len(seen):
            return 0, view.height, 0, view.width
        low, high = seen[:, :2].min(0) / raster.SAMPLES, seen[:, :2].max(0) / raster.SAMPLES
        (x0, y0), (x1, y1) = np.clip(low, 0, None).astype(int), np.ceil(np.clip(high, 0, 1e6)).astype(int)
        return int(y0), int(min(y1, view.height)), int(x0), int(min(x1, view.width))

    @staticmethod
    def _openness(points: np.ndarray, f: Figure) -> np.ndarray:
        """The inside of the mouth darkens with the depth behind the lips, and while they are nearly shut."""
        upper, lower = points[f.lips]
        behind = np.maximum(min(upper[2], lower[2]) - points[:, 2] - 0.007, 0)
        gap = np.clip((upper[1] - lower[1]) / 0.012, 0, 1)
        above = np.clip((points[:, 1] - upper[1]) / 0.010, 0, 1)
        inside = (0.6 + 0.35 * gap) * np.exp(-behind / 0.013) * (1 - 0.4 * above)
        return np.where(f.is_mouth, inside, f.openness).astype(np.float32)

    def _cleared(self, width: int, height: int) -> tuple[np.ndarray, ...]:
        n = raster.SAMPLES
        if (width, height) not in self._buffers:
            size = (height * n, width * n)
            self._buffers = {}  # one size at a time
            self._buffers[width, height] = (
                np.empty(size, np.float32),
                np.empty(size, np.int32),
                np.zeros((*size, 4), np.float32),
                np.zeros(size, np.float32),
                np.zeros(len(self.figure.triangles), np.uint8),
            )
            self._box = (0, 0, 0, 0)
        nearest, ids, layer, face_layer, levels = self._buffers[width, height]
        nearest[:], ids[:] = 0, -1
        top, bottom, left, right = self._box
        layer[top:bottom, left:right], face_layer[top:bottom, left:right] = 0, 0
        return nearest, ids, layer, face_layer, levels


def _skin(points: np.ndarray, f: Figure, head: HeadPose) -> np.ndarray:
    """Points [V,3] with the head turned: each follows by its own weight (linear blend skinning)."""
    turn = head.matrix().astype(np.float32)
    pivot = np.asarray(f.pivot, np.float32)
    turned = (points - pivot) @ turn.T + pivot + np.array(head.translation, np.float32)
    return points + f.head_weight[:, None] * (turned - points)


def _between(a: Pose, b: Pose, step: float) -> Pose:
    """step 0: a, 1: b, -1: as far on the other side of a."""
    head = a.head.to_array() + step * (b.head.to_array() - a.head.to_array())
    arkit = np.maximum(np.asarray(a.arkit) + step * (np.asarray(b.arkit) - np.asarray(a.arkit)), 0)
    return replace(a, arkit=arkit, head=HeadPose.from_array(head))


__all__ = ["Lighting", "Person", "Pose", "Rendered", "View"]
