# SPDX-License-Identifier: GPL-3.0-or-later
"""Avatars drawn straight into a 3D viewport, from the viewport's own view: in Solid shading, and by our render engine.

The picture carries its depth, so objects of the scene are in front of the face or behind it as they are in space.
A picture is drawn on the worker thread; until a newer one is there, the last one stays.
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import bpy
import numpy as np

from . import (
    avatar_object,
    avatars_shown,
    camera_view,
    engine_paths,
    live_face,
    preferences,
    scene_frame,
    viewport_shading,
)

if TYPE_CHECKING:
    import gpu

    from .avatars_shown import Shown
    from .camera_view import Projection

CLEARANCE = 2e-5
"""Share of the depth range by which the face is drawn nearer, so that its own outline does not cut through it."""

VERTEX = "void main() { uv = vec2(pos.x * 0.5 + 0.5, 0.5 - pos.y * 0.5); gl_Position = vec4(pos, 0.0, 1.0); }"
FRAGMENT = """
void main()
{
  vec4 face = texture(picture, uv);
  face.rgb += (1.0 - face.a) * background.rgb * background.a;
  face.a += (1.0 - face.a) * background.a;
  if (face.a <= 0.0) discard;
  colour = face;
  gl_FragDepth = texture(depth, uv).r;
}
"""


class Picture(NamedTuple):
    """What the worker made for one viewport."""

    key: bytes
    rgba: np.ndarray
    """float32 [H,W,4], premultiplied and linear."""
    depth: np.ndarray
    """float32 [H,W], 0..1 as the graphics card counts it."""


_pictures: dict[int, Picture] = {}
_asked: dict[int, bytes] = {}
_textures: dict[int, tuple[bytes, gpu.types.GPUTexture, gpu.types.GPUTexture]] = {}
_shader: list[Any] = []
_handle: list[Any] = []


def attach() -> None:
    """Draw in Solid shading from now on."""
    if not _handle and not bpy.app.background:
        _handle.append(bpy.types.SpaceView3D.draw_handler_add(_draw_solid, (), "WINDOW", "POST_VIEW"))


def detach() -> None:
    """Draw no more."""
    while _handle:
        bpy.types.SpaceView3D.draw_handler_remove(_handle.pop(), "WINDOW")
    if bpy.app.timers.is_registered(viewport_shading.update):
        bpy.app.timers.unregister(viewport_shading.update)
    for kept in (_pictures, _asked, _textures, _shader):
        kept.clear()


def _draw_solid() -> None:
    context = bpy.context
    viewport_shading.update_soon()
    if context.space_data.shading.type == "SOLID":
        draw_region(context, context.evaluated_depsgraph_get())


def draw_region(
    context: bpy.types.Context, depsgraph: bpy.types.Depsgraph, background: np.ndarray | None = None
) -> None:
    """Draw the newest picture of the viewport, and ask for another if the scene or the view moved on.

    background: float32 [3], linear; None leaves what is there.
    """
    shown, percentage = _visible(context, depsgraph)
    region = context.region
    place = region.as_pointer()
    if shown:
        projection = camera_view.of_region(region, context.region_data)
        width, height = (max(1, side * percentage // 100) for side in (projection.width, projection.height))
        _ask(place, shown, projection._replace(width=width, height=height), context.area)
    else:
        _pictures.pop(place, None)
    picture = _pictures.get(place)
    if picture is None and background is not None:
        empty = np.zeros((1, 1, 4), np.float32)
        picture = Picture(b"", empty, np.ones((1, 1), np.float32))
    if picture is not None:
        _draw(place, picture, background)


def _visible(context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> tuple[list[Shown], int]:
    """Return the avatars of this viewport, and the share of its pixels that they are drawn with."""
    shown, percentage = [], 10
    for original, avatar in avatars_shown.with_objects(depsgraph):
        settings = original.hmtalker.display
        if settings.in_scene and original.visible_in_viewport_get(context.space_data):
            shown.append(avatar)
            percentage = max(percentage, settings.viewport_percentage)
    return shown, percentage


def _ask(place: int, shown: list[Shown], projection: Projection, area: bpy.types.Area) -> None:
    try:
        key = _key(shown, projection)
    except Exception:
        return  # an avatar file that is not there: the card tells it
    known = _pictures.get(place)
    if (known is not None and known.key == key) or _asked.get(place) == key:
        return
    _asked[place] = key
    engine_paths.prepare_kernel_cache()
    threads = preferences.render_threads(bpy.context)

    def work(cancelled: Any) -> Picture:
        rgba, depth = scene_frame.render(shown, projection, threads, margin_free=True, cancelled=cancelled)
        return Picture(key, rgba, _window_depth(depth, projection.matrix))

    live_face.ask(("viewport", place), work, partial(_arrived, place, key, area))


def _arrived(place: int, key: bytes, area: bpy.types.Area, result: Any) -> None:
    if _asked.get(place) == key:
        del _asked[place]
    if isinstance(result, BaseException):
        result = Picture(key, np.zeros((1, 1, 4), np.float32), np.ones((1, 1), np.float32))
    _pictures[place] = result
    try:
        area.tag_redraw()
    except ReferenceError:
        _pictures.pop(place, None)  # the area was closed meanwhile


def _key(shown: list[Shown], projection: Projection) -> bytes:
    digest = hashlib.sha256(projection.matrix.tobytes() + projection.view_from_world.tobytes())
    digest.update(f"{projection.width} {projection.height}".encode())
    for avatar in shown:
        digest.update(str(avatar_object.key_of(avatar.path)).encode())
        digest.update(avatars_shown.state_hash(avatar.state) + avatar.world_from_object.tobytes())
    return digest.digest()


def _window_depth(depth: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Turn distances along the view's axis into what a depth buffer holds, 0..1; 1 where there is nothing."""
    clip = (matrix[2, 3] - matrix[2, 2] * depth) / (matrix[3, 3] - matrix[3, 2] * depth)
    window = np.clip(0.5 + 0.5 * clip - CLEARANCE, 0.0, 1.0)
    return np.where(depth >= scene_frame.FAR, 1.0, window).astype(np.float32)


def _draw(place: int, picture: Picture, background: np.ndarray | None) -> None:
    import gpu
    from gpu_extras.batch import batch_for_shader

    if not _shader:
        _shader.append(_compiled())
    shader = _shader[0]
    colour, depth = _uploaded(place, picture)
    corners = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]
    batch = batch_for_shader(shader, "TRIS", {"pos": corners}, indices=((0, 1, 2), (0, 2, 3)))
    shader.bind()
    shader.uniform_sampler("picture", colour)
    shader.uniform_sampler("depth", depth)
    shader.uniform_float("background", (0.0,) * 4 if background is None else (*map(float, background), 1.0))
    gpu.state.blend_set("ALPHA_PREMULT")
    gpu.state.depth_test_set("LESS_EQUAL")
    gpu.state.depth_mask_set(True)
    batch.draw(shader)
    gpu.state.depth_mask_set(False)
    gpu.state.depth_test_set("NONE")
    gpu.state.blend_set("NONE")


def _uploaded(place: int, picture: Picture) -> tuple[gpu.types.GPUTexture, gpu.types.GPUTexture]:
    import gpu

    known = _textures.get(place)
    if known is None or known[0] != picture.key or not picture.key:
        height, width = picture.depth.shape
        colour = gpu.types.Buffer("FLOAT", picture.rgba.size, np.ascontiguousarray(picture.rgba).ravel())
        depth = gpu.types.Buffer("FLOAT", picture.depth.size, np.ascontiguousarray(picture.depth).ravel())
        known = (
            picture.key,
            gpu.types.GPUTexture((width, height), format="RGBA16F", data=colour),
            gpu.types.GPUTexture((width, height), format="R32F", data=depth),
        )
        _textures[place] = known
    return known[1], known[2]


def _compiled() -> gpu.types.GPUShader:
    import gpu

    between = gpu.types.GPUStageInterfaceInfo("hmtalker_face")
    between.smooth("VEC2", "uv")
    info = gpu.types.GPUShaderCreateInfo()
    info.push_constant("VEC4", "background")
    info.sampler(0, "FLOAT_2D", "picture")
    info.sampler(1, "FLOAT_2D", "depth")
    info.vertex_in(0, "VEC2", "pos")
    info.vertex_out(between)
    info.fragment_out(0, "VEC4", "colour")
    info.depth_write("ANY")
    info.vertex_source(VERTEX)
    info.fragment_source(FRAGMENT)
    return gpu.shader.create_from_info(info)
